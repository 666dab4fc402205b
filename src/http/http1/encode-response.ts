import { type HttpVersion, type ResponseHead, UNKNOWN_LENGTH } from '../head.ts';
import type { HeaderEdits } from '../header-edits.ts';
import type { HeaderFields } from '../header-fields.ts';
import { canonical } from './canonical.ts';
import { checkedName, checkedValue } from './checked-text.ts';
import { Http1Fields } from './field-table.ts';
import { appendAddedFields, appendForeignFields, appendRawFields } from './field-writer.ts';
import { readContentLength } from './framing-fields.ts';
import { statusLine } from './reason-phrase.ts';

/** How a response is to be framed for the client it goes to. */
export interface ResponseFraming {
  readonly status: number;
  /** The client's version: 10 gets no chunked body. */
  readonly version: HttpVersion;
  /** False closes the client's connection after this response. */
  readonly keepAlive: boolean;
  /** UNKNOWN_LENGTH: chunked; towards HTTP/1.0 until close, and the caller closes. */
  readonly bodyLength: number;
  /** HEAD keeps the length that a GET would have declared; a 2xx to CONNECT has none. */
  readonly requestMethod?: string | undefined;
  /** Protocol of a 101. */
  readonly upgrade?: string | undefined;
}

/** What a client that expects it is told before it sends its body. */
export const CONTINUE = 'HTTP/1.1 100 Continue\r\n\r\n';

/**
 * Text of a response head for a downstream client. Framing and connection fields are made anew; hop-by-hop fields and the
 * upstream's reason phrase are left out. Throws NonCanonicalHeadError where an edit cannot be written.
 */
export function encodeResponseHead(head: ResponseHead, edits: HeaderEdits, framing: ResponseFraming): string {
  const text = appendAddedFields(appendFields(statusLine(framing.status), head.fields, edits), edits);
  const framed = text + lengthFields(head.fields, framing) + connectionFields(framing);
  return canonical(`${framed}\r\n`);
}

/** Text of a 1xx response other than 101. Not to be sent to HTTP/1.0 clients. */
export function encodeInformationalHead(head: ResponseHead, edits: HeaderEdits): string {
  const text = appendAddedFields(appendFields(statusLine(head.status), head.fields, edits), edits);
  return canonical(`${text}\r\n`);
}

/** Text of the head of an answer we make ourselves. `pairs` is flat: lower-case name, value, … */
export function encodeLocalResponseHead(
  status: number,
  pairs: readonly string[],
  bodyLength: number,
  keepAlive: boolean,
  version: HttpVersion = 11,
): string {
  let text = statusLine(status);
  for (let pair = 0; pair + 1 < pairs.length; pair += 2) {
    const name = checkedName(pairs[pair] as string);
    text += `${name}: ${checkedValue(name, pairs[pair + 1] as string)}\r\n`;
  }
  const framing: ResponseFraming = { status, version, keepAlive, bodyLength };
  return canonical(`${text}${lengthFields(undefined, framing)}${connectionFields(framing)}\r\n`);
}

function appendFields(text: string, fields: HeaderFields, edits: HeaderEdits): string {
  if (fields instanceof Http1Fields) return appendRawFields(text, fields, edits, 0, -1);
  return appendForeignFields(text, fields, edits);
}

function lengthFields(fields: HeaderFields | undefined, framing: ResponseFraming): string {
  const { status, requestMethod } = framing;
  // RFC 9110 §8.6: never in 1xx, 204 and a 2xx to CONNECT.
  if (status < 200 || status === 204 || (requestMethod === 'CONNECT' && status < 300)) return '';
  if (requestMethod === 'HEAD' || status === 304) return fields === undefined ? '' : declaredLength(fields);
  if (framing.bodyLength >= 0) return `content-length: ${framing.bodyLength}\r\n`;
  return framing.version === 10 ? '' : 'transfer-encoding: chunked\r\n';
}

/** The length of a body that is not sent: informative, and made anew only where it is beyond doubt. */
function declaredLength(fields: HeaderFields): string {
  const value = fields.get('content-length');
  const length = value === undefined ? UNKNOWN_LENGTH : readContentLength(value);
  return typeof length === 'number' && length >= 0 ? `content-length: ${length}\r\n` : '';
}

function connectionFields(framing: ResponseFraming): string {
  if (framing.status === 101) {
    return `connection: upgrade\r\nupgrade: ${checkedValue('upgrade', framing.upgrade ?? '')}\r\n`;
  }
  const lastsUntilClose = framing.version === 10 && framing.bodyLength < 0;
  if (!framing.keepAlive || lastsUntilClose) return 'connection: close\r\n';
  return framing.version === 10 ? 'connection: keep-alive\r\n' : '';
}
