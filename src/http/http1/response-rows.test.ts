import { expect, test } from 'vitest';
import { recordResponses } from '../../../test/conformance/http1/record-events.ts';
import { accepted, expectRefusedResponse, head, ok, row } from '../../../test/conformance/http1/row-tests.ts';
import { DEFAULT_HTTP1_LIMITS, Http1ResponseDecoder, type Http1ResponseSink } from './http1.ts';

const CHUNKED_BODY = '3\r\nabc\r\n0\r\n\r\n';

function silentSink(overrides: Partial<Http1ResponseSink>): Http1ResponseSink {
  const ignore = (): void => undefined;
  return {
    onInformational: ignore,
    onResponseHead: ignore,
    onResponseBody: ignore,
    onResponseTrailers: ignore,
    onResponseEnd: ignore,
    ...overrides,
  };
}

row(44, 'an upstream that stops in the middle of a message leaves an aborted response, never a completed one', () => {
  const unfinished: [string, string][] = [
    ['', '502 closed-before-response'],
    ['HTTP/1.1 200 OK\r\nA', '502 truncated-head'],
    [head('HTTP/1.1 100 Continue'), '502 truncated-head'],
    [ok(['Content-Length: 5'], 'abcd'), '502 truncated-body'],
    [ok(['Transfer-Encoding: chunked'], '3\r\nabc\r\n'), '502 truncated-body'],
    [ok(['Transfer-Encoding: chunked'], '3\r\nabc\r\n0\r\n'), '502 truncated-body'],
  ];
  for (const [bytes, fault] of unfinished) expectRefusedResponse(bytes, fault, { finish: true });
});

row(44, 'a response without declared length ends with its connection', () => {
  const open = recordResponses(ok(['X: y'], 'abc'));
  expect([open.fault, open.events.includes('end')]).toEqual(['', false]);
  const closed = accepted(recordResponses(ok(['X: y'], 'abc'), { finish: true }));
  expect(closed.events).toEqual(['head 200 -1 keepAlive=false 0', 'fields x=y', 'body abc', 'end']);
});

row(50, 'bytes beyond the message refuse the connection before it can be reused', () => {
  const bytes = ok(['Content-Length: 1'], 'a') + ok(['Content-Length: 4', 'X: smuggled'], 'evil');
  const { events, fault } = recordResponses(bytes, { methods: ['GET', 'GET'] });
  expect(events).toEqual([
    'head 200 1 keepAlive=true 0',
    'fields !content-length=1',
    'body a',
    'end, connection refused',
  ]);
  expect(fault).toBe('0 unexpected-bytes');
});

row(50, 'bytes on an idle connection refuse it, and it expects nothing more', () => {
  const decoder = new Http1ResponseDecoder(silentSink({}), DEFAULT_HTTP1_LIMITS);
  const bytes = Buffer.from(ok(['Content-Length: 0']));
  expect(decoder.decode(bytes, 0, bytes.length)).toBe(0);
  expect([decoder.fault?.reason, decoder.isIdle]).toEqual(['unexpected-bytes', false]);
  expect(() => decoder.expect('GET')).toThrow(/isIdle/);
});

row(51, 'HEAD, 204, 304 and 1xx have no body whatever they declare; surplus refuses the connection', () => {
  const bodyless: [string, string][] = [
    ['HTTP/1.1 204 No Content', 'GET'],
    ['HTTP/1.1 304 Not Modified', 'GET'],
    ['HTTP/1.1 200 OK', 'HEAD'],
  ];
  for (const [line, method] of bodyless) {
    for (const declared of ['Content-Length: 3', 'Transfer-Encoding: chunked', 'X: y']) {
      const sound = accepted(recordResponses(head(line, declared), { methods: [method] }));
      expect(sound.events.at(-1)).toBe('end');
      expect(sound.events[0]).toContain(' 0 keepAlive=true');
      const surplus = recordResponses(`${head(line, declared)}abc`, { methods: [method] });
      expect([surplus.fault, surplus.events.at(-1)]).toEqual(['0 unexpected-bytes', 'end, connection refused']);
      expect(surplus.events.some((event) => event.startsWith('body'))).toBe(false);
    }
  }
  expectRefusedResponse(
    `${head('HTTP/1.1 103 Early Hints', 'Content-Length: 3')}abc${ok([])}`,
    '502 malformed-status-line',
  );
});

row(51, 'the length a HEAD or 304 response declares is kept, none is written for 204', () => {
  const declared = head('HTTP/1.1 200 OK', 'A: b', 'Content-Length: 3');
  expect(accepted(recordResponses(declared, { methods: ['HEAD'] })).forwarded).toBe(
    head('HTTP/1.1 200 OK', 'A: b', 'content-length: 3'),
  );
  expect(accepted(recordResponses(head('HTTP/1.1 304 x', 'Content-Length: 3'))).forwarded).toBe(
    head('HTTP/1.1 304 Not Modified', 'content-length: 3'),
  );
  expect(accepted(recordResponses(head('HTTP/1.1 204 x', 'Content-Length: 0'))).forwarded).toBe(
    head('HTTP/1.1 204 No Content'),
  );
  expect(
    accepted(recordResponses(head('HTTP/1.1 200 x', 'Transfer-Encoding: chunked'), { methods: ['HEAD'] })).forwarded,
  ).toBe('HTTP/1.1 200 OK\r\n\r\n');
});

