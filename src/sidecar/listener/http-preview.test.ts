import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type HttpPreview, previewHttp } from './http-preview.ts';

function preview(text: string): HttpPreview {
  return previewHttp(Buffer.from(text, 'latin1'));
}

describe('the first line of a connection', () => {
  it.each([
    ['GET / HTTP/1.1\r\nhost: a', 'http/1.1'],
    ['GET / HTTP/1.0\r\n', 'http/1.0'],
    ['M-SEARCH * HTTP/1.1\r\n', 'http/1.1'],
    ['PRI / HTTP/1.1\r\n', 'http/1.1'],
    ['PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'h2c'],
  ])('%j is %s', (text, protocol) => {
    expect(preview(text)).toEqual({ kind: 'http', protocol });
  });

  it.each([
    '\x16\x03\x01\x02',
    '\x00',
    ' GET / HTTP/1.1\r\n',
    '*1\r\n$4\r\nPING\r\n',
    'SSH-2.0-OpenSSH_9.2\r\n',
    'GET / HTTP/2.0\r\n',
    'GET / HTTP/1.12\r\n',
    'GET /\r\n',
    'PRI * HTTP/2.0\r\n\r\nSM\r\n\rX',
    'x'.repeat(40),
    `GET /${'x'.repeat(16_384)}`,
  ])('%j is not HTTP', (text) => {
    expect(preview(text)).toEqual({ kind: 'notHttp' });
  });

  it('is judged the same wherever it is cut', () => {
    const lines = fc.constantFrom(
      'GET /a?b HTTP/1.1\r\nhost: x\r\n\r\n',
      'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0',
      'EHLO example.com\r\nmore',
      `${'m'.repeat(33)} / HTTP/1.1\r\n`,
    );
    fc.assert(
      fc.property(lines, fc.nat(60), (line, cut) => {
        const part = preview(line.slice(0, cut));
        if (part.kind === 'incomplete') expect(part.neededBytes).toBe(Math.min(cut, line.length) + 1);
        else expect(part).toEqual(preview(line));
      }),
    );
  });
});
