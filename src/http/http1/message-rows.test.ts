import { expect, test } from 'vitest';
import { recordRequests } from '../../../test/conformance/http1/record-events.ts';
import {
  accepted,
  chunkedPost,
  expectNothingForwarded,
  expectRefusedRequest,
  get,
  head,
  post,
  row,
} from '../../../test/conformance/http1/row-tests.ts';
import type { RequestHead } from '../head.ts';
import { HeaderEdits } from '../header-edits.ts';
import {
  DEFAULT_HTTP1_LIMITS,
  encodeLocalResponseHead,
  encodeRequestHead,
  encodeResponseHead,
  Http1RequestDecoder,
} from './http1.ts';

/** The head of the first request in `bytes`, still held by its decoder. */
function headOf(bytes: string): RequestHead {
  let found: RequestHead | undefined;
  const decoder = new Http1RequestDecoder(
    {
      onRequestHead(received) {
        found = received;
        decoder.stop();
      },
      onRequestBody: () => undefined,
      onRequestTrailers: () => undefined,
      onRequestEnd: () => undefined,
    },
    DEFAULT_HTTP1_LIMITS,
  );
  const buffer = Buffer.from(bytes, 'latin1');
  decoder.decode(buffer, 0, buffer.length);
  if (found === undefined) throw new Error(`no head in ${bytes}`);
  return found;
}

row(43, 'a client that stops in the middle of a message leaves an aborted request, never a completed one', () => {
  const unfinished: [string, string][] = [
    ['GET / HTTP/1.1\r\nHost: a', '400 truncated-head'],
    ['GE', '400 truncated-head'],
    ['GET / HTTP/1.1\r\nHost: a\r\n\r', '400 truncated-head'],
    [post(['Content-Length: 5'], 'abcd'), '400 truncated-body'],
    [post(['Content-Length: 5']), '400 truncated-body'],
    [chunkedPost('5\r\nabcde\r\n'), '400 truncated-body'],
    [chunkedPost('5\r\nabc'), '400 truncated-body'],
    [chunkedPost('0\r\n'), '400 truncated-body'],
    [chunkedPost('0\r\n\r'), '400 truncated-body'],
  ];
  for (const [bytes, fault] of unfinished) expectRefusedRequest(bytes, fault, { finish: true });
  accepted(recordRequests(get(), { finish: true }));
  accepted(recordRequests('', { finish: true }));
});

row(54, 'Expect: 100-continue is reported where a body follows; anything else is answered 417', () => {
  for (const value of ['100-continue', '100-Continue ']) {
    const { events, forwarded } = accepted(recordRequests(post([`Expect: ${value}`, 'Content-Length: 1'], 'x')));
    expect(events[0]).toContain(' expect ');
    expect(forwarded.toLowerCase()).toContain('expect: 100-continue\r\n');
  }
  for (const value of ['y 100-continue', '200-ok', '', '100-continue, x', '100-continue;q=1']) {
    expectNothingForwarded(post([`Expect: ${value}`, 'Content-Length: 1'], 'x'), '417 unknown-expectation');
  }
  expectNothingForwarded(
    post(['Expect: 100-continue', 'Expect: 100-continue', 'Content-Length: 1']),
    '417 unknown-expectation',
  );
  expect(accepted(recordRequests(get('Expect: 100-continue'))).events[0]).not.toContain('expect');
  const http10 = head('POST / HTTP/1.0', 'Host: a', 'Expect: what', 'Content-Length: 1');
  expect(accepted(recordRequests(`${http10}x`)).events[0]).not.toContain('expect');
});

