import { expect } from 'vitest';
import { recordRequests } from '../../../test/conformance/http1/record-events.ts';
import { accepted, expectNothingForwarded, get, head, row } from '../../../test/conformance/http1/row-tests.ts';

function line(requestLine: string): string {
  return head(requestLine, 'Host: a');
}

row(26, 'a request line that is not `method SP target SP version` is refused', () => {
  const malformed = [
    'GET  / HTTP/1.1',
    'GET /  HTTP/1.1',
    'GET\t/ HTTP/1.1',
    'GET /\tHTTP/1.1',
    ' GET / HTTP/1.1',
    'GET / HTTP/1.1 ',
    'GET / HTTP/1.1\t',
    'GET /a b HTTP/1.1',
    'GET / x HTTP/1.1',
    'GET /',
    'GET',
    'GET / ',
    ' ',
    '/ HTTP/1.1',
  ];
  for (const requestLine of malformed) {
    const { fault, forwarded } = recordRequests(line(requestLine));
    expect([fault.slice(0, 3), forwarded], requestLine).toEqual(['400', '']);
  }
  expectNothingForwarded('GET /\nHTTP/1.1\r\nHost: a\r\n\r\n', '400 bare-lf');
});

row(27, 'a method that is not an upper-case token of 32 bytes is refused; `get` is not GET', () => {
  for (const method of ['get', 'Get', 'GEt', 'G!T', "G'T", '-GET', '0', '_GET']) {
    expectNothingForwarded(line(`${method} / HTTP/1.1`), '501 method-not-canonical');
  }
  for (const method of ['G(T', 'G@T', '\x80GET', 'G"T', 'GET:', 'G\x00T']) {
    expectNothingForwarded(line(`${method} / HTTP/1.1`), '400 method-not-a-token');
  }
  expectNothingForwarded(line(`${'G'.repeat(33)} / HTTP/1.1`), '501 method-too-long');
  expectNothingForwarded('G'.repeat(33), '501 method-too-long');
  for (const method of ['GETX', 'M-SEARCH', 'G'.repeat(32)]) {
    expect(accepted(recordRequests(line(`${method} / HTTP/1.1`))).events[0]).toContain(`head ${method} `);
  }
});

row(28, 'any version but HTTP/1.0 and HTTP/1.1 is refused', () => {
  for (const version of ['HTTP/0.9', 'HTTP/1.2', 'HTTP/2.0', 'HTTP/3.0', 'HTTP/1.9']) {
    expectNothingForwarded(line(`GET / ${version}`), '505 unsupported-version');
  }
  for (const version of [
    'HTTP/1',
    'HTTP/01.01',
    'HTTP/1.01',
    'http/1.1',
    'HTTP/1.1.1',
    'HTTP/1,1',
    'XTTP/1.1',
    'HTTP/11',
  ]) {
    expectNothingForwarded(line(`GET / ${version}`), '400 malformed-version');
  }
  expectNothingForwarded(line('GET /'), '400 malformed-version');
});

row(28, 'HTTP/1.0 is answered 426 where it is not accepted', () => {
  expectNothingForwarded(line('GET / HTTP/1.0'), '426 http10-not-accepted', { limits: { acceptHttp10: false } });
});

row(29, 'Host missing or twice is refused', () => {
  expectNothingForwarded(head('GET / HTTP/1.1', 'X: y'), '400 missing-host');
  expectNothingForwarded(head('GET http://a/ HTTP/1.1', 'X: y'), '400 missing-host');
  expectNothingForwarded(get('Host: a'), '400 repeated-host');
  expectNothingForwarded(get('hOsT: b'), '400 repeated-host');
});

row(29, 'Host that is a list, empty, or has userinfo, path, NUL or a bad port is refused', () => {
  const invalid = [
    'a, b',
    'a,b',
    '',
    'user@a',
    'a/b',
    'a/',
    'a:',
    'a:x',
    'a:65536',
    'a:-1',
    'a:1:2',
    'a:080808',
    'a b',
    'a?',
    'a#b',
  ];
  const oddities = [
    'a\\b',
    'a%00',
    '\xe4.example',
    '[::1',
    '::1',
    '[]',
    '[::1]x',
    '[::1]:',
    '[g::1]',
    ':80',
    'a;b',
    'http://a',
  ];
  for (const host of [...invalid, ...oddities]) {
    expectNothingForwarded(head('GET / HTTP/1.1', `Host: ${host}`), '400 invalid-host');
  }
  expectNothingForwarded(head('GET / HTTP/1.1', 'Host: a\x00b'), '400 invalid-field-value');
  for (const host of [
    'a',
    'a.example:8080',
    '127.0.0.1',
    '[::1]:80',
    '[fe80::1]',
    'under_score.example',
    'a.',
    'A-b.C',
    'a:0',
  ]) {
    expect(accepted(recordRequests(head('GET / HTTP/1.1', `Host: ${host}`))).events[0]).toContain(` ${host} `);
  }
});

