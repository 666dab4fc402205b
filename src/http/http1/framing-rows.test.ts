import { expect } from 'vitest';
import { recordRequests } from '../../../test/conformance/http1/record-events.ts';
import { accepted, expectNothingForwarded, get, head, post, row } from '../../../test/conformance/http1/row-tests.ts';

const CHUNKED_BODY = '3\r\nabc\r\n0\r\n\r\n';

row(1, 'Content-Length with Transfer-Encoding, in any order, is refused', () => {
  const fault = '400 content-length-with-transfer-encoding';
  expectNothingForwarded(post(['Content-Length: 5', 'Transfer-Encoding: chunked'], CHUNKED_BODY), fault);
  expectNothingForwarded(post(['Transfer-Encoding: chunked', 'Content-Length: 5'], CHUNKED_BODY), fault);
  expectNothingForwarded(post(['transfer-encoding: chunked', 'X: y', 'CONTENT-LENGTH: 0'], CHUNKED_BODY), fault);
});

row(2, 'two different Content-Length fields are refused', () => {
  expectNothingForwarded(post(['Content-Length: 5', 'Content-Length: 6'], 'abcdef'), '400 repeated-content-length');
});

row(3, 'two equal Content-Length fields, or a list, are refused', () => {
  expectNothingForwarded(post(['Content-Length: 5', 'Content-Length: 5'], 'abcde'), '400 repeated-content-length');
  expectNothingForwarded(post(['Content-Length: 5, 5'], 'abcde'), '400 invalid-content-length');
  expectNothingForwarded(post(['Content-Length: 5,5'], 'abcde'), '400 invalid-content-length');
});

row(4, 'Content-Length of anything but digits is refused', () => {
  for (const value of [
    '+5',
    '-5',
    '-0',
    '0x5',
    '5_0',
    '5 0',
    '5Z',
    '5.',
    '',
    '5,',
    '5\t0',
    '\xb2',
    '5\xa0',
    '1e1',
    '"5"',
  ]) {
    expectNothingForwarded(post([`Content-Length: ${value}`], 'abcde'), '400 invalid-content-length');
  }
});

row(5, 'Content-Length with leading zeros is refused', () => {
  for (const value of ['010', '00', '005', '000000000000005']) {
    expectNothingForwarded(post([`Content-Length: ${value}`], 'abcde'), '400 invalid-content-length');
  }
});

row(6, 'Content-Length of more than 15 digits is refused; 15 digits are exact', () => {
  for (const value of ['9007199254740992', '1000000000000000', '18446744073709551621', '9'.repeat(400)]) {
    expectNothingForwarded(post([`Content-Length: ${value}`], 'abcde'), '400 content-length-too-large');
  }
  const largest = recordRequests(post(['Content-Length: 999999999999999'], 'abc'));
  expect(largest.events[0]).toContain(' 999999999999999 ');
  expect(largest.forwarded).toContain('content-length: 999999999999999\r\n');
});

row(7, 'Content-Length fields that differ in case count as repeated', () => {
  expectNothingForwarded(post(['Content-Length: 5', 'content-length: 5'], 'abcde'), '400 repeated-content-length');
  expectNothingForwarded(post(['CONTENT-LENGTH: 5', 'cOnTeNt-LeNgTh: 9'], 'abcde'), '400 repeated-content-length');
});

row(8, 'Transfer-Encoding in HTTP/1.0 is refused', () => {
  const bytes = head('POST / HTTP/1.0', 'Host: a', 'Transfer-Encoding: chunked') + CHUNKED_BODY;
  expectNothingForwarded(bytes, '400 transfer-encoding-in-http10');
});

row(9, 'a Transfer-Encoding in which chunked is not last is refused', () => {
  for (const value of ['chunked, gzip', 'chunked,identity', 'gzip, chunked, br']) {
    expectNothingForwarded(post([`Transfer-Encoding: ${value}`], CHUNKED_BODY), '400 invalid-transfer-encoding');
  }
});

row(10, 'an unknown Transfer-Encoding is answered 501', () => {
  for (const value of ['xchunked', 'identity', 'chunk', 'cow', '"chunked"', "'chunked'", 'chunkedx', 'gzip']) {
    expectNothingForwarded(post([`Transfer-Encoding: ${value}`], CHUNKED_BODY), '501 unsupported-transfer-encoding');
  }
});

