import fc from 'fast-check';

/**
 * For property tests: HTTP/1 byte streams, mostly sound, then hurt. Texts are latin1: one character is one byte.
 */
const token = fc.constantFrom('a', 'X-Thing', 'accept', 'Cookie', 'x_y', 'Content-Type', 'grpc-status', 'B2');
const value = fc.constantFrom('', 'v', 'a b', 'long value, with; things="x"', '\xe4\xff', 'a\tb', ' padded ', '0');
const plainLine = fc.tuple(token, value).map(([name, text]) => `${name}: ${text}`);
const specialLine = fc.constantFrom(
  'Connection: close',
  'Connection: keep-alive, X-Thing',
  'connection: upgrade',
  'Upgrade: websocket',
  'TE: trailers',
  'Keep-Alive: timeout=5',
  'Expect: 100-continue',
  'Content-Length: 0',
  'Content-Length: 3',
  'Transfer-Encoding: chunked',
  'Transfer-Encoding : chunked',
  'Host: b',
  ' folded',
  'X:no-blank',
);
const lines = fc.array(fc.oneof({ weight: 16, arbitrary: plainLine }, { weight: 1, arbitrary: specialLine }), {
  maxLength: 6,
});
const body = fc
  .array(fc.constantFrom('x', '\r', '\n', '\r\n', '0\r\n\r\n', 'GET / HTTP/1.1\r\n', '\x00'), { maxLength: 5 })
  .map((parts) => parts.join(''));
const extension = fc.constantFrom('', '', '', '', '', '', '', ';a', ';a=b', ';a="b;c"', ' ;a', ';');

/** Without framing fields: llhttp acts on those it finds in trailers, we drop them (row 41 has its own test). */
const trailerLine = fc.oneof(
  plainLine,
  fc.constantFrom('Host: b', 'Authorization: x', 'X:no-blank', 'a : b', ' folded'),
);
const trailerLines = fc.array(trailerLine, { maxLength: 4 });

const chunked = fc
  .tuple(fc.array(fc.tuple(body, extension), { maxLength: 4 }), trailerLines, fc.boolean())
  .map(([chunks, trailers, withTrailers]) => {
    const sent = chunks.filter(([data]) => data !== '');
    const framed = sent.map(([data, ext]) => `${data.length.toString(16)}${ext}\r\n${data}\r\n`).join('');
    return `${framed}0\r\n${withTrailers ? trailers.map((line) => `${line}\r\n`).join('') : ''}\r\n`;
  });

const framedBody = fc.oneof(
  fc.constant(['', ''] as const),
  body.map((text) => [`Content-Length: ${text.length}\r\n`, text] as const),
  chunked.map((text) => ['Transfer-Encoding: chunked\r\n', text] as const),
);

function mostly<T>(usual: fc.Arbitrary<T>, odd: fc.Arbitrary<T>): fc.Arbitrary<T> {
  return fc.oneof({ weight: 12, arbitrary: usual }, { weight: 1, arbitrary: odd });
}

const target = mostly(
  fc.constantFrom('/', '/a/b?c=d', 'http://h/x', '/%2e%2e', '//x', '/a;b', 'http://h?q'),
  fc.constantFrom('*', 'h:80', '/#', 'ftp://x/', ''),
);
const method = mostly(
  fc.constantFrom('GET', 'POST', 'HEAD', 'OPTIONS', 'PUT', 'M-SEARCH'),
  fc.constantFrom('CONNECT', 'get', 'XYZ', 'TRACE'),
);
const version = mostly(fc.constant('HTTP/1.1'), fc.constantFrom('HTTP/1.0', 'HTTP/1.2'));
const hostLine = mostly(
  fc.constantFrom('Host: a\r\n', 'host:a:80\r\n'),
  fc.constantFrom('', 'Host: a b\r\n', 'Host: \r\n'),
);

export const requestText = fc
  .tuple(method, target, version, hostLine, lines, framedBody)
  .map(([name, path, protocol, host, extra, [framing, text]]) => {
    return `${name} ${path} ${protocol}\r\n${host}${extra.map((line) => `${line}\r\n`).join('')}${framing}\r\n${text}`;
  });

const status = fc.constantFrom(
  '200 OK',
  '204 No Content',
  '304 Not Modified',
  '100 Continue',
  '103 x',
  '101 x',
  '500',
  '999 x',
);

export const responseText = fc
  .tuple(version, status, lines, framedBody)
  .map(([protocol, code, extra, [framing, text]]) => {
    return `${protocol} ${code}\r\n${extra.map((line) => `${line}\r\n`).join('')}${framing}\r\n${text}`;
  });

/** A change somewhere in a text: a byte put in, taken out or replaced, a piece doubled or cut off. */
export interface Mutation {
  readonly kind: 'insert' | 'delete' | 'replace' | 'double' | 'truncate';
  /** Position as a fraction of the length. */
  readonly where: number;
  readonly bytes: string;
}

export const SPECIAL_BYTES = [
  '\r',
  '\n',
  '\r\n',
  '\0',
  '\t',
  ' ',
  '\x0b',
  '\x0c',
  '\x7f',
  '\x80',
  '\xa0',
  '\xff',
  ':',
  ';',
  ',',
  '"',
  '_',
  '0',
  '#',
  '\\',
  '\x85',
  '+',
  '-',
] as const;

const mutation: fc.Arbitrary<Mutation> = fc.record({
  kind: fc.constantFrom('insert', 'delete', 'replace', 'double', 'truncate'),
  where: fc.double({ min: 0, max: 1, noNaN: true }),
  bytes: fc.constantFrom(...SPECIAL_BYTES),
});

export function mutate(text: string, { kind, where, bytes }: Mutation): string {
  const at = Math.floor(where * text.length);
  const before = text.slice(0, at);
  if (kind === 'insert') return before + bytes + text.slice(at);
  if (kind === 'delete') return before + text.slice(at + 1);
  if (kind === 'replace') return before + bytes + text.slice(at + 1);
  if (kind === 'double') return before + text.slice(at, at + 10) + text.slice(at);
  return before;
}

function stream(message: fc.Arbitrary<string>): fc.Arbitrary<string> {
  return fc
    .tuple(
      fc.array(message, { minLength: 1, maxLength: 3 }),
      fc.oneof(fc.constant([]), fc.array(mutation, { maxLength: 2 })),
    )
    .map(([messages, mutations]) => mutations.reduce(mutate, messages.join('')));
}

export const requestStream = stream(requestText);
export const responseStream = stream(responseText);
