import { expect } from 'vitest';
import { recordRequests } from '../../../test/conformance/http1/record-events.ts';
import {
  accepted,
  chunkedPost,
  expectRefusedRequest,
  get,
  post,
  row,
} from '../../../test/conformance/http1/row-tests.ts';

const END = '0\r\n\r\n';

row(37, 'a chunk size that is not plain hexadecimal is refused', () => {
  for (const size of [
    '',
    '0x5',
    '+5',
    '-5',
    '1_0',
    ' 5',
    '5 ',
    '5Z',
    '\t5',
    '5\t',
    '"5"',
    '5,',
    '\x005',
    '5\xa0',
    'g',
  ]) {
    expectRefusedRequest(chunkedPost(`${size}\r\nabcde\r\n${END}`), '400 invalid-chunk-size');
  }
  for (const size of ['5', '05', '000000005']) {
    expect(accepted(recordRequests(chunkedPost(`${size}\r\nabcde\r\n${END}`))).events).toContain('body abcde');
  }
  expect(accepted(recordRequests(chunkedPost(`A\r\n0123456789\r\na\r\n0123456789\r\n${END}`))).events).toContain(
    'body 01234567890123456789',
  );
});

row(38, 'a chunk size that overflows, or endless leading zeros, are refused', () => {
  for (const size of ['10000000000000', 'fffffffffffffffff', '1'.repeat(100), '0'.repeat(14), '0'.repeat(1 << 20)]) {
    expectRefusedRequest(chunkedPost(`${size}\r\nabcde\r\n${END}`), '400 chunk-size-too-large');
  }
});

row(39, 'chunk lines and chunk data not ended by CR LF are refused', () => {
  for (const lineEnd of ['\n', '\r\r', '\rX', '\r ']) {
    expectRefusedRequest(chunkedPost(`5${lineEnd}abcde\r\n${END}`), '400 invalid-chunk-line-end');
    expectRefusedRequest(chunkedPost(`5\r\nabcde\r\n0${lineEnd}\r\n`), '400 invalid-chunk-line-end');
  }
  for (const dataEnd of ['\n', '\r\r', '\rX', '', 'XX', 'X\r\n', '\n\r']) {
    expectRefusedRequest(chunkedPost(`5\r\nabcde${dataEnd}${END}`), '400 invalid-chunk-data-end');
  }
  for (const last of ['0\r\n\n', '0\r\nX\n\r\n', '0\r\n\rX']) {
    const { fault, events } = recordRequests(chunkedPost(`5\r\nabcde\r\n${last}`));
    expect([fault.slice(0, 3), events.includes('end')]).toEqual(['400', false]);
  }
});

row(40, 'well-formed chunk extensions are accepted and never forwarded', () => {
  for (const extension of [';a', ';a=b', ';a="b"', ';a;b;c=d', ';a="x;\\"y\\\\=z"', ';a=""', ';a="\xe4\t"']) {
    const { forwarded } = accepted(recordRequests(chunkedPost(`3${extension}\r\nabc\r\n0${extension}\r\n\r\n`)));
    expect(forwarded).toBe(post(['transfer-encoding: chunked'], `3\r\nabc\r\n${END}`));
  }
});

row(40, 'malformed chunk extensions are refused', () => {
  const malformed = [
    ';',
    ';;a',
    ';a;',
    ';a=',
    ';a="',
    ';a="b',
    ';a="b"c',
    ';a=b"c"',
    '; a',
    ';a =b',
    ';a= b',
    ';a=b=c',
    ';=b',
  ];
  const controls = [';a\nb', ';a=\x00', ';a="\n"', ';a="\r"', ';a\x7f', ';a="\x00"', ';\xe4'];
  for (const extension of [...malformed, ...controls]) {
    expectRefusedRequest(chunkedPost(`3${extension}\r\nabc\r\n${END}`), '400 invalid-chunk-extension');
  }
});

row(40, 'chunk extensions beyond 1 KiB per chunk or 16 KiB per body are refused', () => {
  const longest = `;a=${'b'.repeat(1021)}`;
  accepted(recordRequests(chunkedPost(`1${longest}\r\nx\r\n${END}`)));
  expectRefusedRequest(chunkedPost(`1${longest}b\r\nx\r\n${END}`), '400 chunk-extension-too-large');
  accepted(recordRequests(chunkedPost(`1${longest}\r\nx\r\n`.repeat(16) + END)));
  expectRefusedRequest(
    chunkedPost(`${`1${longest}\r\nx\r\n`.repeat(16)}1;a\r\nx\r\n${END}`),
    '400 chunk-extension-too-large',
  );
});

row(41, 'trailers are handed over apart from the head, without framing, routing and auth names', () => {
  const forbidden = [
    'Content-Length: 5',
    'Transfer-Encoding: chunked',
    'Host: evil',
    'Authorization: x',
    'Connection: close',
    'Cookie: a=b',
    'X-Forwarded-For: 1.1.1.1',
    'X-Envoy-Internal: true',
    'content_length: 5',
    'TE: trailers',
  ];
  const trailers = ['Checksum: abc', ...forbidden, 'Grpc-Status: 0', ''].join('\r\n');
  const { events, forwarded } = accepted(
    recordRequests(chunkedPost(`3\r\nabc\r\n0\r\n${trailers}\r\n`), {
      limits: { headersWithUnderscores: 'drop' },
    }),
  );
  expect(events).toContain('trailers checksum=abc | grpc-status=0');
  expect(events[1]).toBe('fields !host=a | !transfer-encoding=chunked');
  expect(forwarded).toContain('\r\n0\r\nchecksum: abc\r\ngrpc-status: 0\r\n\r\n');
});

row(41, 'trailers count against limits and are held to the rules of fields', () => {
  const limits = { maxTrailerBytes: 64, maxFields: 3 };
  expectRefusedRequest(chunkedPost(`0\r\nA: ${'b'.repeat(80)}\r\n\r\n`), '431 trailer-too-large', { limits });
  expectRefusedRequest(chunkedPost('0\r\na: b\r\nc: d\r\ne: f\r\ng: h\r\n\r\n'), '431 too-many-fields', { limits });
  expectRefusedRequest(chunkedPost('0\r\na : b\r\n\r\n'), '400 space-in-field-name');
  expectRefusedRequest(chunkedPost('0\r\na: b\r\n c\r\n\r\n'), '400 folded-field');
  expectRefusedRequest(chunkedPost('0\r\na: b\n\r\n'), '400 bare-lf');
  expectRefusedRequest(chunkedPost('0\r\nGET / HTTP/1.1\r\n\r\n'), '400 space-in-field-name');
});

row(42, 'bytes after the last chunk are the next request or refused', () => {
  const next = accepted(recordRequests(chunkedPost(`3\r\nabc\r\n${END}`) + get('X: y')));
  expect(next.events.filter((event) => event === 'end')).toHaveLength(2);
  for (const junk of ['\x00', ' ', '0\r\n\r\n', '{', '\r\n\r\n\r\n']) {
    const { fault, events } = recordRequests(chunkedPost(`3\r\nabc\r\n${END}`) + junk + get());
    expect([fault.slice(0, 1) !== '', events.filter((event) => event === 'end').length], junk).toEqual([true, 1]);
  }
});