row(55, 'an upgrade is reported only for a bodyless GET of HTTP/1.1 that asks for it', () => {
  const asked = accepted(
    recordRequests(get('Connection: keep-alive, Upgrade', 'Upgrade: WebSocket', 'Sec-WebSocket-Version: 13')),
  );
  expect(asked.events[0]).toContain(' upgrade=websocket ');
  expect(asked.forwarded).toBe(get('Sec-WebSocket-Version: 13', 'connection: upgrade', 'upgrade: websocket'));
  const lines = ['Connection: upgrade', 'Upgrade: websocket'];
  const unasked = [
    get('Upgrade: websocket'),
    get('Connection: upgrade'),
    get(...lines, 'Content-Length: 1'),
    post(lines),
    head('GET / HTTP/1.0', 'Host: a', ...lines),
    get(...lines, 'Transfer-Encoding: chunked'),
  ];
  for (const bytes of unasked) {
    const { events, forwarded } = accepted(recordRequests(bytes));
    expect(events[0]).not.toContain('upgrade=');
    expect(forwarded.toLowerCase()).not.toContain('upgrade');
  }
});

row(55, 'bytes after an upgrade request stay with the caller while the decoder is paused', () => {
  const bytes = get('Connection: upgrade', 'Upgrade: websocket') + get('X: smuggled');
  const heads: string[] = [];
  const decoder = new Http1RequestDecoder(
    {
      onRequestHead: (received) => heads.push(received.upgrade),
      onRequestBody: () => undefined,
      onRequestTrailers: () => undefined,
      onRequestEnd: () => decoder.pause(),
    },
    DEFAULT_HTTP1_LIMITS,
  );
  const buffer = Buffer.from(bytes, 'latin1');
  const used = decoder.decode(buffer, 0, buffer.length);
  expect([used, heads]).toEqual([buffer.length - get('X: smuggled').length, ['websocket']]);
  decoder.resume();
  expect(decoder.decode(buffer, used, buffer.length)).toBe(get('X: smuggled').length);
  expect(heads).toEqual(['websocket', '']);
});

row(56, 'an upgrade to h2c and HTTP2-Settings are stripped', () => {
  const bytes = get('Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c', 'HTTP2-Settings: AAMAAABkAAQ', 'X: y');
  const { events, forwarded } = accepted(recordRequests(bytes));
  expect(events[0]).not.toContain('upgrade=');
  expect(forwarded).toBe(get('X: y'));
  const both = accepted(recordRequests(get('Connection: upgrade', 'Upgrade: h2c, websocket')));
  expect(both.events[0]).toContain('upgrade=websocket');
});

row(57, 'CONNECT is off unless allowed, takes no body, and its target is host and port', () => {
  const bytes = head('CONNECT b:443 HTTP/1.1', 'Host: a');
  expectNothingForwarded(bytes, '405 connect-not-allowed');
  const limits = { allowConnect: true };
  expect(accepted(recordRequests(bytes, { limits })).forwarded).toBe('CONNECT b:443 HTTP/1.1\r\nhost: b:443\r\n\r\n');
  for (const line of ['Content-Length: 0', 'Content-Length: 5', 'Transfer-Encoding: chunked']) {
    expectNothingForwarded(head('CONNECT b:443 HTTP/1.1', 'Host: b', line), '400 connect-with-body', { limits });
  }
});

row(58, 'Connection and the fields it names are removed', () => {
  const bytes = get('A: 1', 'Connection: a, B ,c-d', 'B: 2', 'a: 3', 'C-D: 4', 'E: 5', 'connection: e', 'F: 6');
  const { events, forwarded } = accepted(recordRequests(bytes));
  expect(events[1]).toBe(
    'fields !host=a | !a=1 | !connection=a, B ,c-d | !b=2 | !a=3 | !c-d=4 | !e=5 | !connection=e | f=6',
  );
  expect(forwarded).toBe(get('F: 6'));
  const many = (count: number): string => Array.from({ length: count }, (_, index) => `x${index}`).join(', ');
  accepted(recordRequests(get(`Connection: ${many(64)}`)));
  expectNothingForwarded(get(`Connection: ${many(65)}`), '400 too-many-connection-options');
  expectNothingForwarded(get('Connection: a b'), '400 invalid-connection-option');
  expectNothingForwarded(get('Connection: "close"'), '400 invalid-connection-option');
  expectNothingForwarded(get('Connection: close\xa0'), '400 invalid-connection-option');
});

