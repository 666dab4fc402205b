import { latin1Text } from '../../transport-socket/transport-socket.ts';

/** What the first line of a connection says about its protocol, under the names that filter chains match. */
export type HttpPreview =
  | { readonly kind: 'incomplete'; readonly neededBytes: number }
  | { readonly kind: 'http'; readonly protocol: 'http/1.0' | 'http/1.1' | 'h2c' }
  | { readonly kind: 'notHttp' };

const HTTP2_PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');
const MAX_METHOD_BYTES = 32;
/** A request line longer than this is taken for something else. */
const MAX_LINE_BYTES = 16_384;
const METHOD = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+(?: |$)/;
const LINE = /^\S+ \S+ HTTP\/1\.([01])\r?$/;

/** Looks without consuming. What cannot be a request's first word is known as soon as it is seen. */
export function previewHttp(bytes: Buffer): HttpPreview {
  const prefaceLength = Math.min(bytes.length, HTTP2_PREFACE.length);
  if (prefaceLength > 0 && bytes.compare(HTTP2_PREFACE, 0, prefaceLength, 0, prefaceLength) === 0) {
    return prefaceLength < HTTP2_PREFACE.length
      ? { kind: 'incomplete', neededBytes: bytes.length + 1 }
      : { kind: 'http', protocol: 'h2c' };
  }
  const start = latin1Text(bytes, 0, Math.min(bytes.length, MAX_METHOD_BYTES + 1));
  const isMethod = METHOD.test(start) && (start.length <= MAX_METHOD_BYTES || start.includes(' '));
  if (start !== '' && !isMethod) return { kind: 'notHttp' };
  const lineEnd = bytes.indexOf(0x0a);
  if (lineEnd < 0) {
    if (bytes.length >= MAX_LINE_BYTES) return { kind: 'notHttp' };
    return { kind: 'incomplete', neededBytes: bytes.length + 1 };
  }
  const minor = lineEnd < MAX_LINE_BYTES ? LINE.exec(latin1Text(bytes, 0, lineEnd))?.[1] : undefined;
  if (minor === undefined) return { kind: 'notHttp' };
  return { kind: 'http', protocol: minor === '1' ? 'http/1.1' : 'http/1.0' };
}