row(52, 'a response with both framings, a bad length, two lengths or an unknown coding is a bad gateway', () => {
  expectRefusedResponse(
    ok(['Content-Length: 3', 'Transfer-Encoding: chunked'], CHUNKED_BODY),
    '502 content-length-with-transfer-encoding',
  );
  for (const value of ['+3', '3, 3', '03', '', '0x3', '3 3']) {
    expectRefusedResponse(ok([`Content-Length: ${value}`], 'abc'), '502 invalid-content-length');
  }
  expectRefusedResponse(ok(['Content-Length: 3', 'content-length: 3'], 'abc'), '502 repeated-content-length');
  expectRefusedResponse(ok(['Content-Length: 9999999999999999'], 'abc'), '502 content-length-too-large');
  expectRefusedResponse(ok(['Transfer-Encoding: gzip, chunked'], CHUNKED_BODY), '502 unsupported-transfer-encoding');
  expectRefusedResponse(
    ok(['Transfer-Encoding: chunked', 'Transfer-Encoding: chunked'], CHUNKED_BODY),
    '502 repeated-transfer-encoding',
  );
  expectRefusedResponse(
    head('HTTP/1.0 200 OK', 'Transfer-Encoding: chunked') + CHUNKED_BODY,
    '502 transfer-encoding-in-http10',
  );
});

row(53, 'informational responses are passed on, at most 16 of them', () => {
  const hints = head('HTTP/1.1 103 Early Hints', 'Link: </a>');
  const { events, forwarded } = accepted(
    recordResponses(head('HTTP/1.1 100 Continue') + hints + ok(['Content-Length: 0'])),
  );
  expect(events.slice(0, 2)).toEqual(['informational 100 ', 'informational 103 link=</a>']);
  expect(forwarded.startsWith(head('HTTP/1.1 100 Continue') + hints)).toBe(true);
  accepted(recordResponses(hints.repeat(16) + ok(['Content-Length: 0'])));
  expectRefusedResponse(hints.repeat(17) + ok(['Content-Length: 0']), '502 too-many-informational-responses');
});

row(53, 'HTTP/1.0 knows no 1xx: one in its name is a bad gateway', () => {
  for (const line of ['HTTP/1.0 100 Continue', 'HTTP/1.0 103 x']) {
    expectRefusedResponse(head(line) + ok(['Content-Length: 0']), '502 informational-response-in-http10');
  }
});

row(53, 'an informational response that asks to close is a bad gateway', () => {
  const bytes = head('HTTP/1.1 100 Continue', 'Connection: close') + ok(['Content-Length: 0']);
  expectRefusedResponse(bytes, '502 informational-response-with-close');
});

row(53, 'a 101 nobody asked for, or to another protocol, is a bad gateway', () => {
  const switched = head('HTTP/1.1 101 Switching Protocols', 'Connection: upgrade', 'Upgrade: websocket');
  expectRefusedResponse(switched, '502 unasked-protocol-switch');
  expectRefusedResponse(switched, '502 unasked-protocol-switch', { upgrade: 'other' });
  expectRefusedResponse(head('HTTP/1.1 101 x'), '502 unasked-protocol-switch', { upgrade: 'websocket' });
});

row(55, 'after the 101 that was asked for, bytes are the tunnel’s and stay with the caller', () => {
  const switched = head('HTTP/1.1 101 x', 'Connection: Upgrade', 'Upgrade: WebSocket', 'Sec-WebSocket-Accept: k');
  const { events, fault, bytesUsed, forwarded } = recordResponses(`${switched}\x81\x00`, { upgrade: 'websocket' });
  expect([events[0], fault, bytesUsed]).toEqual(['head 101 0 keepAlive=true 0', '', switched.length]);
  expect(forwarded).toBe(
    head('HTTP/1.1 101 Switching Protocols', 'Sec-WebSocket-Accept: k', 'connection: upgrade', 'upgrade: websocket'),
  );
});

row(55, 'a 200 to an upgrade request stays HTTP', () => {
  const { events } = accepted(recordResponses(ok(['Content-Length: 1'], 'a'), { upgrade: 'websocket' }));
  expect(events.at(-1)).toBe('end');
});

row(57, 'a 2xx to CONNECT opens a tunnel whatever length it declares; any other status stays HTTP', () => {
  const opened = recordResponses(`${ok(['Content-Length: 5'])}bytes`, { methods: ['CONNECT'] });
  expect([opened.fault, opened.bytesUsed, opened.events.includes('end')]).toEqual([
    '',
    ok(['Content-Length: 5']).length,
    false,
  ]);
  expect(opened.forwarded).toBe('HTTP/1.1 200 OK\r\n\r\n');
  const refused = head('HTTP/1.1 403 Forbidden', 'Content-Length: 2');
  expect(accepted(recordResponses(`${refused}no`, { methods: ['CONNECT'] })).events.at(-1)).toBe('end');
});