row(59, 'naming a field we or a policy rely on in Connection is refused', () => {
  const names = [
    'host',
    'Authorization',
    'x-forwarded-client-cert',
    'content-length',
    'transfer-encoding',
    'X-Forwarded-For',
  ];
  for (const name of [
    ...names,
    'forwarded',
    'cookie',
    'x-weft-not-processed',
    'x-request-id',
    'traceparent',
    'x-envoy-internal',
  ]) {
    expectNothingForwarded(get(`Connection: ${name}`), '400 connection-names-protected-field');
    expectNothingForwarded(get(`Connection: close, ${name}`), '400 connection-names-protected-field');
  }
});

row(59, 'fields added by edits go out although the client named them in Connection', () => {
  const received = headOf(get('Connection: x-ours', 'X-Ours: theirs'));
  const edits = new HeaderEdits();
  edits.add('x-ours', 'ours');
  const text = encodeRequestHead(received, edits, received, 0, { keepAlive: true, upgrade: '' });
  expect(text).toBe('GET / HTTP/1.1\r\nHost: a\r\nx-ours: ours\r\n\r\n');
});

row(60, 'Keep-Alive, Proxy-Connection, TE and Upgrade are never forwarded', () => {
  const lines = [
    'Keep-Alive: timeout=5',
    'Proxy-Connection: keep-alive',
    'TE: trailers',
    'Upgrade: websocket',
    'Connection: close',
  ];
  const { forwarded } = accepted(recordRequests(get(...lines, 'Proxy-Authorization: x', 'Trailer: y')));
  expect(forwarded).toBe(get('Proxy-Authorization: x', 'Trailer: y'));
});