row(30, 'the authority of an absolute target replaces Host, and that one value is forwarded', () => {
  for (const host of ['b', 'a', 'a:80']) {
    const bytes = head('GET http://a/x?y HTTP/1.1', `Host: ${host}`);
    const { events, forwarded } = accepted(recordRequests(bytes));
    expect(events[0]).toContain('head GET a /x?y ');
    expect(forwarded).toBe('GET /x?y HTTP/1.1\r\nhost: a\r\n\r\n');
  }
  const query = accepted(recordRequests(head('GET HTTP://A:81?q=1 HTTP/1.1', 'Host: b')));
  expect(query.forwarded).toBe('GET /?q=1 HTTP/1.1\r\nhost: A:81\r\n\r\n');
  for (const target of ['http:///x', 'http://u@a/', 'http://a:99999/', 'http://a,b/']) {
    expectNothingForwarded(line(`GET ${target} HTTP/1.1`), '400 invalid-host');
  }
  for (const target of ['ftp://a/', 'file:///etc/passwd', 'http:/a', 'javascript:x', 'a', 'a/b', '?x', '*x', '']) {
    const { fault, forwarded } = recordRequests(line(`GET ${target} HTTP/1.1`));
    expect([fault.slice(0, 3), forwarded], target).toEqual(['400', '']);
  }
});

row(31, 'authority-form is for CONNECT only, `*` for OPTIONS only', () => {
  expectNothingForwarded(line('GET a:80 HTTP/1.1'), '400 target-form-not-allowed');
  expectNothingForwarded(line('GET * HTTP/1.1'), '400 target-form-not-allowed');
  expectNothingForwarded(line('CONNECT a:80 HTTP/1.1'), '405 connect-not-allowed');
  for (const target of ['/', '*', 'a', 'http://a:80/', 'a:80/', 'a:']) {
    expectNothingForwarded(line(`CONNECT ${target} HTTP/1.1`), '400 target-form-not-allowed', {
      limits: { allowConnect: true },
    });
  }
  expect(accepted(recordRequests(line('OPTIONS * HTTP/1.1'))).forwarded).toBe('OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n');
  expect(accepted(recordRequests(line('OPTIONS http://b HTTP/1.1'))).forwarded).toBe(
    'OPTIONS * HTTP/1.1\r\nhost: b\r\n\r\n',
  );
  expect(accepted(recordRequests(line('OPTIONS http://b/ HTTP/1.1'))).forwarded).toBe(
    'OPTIONS / HTTP/1.1\r\nhost: b\r\n\r\n',
  );
});

row(32, '`#`, raw high bytes and controls in the target are refused', () => {
  for (let byte = 0; byte <= 0xff; byte += 1) {
    const character = String.fromCharCode(byte);
    const isAllowed = byte > 0x20 && byte < 0x7f && character !== '#';
    const { fault, forwarded } = recordRequests(line(`GET /a${character}b HTTP/1.1`));
    expect([fault === '', forwarded !== ''], `byte ${byte} in the target`).toEqual([isAllowed, isAllowed]);
  }
});

row(33, 'dots, encoded bytes, backslashes and parameters in the path are forwarded unchanged', () => {
  for (const path of ['//', '/../a', '/%2e%2E/', '/a%2fb', '/%5c', '/a\\b', '/a;p=1', '/..;/a', '/%00', '/a?b=/../c']) {
    expect(accepted(recordRequests(line(`GET ${path} HTTP/1.1`))).forwarded).toBe(line(`GET ${path} HTTP/1.1`));
  }
});

row(34, 'a target of 8000 bytes works; beyond the limit 414', () => {
  const target = `/${'a'.repeat(7999)}`;
  expect(accepted(recordRequests(line(`GET ${target} HTTP/1.1`))).events[0]).toContain(target);
  const limits = { maxTargetBytes: 8000 };
  accepted(recordRequests(line(`GET ${target} HTTP/1.1`), { limits }));
  expectNothingForwarded(line(`GET ${target}a HTTP/1.1`), '414 target-too-long', { limits });
  expectNothingForwarded(`GET ${target}a`, '414 target-too-long', { limits });
});

row(34, 'a head beyond 60 KiB or 100 fields is answered 431, and memory stays bounded', () => {
  const fields = Array.from({ length: 99 }, (_, index) => `X-${index}: y`);
  expect(accepted(recordRequests(get(...fields))).forwarded).toBe(get(...fields));
  expectNothingForwarded(get(...fields, 'one: more'), '431 too-many-fields');
  const base = get('X: ').length;
  accepted(recordRequests(get(`X: ${'y'.repeat(60 * 1024 - base)}`)));
  expectNothingForwarded(get(`X: ${'y'.repeat(60 * 1024 - base + 1)}`), '431 head-too-large');
  const endless = recordRequests(`GET / HTTP/1.1\r\nHost: a\r\nX: ${'y'.repeat(1 << 20)}`, {
    cuts: [10, 5000, 50_000],
  });
  expect([endless.fault, endless.bytesUsed]).toEqual(['431 head-too-large', 60 * 1024]);
});

row(35, 'an HTTP/2 preface and a TLS hello are refused at once', () => {
  expectNothingForwarded('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', '400 http2-preface');
  expectNothingForwarded('PRI ', '400 http2-preface');
  expectNothingForwarded('\x16\x03\x01\x02\x00\x01', '400 method-not-a-token');
  expectNothingForwarded('\x16', '400 method-not-a-token');
});

row(36, 'at most two empty lines before a request are accepted', () => {
  for (const lead of ['', '\r\n', '\r\n\r\n']) {
    expect(accepted(recordRequests(lead + get())).forwarded).toBe(get());
    expect(accepted(recordRequests(get() + lead + get())).forwarded).toBe(get() + get());
  }
  expectNothingForwarded(`\r\n\r\n\r\n${get()}`, '400 too-many-empty-lines');
  expectNothingForwarded(`\r${get()}`, '400 bare-cr');
  expectNothingForwarded(`\r\n \r\n${get()}`, '400 method-not-a-token');
});
