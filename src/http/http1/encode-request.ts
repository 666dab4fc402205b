import type { RequestHead } from '../head.ts';
import type { HeaderEdits } from '../header-edits.ts';
import { canonical } from './canonical.ts';
import { checkedTarget, checkedValue } from './checked-text.ts';
import { appendAddedFields, appendForeignFields, appendRawFields } from './field-writer.ts';
import { Http1RequestHead } from './request-head.ts';

/** The line to write: what a route rewrote, or the head's own strings. `authority` becomes Host. */
export interface RequestLine {
  readonly method: string;
  readonly path: string;
  readonly authority: string;
}

export interface RequestOptions {
  /** False asks the upstream to close after this request. */
  readonly keepAlive: boolean;
  /** Protocol to ask the upstream to switch to, or ''. */
  readonly upgrade: string;
}

/**
 * Text of a request head for an upstream, always HTTP/1.1. Framing, Host and connection fields are made anew whatever was
 * received; hop-by-hop fields are left out. Throws NonCanonicalHeadError where an edit or a rewrite cannot be written.
 */
export function encodeRequestHead(
  head: RequestHead,
  edits: HeaderEdits,
  line: RequestLine,
  bodyLength: number,
  options: RequestOptions,
): string {
  let text = head instanceof Http1RequestHead ? fromHttp1(head, edits, line) : fromForeign(head, edits, line);
  text = appendAddedFields(text, edits);
  if (bodyLength > 0) text += `content-length: ${bodyLength}\r\n`;
  else if (bodyLength < 0) text += 'transfer-encoding: chunked\r\n';
  else if (anticipatesContent(line.method)) text += 'content-length: 0\r\n';
  if (options.upgrade !== '') {
    text += `connection: upgrade\r\nupgrade: ${checkedValue('upgrade', options.upgrade)}\r\n`;
  } else if (!options.keepAlive) text += 'connection: close\r\n';
  return canonical(`${text}\r\n`);
}

function fromHttp1(head: Http1RequestHead, edits: HeaderEdits, line: RequestLine): string {
  const isSameHost = line.authority === head.authority;
  const copyableHost = isSameHost ? head.copyableHostIndex : -1;
  const isSameLine = line.method === head.method && line.path === head.path && head.copyableLineEnd > 0;
  let text = isSameLine ? '' : startLine(line);
  if (isSameLine && copyableHost >= 0) {
    return appendRawFields(text, head.fields, edits, head.copyableLineEnd, copyableHost);
  }
  if (isSameLine) text = head.fields.raw.slice(0, head.copyableLineEnd);
  if (copyableHost < 0) text += `host: ${checkedTarget('authority', line.authority)}\r\n`;
  return appendRawFields(text, head.fields, edits, 0, copyableHost);
}

function fromForeign(head: RequestHead, edits: HeaderEdits, line: RequestLine): string {
  const text = `${startLine(line)}host: ${checkedTarget('authority', line.authority)}\r\n`;
  return appendForeignFields(text, head.fields, edits);
}

function startLine(line: RequestLine): string {
  const target = line.method === 'CONNECT' ? line.authority : line.path;
  return `${checkedTarget('method', line.method)} ${checkedTarget('path', target)} HTTP/1.1\r\n`;
}

/** RFC 9110 §8.6: methods whose empty content is said aloud. */
function anticipatesContent(method: string): boolean {
  return method === 'POST' || method === 'PUT' || method === 'PATCH';
}