row(11, '`gzip, chunked` is answered 501', () => {
  for (const value of ['gzip, chunked', 'gzip,chunked', 'identity, chunked']) {
    expectNothingForwarded(post([`Transfer-Encoding: ${value}`], CHUNKED_BODY), '501 unsupported-transfer-encoding');
  }
});

row(12, 'chunked twice, in one field or two, is refused', () => {
  for (const value of ['chunked, chunked', 'chunked,chunked', 'Chunked, cHUNKED']) {
    expectNothingForwarded(post([`Transfer-Encoding: ${value}`], CHUNKED_BODY), '400 invalid-transfer-encoding');
  }
  const twice = post(['Transfer-Encoding: chunked', 'transfer-encoding: chunked'], CHUNKED_BODY);
  expectNothingForwarded(twice, '400 repeated-transfer-encoding');
  const masked = post(['Transfer-Encoding: identity', 'Transfer-Encoding: chunked'], CHUNKED_BODY);
  expectNothingForwarded(masked, '400 repeated-transfer-encoding');
});

row(13, 'empty list elements and parameters in Transfer-Encoding are refused', () => {
  for (const value of [
    ',chunked',
    'chunked,',
    'chunked;x=1',
    ', chunked',
    'chunked ; q=1',
    '',
    ',',
    'gzip;q=1, chunked',
  ]) {
    expectNothingForwarded(post([`Transfer-Encoding: ${value}`], CHUNKED_BODY), '400 invalid-transfer-encoding');
  }
});

row(14, 'Transfer-Encoding with a control or high byte anywhere is refused', () => {
  for (const byte of ['\x0b', '\x0c', '\x00', '\x01', '\x7f', '\x1f']) {
    for (const value of [`${byte}chunked`, `chunked${byte}`, `chun${byte}ked`]) {
      expectNothingForwarded(post([`Transfer-Encoding: ${value}`], CHUNKED_BODY), '400 invalid-field-value');
    }
  }
  for (const byte of ['\xa0', '\x85', '\xff', '\x80']) {
    for (const value of [`${byte}chunked`, `chunked${byte}`, `chun${byte}ked`]) {
      expectNothingForwarded(post([`Transfer-Encoding: ${value}`], CHUNKED_BODY), '400 invalid-transfer-encoding');
    }
  }
});

row(15, 'chunked in any case and with blanks around it is accepted and written as `chunked`', () => {
  for (const value of ['cHuNkEd', 'chunked ', 'CHUNKED\t', ' \t chunked']) {
    const { events, forwarded } = accepted(recordRequests(post([`Transfer-Encoding: ${value}`], CHUNKED_BODY)));
    expect(events).toContain('body abc');
    expect(forwarded).toBe(`POST / HTTP/1.1\r\nHost: a\r\ntransfer-encoding: chunked\r\n\r\n${CHUNKED_BODY}`);
  }
});

row(46, 'a body of GET, HEAD, OPTIONS or DELETE by Content-Length is read and forwarded, never left behind', () => {
  for (const method of ['GET', 'HEAD', 'OPTIONS', 'DELETE', 'TRACE']) {
    const inner = get('X: smuggled');
    const bytes = head(`${method} / HTTP/1.1`, 'Host: a', `Content-Length: ${inner.length}`) + inner + get();
    const { events, forwarded } = accepted(recordRequests(bytes));
    expect(events.filter((event) => event.startsWith('head'))).toHaveLength(2);
    expect(events).toContain(`body ${inner}`);
    expect(forwarded).toContain(`content-length: ${inner.length}\r\n\r\n${inner}`);
  }
});

row(47, 'a chunked body of GET, HEAD, OPTIONS or DELETE is read and forwarded, never left behind', () => {
  for (const method of ['GET', 'HEAD', 'OPTIONS', 'DELETE', 'TRACE']) {
    const bytes = head(`${method} / HTTP/1.1`, 'Host: a', 'Transfer-Encoding: chunked') + CHUNKED_BODY + get();
    const { events, forwarded } = accepted(recordRequests(bytes));
    expect(events.filter((event) => event.startsWith('head'))).toHaveLength(2);
    expect(forwarded).toContain(`transfer-encoding: chunked\r\n\r\n${CHUNKED_BODY}`);
  }
});