row(58, 'Connection and the fields it names are removed from responses too', () => {
  const { forwarded } = accepted(recordResponses(ok(['A: 1', 'Connection: a, close', 'B: 2', 'Content-Length: 0'])));
  expect(forwarded).toBe(ok(['B: 2', 'content-length: 0']));
});

row(63, 'Set-Cookie is never joined', () => {
  const lines = ['Set-Cookie: a=1', 'Set-Cookie: b=2', 'X: y', 'set-cookie: c=3'];
  expect(accepted(recordResponses(ok([...lines, 'content-length: 0']))).forwarded).toBe(
    ok([...lines, 'content-length: 0']),
  );
});

row(17, 'a response may use underscores whatever the policy for requests, but not for framing names', () => {
  const limits = { headersWithUnderscores: 'reject' } as const;
  accepted(recordResponses(ok(['my_field: 1', 'Content-Length: 0']), { limits }));
  expectRefusedResponse(ok(['content_length: 5', 'Content-Length: 0']), '502 underscore-in-field-name', { limits });
});

row(67, 'CR, LF, NUL or another control in a response field or status line is a bad gateway', () => {
  for (const value of ['a\rb', 'a\nb', 'a\x00b', 'a\x7fb', 'a\x01b']) {
    const inField = recordResponses(ok([`X: ${value}`, 'Content-Length: 0']));
    expect([inField.fault.slice(0, 3), inField.forwarded]).toEqual(['502', '']);
    const inReason = recordResponses(head(`HTTP/1.1 200 ${value}`, 'Content-Length: 0'));
    expect([inReason.fault.slice(0, 3), inReason.forwarded]).toEqual(['502', '']);
  }
});

test('status lines that are not exactly HTTP/1.x and three digits are refused', () => {
  const malformed = [
    'HTTP/1.2 200 OK',
    'HTTP/2 200',
    'http/1.1 200 OK',
    'HTTP/1.1  200 OK',
    'HTTP/1.1 20 OK',
    'HTTP/1.1 2000 OK',
    'ICY 200 OK',
    ' HTTP/1.1 200 OK',
  ];
  for (const line of malformed) expectRefusedResponse(head(line, 'Content-Length: 0'), '502 malformed-status-line');
  for (const line of ['HTTP/1.1 099 x', 'HTTP/1.1 600 x', 'HTTP/1.1 000 x']) {
    expectRefusedResponse(head(line, 'Content-Length: 0'), '502 status-out-of-range');
  }
  for (const line of ['HTTP/1.1 200', 'HTTP/1.1 200 ', 'HTTP/1.0 299 \xe4\t!']) {
    expect(accepted(recordResponses(head(line, 'Content-Length: 0'))).events.at(-1)).toBe('end');
  }
});

test('keepAlive and the upstream’s keep-alive timeout are reported', () => {
  const first = (lines: string[], line = 'HTTP/1.1 200 OK'): string | undefined =>
    accepted(recordResponses(head(line, ...lines, 'Content-Length: 0'))).events[0];
  expect(first(['Connection: keep-alive', 'Keep-Alive: timeout=5, max=100'])).toBe('head 200 0 keepAlive=true 5000');
  expect(first(['Keep-Alive: max=1, timeout=70'])).toBe('head 200 0 keepAlive=true 70000');
  expect(first(['Connection: close'])).toBe('head 200 0 keepAlive=false 0');
  expect(first([], 'HTTP/1.0 200 OK')).toBe('head 200 0 keepAlive=false 0');
  expect(first(['Connection: keep-alive'], 'HTTP/1.0 200 OK')).toBe('head 200 0 keepAlive=true 0');
});

test('responses of one connection follow each other, one expect each', () => {
  const ended: number[] = [];
  const decoder = new Http1ResponseDecoder(
    silentSink({
      onResponseHead: (received) => ended.push(received.status),
      onResponseEnd: () => ended.push(0),
    }),
    DEFAULT_HTTP1_LIMITS,
  );
  const first = Buffer.from(ok(['Transfer-Encoding: chunked'], CHUNKED_BODY));
  const second = Buffer.from(head('HTTP/1.1 404 x', 'Content-Length: 2'));
  decoder.expect('GET');
  expect(decoder.isUnanswered).toBe(true);
  expect(() => decoder.expect('GET')).toThrow(/isIdle/);
  decoder.decode(first, 0, first.length);
  expect([decoder.isIdle, decoder.isUnanswered]).toEqual([true, false]);
  decoder.expect('GET');
  decoder.decode(second, 0, 9);
  expect(decoder.isUnanswered).toBe(false);
  decoder.decode(second, 9, second.length);
  expect([ended, decoder.isIdle]).toEqual([[200, 0, 404], false]);
});