row(65, 'an HTTP/1.0 client closes by default and gets no chunked reply', () => {
  expect(accepted(recordRequests(head('GET / HTTP/1.0', 'Host: a'))).events[0]).toContain('keepAlive=false');
  const kept = accepted(recordRequests(head('GET / HTTP/1.0', 'Host: a', 'Connection: Keep-Alive')));
  expect(kept.events[0]).toContain('keepAlive=true');
  expect(kept.forwarded).toBe('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  expect(accepted(recordRequests(get('Connection: close'))).events[0]).toContain('keepAlive=false');
  const response = { version: 11, status: 200, bodyLength: -1, keepAlive: true, keepAliveTimeoutMs: 0 } as const;
  const { fields } = headOf(get('X: y'));
  const edits = new HeaderEdits();
  const framing = { status: 200, version: 10, keepAlive: true, bodyLength: -1 } as const;
  expect(encodeResponseHead({ ...response, fields }, edits, framing)).toBe(
    'HTTP/1.1 200 OK\r\nX: y\r\nconnection: close\r\n\r\n',
  );
  expect(encodeResponseHead({ ...response, fields }, edits, { ...framing, bodyLength: 3 })).toBe(
    'HTTP/1.1 200 OK\r\nX: y\r\ncontent-length: 3\r\nconnection: keep-alive\r\n\r\n',
  );
  expect(encodeLocalResponseHead(404, [], 0, true, 10)).toContain('connection: keep-alive\r\n');
});

row(66, 'of a valid request and an invalid one behind it, the first is complete and the second refused', () => {
  const { events, fault } = recordRequests(get('X: y') + get('Content-Length: +1'));
  expect(events.filter((event) => event === 'end')).toHaveLength(1);
  expect(fault).toBe('400 invalid-content-length');
});

test('blanks around a value that parsers treat differently are normalised, other lines are copied as they are', () => {
  const { forwarded } = accepted(recordRequests(get('A:1', 'B:  2', 'C: 3 ', 'D:\t4', 'E: 5', 'F:', 'G: ', 'H:  ')));
  expect(forwarded).toBe(get('A:1', 'b: 2', 'c: 3', 'd: 4', 'E: 5', 'F:', 'G: ', 'h: '));
});

test('an HTTP/1.0 request without Host has an empty authority and cannot be encoded until one is given', () => {
  const received = headOf('GET / HTTP/1.0\r\n\r\n');
  const encode = (authority: string): string =>
    encodeRequestHead(received, new HeaderEdits(), { method: 'GET', path: '/', authority }, 0, {
      keepAlive: true,
      upgrade: '',
    });
  expect(() => encode(received.authority)).toThrow(/authority ""/);
  expect(encode('b')).toBe('GET / HTTP/1.1\r\nhost: b\r\n\r\n');
});

test('after stop() in a sink call no further call is made, and reset() there is refused', () => {
  const calls: string[] = [];
  const decoder = new Http1RequestDecoder(
    {
      onRequestHead() {
        calls.push('head');
        expect(() => decoder.reset()).toThrow(/stop\(\)/);
        decoder.stop();
      },
      onRequestBody: () => calls.push('body'),
      onRequestTrailers: () => calls.push('trailers'),
      onRequestEnd: () => calls.push('end'),
    },
    DEFAULT_HTTP1_LIMITS,
  );
  const bytes = Buffer.from(chunkedPost('3\r\nabc\r\n0\r\nT: x\r\n\r\n') + get());
  decoder.decode(bytes, 0, bytes.length);
  expect([calls, decoder.fault]).toEqual([['head'], undefined]);
});

test('a decoder that was reset takes the requests of a new connection', () => {
  const heads: string[] = [];
  const decoder = new Http1RequestDecoder(
    {
      onRequestHead: (received) => heads.push(received.path),
      onRequestBody: () => undefined,
      onRequestTrailers: () => undefined,
      onRequestEnd: () => undefined,
    },
    DEFAULT_HTTP1_LIMITS,
  );
  const broken = Buffer.from('GET /a HTTP/1.1\r\nHost: a\r\nbroken');
  decoder.decode(broken, 0, broken.length);
  expect(decoder.isIdle).toBe(false);
  decoder.reset();
  expect(decoder.isIdle).toBe(true);
  const sound = Buffer.from(head('GET /b HTTP/1.1', 'Host: a'));
  decoder.decode(sound, 0, sound.length);
  expect([heads, decoder.fault, decoder.isIdle]).toEqual([['/b'], undefined, true]);
});

test('nothing is read after a request that asks to close, and the decoder is idle', () => {
  const paths: string[] = [];
  const decoder = new Http1RequestDecoder(
    {
      onRequestHead: (received) => paths.push(received.path),
      onRequestBody: () => undefined,
      onRequestTrailers: () => undefined,
      onRequestEnd: () => undefined,
    },
    DEFAULT_HTTP1_LIMITS,
  );
  const last = get('Connection: close');
  const bytes = Buffer.from(last + head('GET /more HTTP/1.1', 'Host: a'));
  expect(decoder.decode(bytes, 0, bytes.length)).toBe(last.length);
  decoder.finish();
  expect([paths, decoder.fault, decoder.isIdle]).toEqual([['/'], undefined, true]);
});

test('long runs of blanks and of list elements cost no more than their length', () => {
  const blanks = ' '.repeat(25_000);
  accepted(recordRequests(get(`X: a${blanks}b `, `Upgrade: a${blanks}b`, 'Connection: upgrade')));
  expectNothingForwarded(get(`Connection: a${blanks}b`), '400 invalid-connection-option');
  expectNothingForwarded(post([`Transfer-Encoding: a${blanks}b`]), '400 invalid-transfer-encoding');
  expect(() => encodeLocalResponseHead(200, ['x', ` a${blanks}b `], 0, true)).not.toThrow();
});
