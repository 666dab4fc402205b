import { expect } from 'vitest';
import { recordRequests } from '../../../test/conformance/http1/record-events.ts';
import {
  accepted,
  expectNothingForwarded,
  expectRefusedResponse,
  get,
  head,
  ok,
  row,
} from '../../../test/conformance/http1/row-tests.ts';

row(16, 'a blank before the colon is refused: 400 in a request, 502 in a response', () => {
  for (const line of ['Content-Length : 5', 'X\t: y', 'Transfer-Encoding : chunked', 'Host : b']) {
    expectNothingForwarded(get(line), '400 space-in-field-name');
    expectRefusedResponse(ok([line]), '502 space-in-field-name');
  }
});

row(17, 'an underscore name that aliases a known one is refused under every policy but drop', () => {
  const aliases = [
    'Transfer_Encoding: chunked',
    'Content_Length: 5',
    'x_forwarded_for: 1.1.1.1',
    'Proxy_Connection: close',
  ];
  for (const line of aliases) {
    for (const headersWithUnderscores of ['allow', 'reject'] as const) {
      expectNothingForwarded(get(line), '400 underscore-in-field-name', { limits: { headersWithUnderscores } });
    }
    const dropped = accepted(recordRequests(get('A: 1', line, 'B: 2'), { limits: { headersWithUnderscores: 'drop' } }));
    expect(dropped.forwarded).toBe('GET / HTTP/1.1\r\nHost: a\r\nA: 1\r\nB: 2\r\n\r\n');
  }
});

row(17, 'any underscore name is refused under reject, dropped under drop and forwarded under allow', () => {
  const bytes = get('my_field: 1');
  expectNothingForwarded(bytes, '400 underscore-in-field-name', { limits: { headersWithUnderscores: 'reject' } });
  const dropped = accepted(recordRequests(bytes, { limits: { headersWithUnderscores: 'drop' } }));
  expect(dropped.forwarded).not.toContain('my_field');
  expect(accepted(recordRequests(bytes)).forwarded).toContain('my_field: 1\r\n');
});

row(18, 'a name that is not a token, or empty, is refused', () => {
  const notTokens = [
    'Transfer\\Encoding: x',
    'Tr\x80: x',
    '\xff: x',
    ': x',
    ':',
    'a"b: x',
    'a(b: x',
    'a@b: x',
    'a/b: x',
    'a{: x',
  ];
  for (const line of notTokens) expectNothingForwarded(get(line), '400 invalid-field-name');
  expectNothingForwarded(get('Transfer Encoding: chunked'), '400 space-in-field-name');
  for (let byte = 0; byte <= 0xff; byte += 1) {
    const character = String.fromCharCode(byte);
    if (/[!#$%&'*+\-.^_`|~0-9A-Za-z:]/.test(character)) continue;
    const { fault, forwarded } = recordRequests(get(`a${character}b: x`));
    expect([fault === '', forwarded], `byte ${byte} in a name`).toEqual([false, '']);
  }
});

row(19, 'a field line without a colon, or a name continued on the next line, is refused', () => {
  expectNothingForwarded(get('NoColon'), '400 field-without-colon');
  expectNothingForwarded(get('Transfer-', 'Encoding: chunked'), '400 field-without-colon');
  expectNothingForwarded(head('GET / HTTP/1.1', 'Host'), '400 field-without-colon');
});

row(20, 'a folded line is refused: 400 in a request, 502 in a response', () => {
  for (const fold of [' b', '\tb', ' chunked', ' ']) {
    expectNothingForwarded(get('X: a', fold), '400 folded-field');
    expectNothingForwarded(head('OPTIONS / HTTP/1.1', 'Host: a', 'Transfer-Encoding:', fold), '400 folded-field');
    expectRefusedResponse(ok(['X: a', fold]), '502 folded-field');
  }
});

row(21, 'a line that begins with a blank before the first field is refused', () => {
  expectNothingForwarded(head('GET / HTTP/1.1', ' Host: a'), '400 whitespace-before-first-field');
  expectNothingForwarded(head('GET / HTTP/1.1', '\tX: a', 'Host: a'), '400 whitespace-before-first-field');
});

row(22, 'a bare LF in place of any line end is refused', () => {
  const sound = get('X: y');
  for (let at = sound.indexOf('\r'); at >= 0; at = sound.indexOf('\r', at + 1)) {
    const { fault, forwarded } = recordRequests(sound.slice(0, at) + sound.slice(at + 1));
    expect([fault, forwarded]).toEqual(['400 bare-lf', '']);
  }
  expectNothingForwarded('GET / HTTP/1.1\r\nHost: a\r\nX: y\n\n', '400 bare-lf');
  expectNothingForwarded('GET / HTTP/1.1\r\nHost: a\r\n\n', '400 bare-lf');
  expectNothingForwarded('\nGET / HTTP/1.1\r\nHost: a\r\n\r\n', '400 bare-lf');
});

row(23, 'a bare CR anywhere, CR-only lines and a head ended by CR LF CR X are refused', () => {
  const sound = get('X: y');
  for (let at = 1; at < sound.length; at += 1) {
    if (sound[at - 1] === '\r') continue;
    const { fault, forwarded } = recordRequests(`${sound.slice(0, at)}\r${sound.slice(at)}`);
    expect([fault === '', forwarded], `CR at ${at}`).toEqual([false, '']);
  }
  expectNothingForwarded('GET / HTTP/1.1\rHost: a\r\r', '400 bare-cr');
  expectNothingForwarded('GET / HTTP/1.1\r\nHost: a\r\n\rX', '400 bare-cr');
  expectNothingForwarded('GET / HTTP/1.1\r\nHost: a\r\n\rX: y\r\n\r\n', '400 bare-cr');
});

row(24, 'a NUL or another control byte in a value is refused', () => {
  for (let byte = 0; byte < 0x20; byte += 1) {
    const character = String.fromCharCode(byte);
    if (character === '\t') continue;
    const { fault, forwarded } = recordRequests(get(`X: a${character}b`));
    expect([fault === '', forwarded], `byte ${byte} in a value`).toEqual([false, '']);
  }
  expectNothingForwarded(get('X: a\x7fb'), '400 invalid-field-value');
  expectNothingForwarded(get('X: \x00'), '400 invalid-field-value');
});

row(25, 'bytes 0x80 to 0xff in a value pass unchanged, as do tabs within it', () => {
  const high = Array.from({ length: 128 }, (_, index) => String.fromCharCode(0x80 + index)).join('');
  const { events, forwarded } = accepted(recordRequests(get(`X: a${high}b`, 'Y: a\tb')));
  expect(events[1]).toContain(`x=a${high}b`);
  expect(forwarded).toContain(`X: a${high}b\r\nY: a\tb\r\n`);
});

row(63, 'repeated fields keep their order and are never joined', () => {
  const bytes = get('Accept: a', 'Cookie: x=1', 'accept: b', 'Cookie: y=2', 'ACCEPT: c');
  const { events, forwarded } = accepted(recordRequests(bytes));
  expect(events[1]).toBe('fields !host=a | accept=a | cookie=x=1 | accept=b | cookie=y=2 | accept=c');
  expect(forwarded).toBe(bytes);
});
