import type { RequestHead, ResponseHead } from '../head.ts';
import type { HeaderEdits } from '../header-edits.ts';
import type { HeaderFields } from '../header-fields.ts';
import { NonCanonicalHeadError } from '../http1/checked-text.ts';
import { readContentLength } from '../http1/framing-fields.ts';
import { isForbiddenTrailer } from '../http1/protected-names.ts';
import { FLAG_END_HEADERS, FRAME_HEADER_BYTES, HEADERS } from './frame.ts';
import {
  AUTHORITY,
  CONTENT_LENGTH,
  isFieldName,
  isFieldValue,
  isMadeAnew,
  isSensitive,
  kindOfName,
  METHOD,
  NAME_MASK,
  PATH,
  SCHEME,
  TE,
} from './hpack/field-kind.ts';
import type { HeaderField } from './hpack/header-field.ts';
import type { HpackEncoder } from './hpack/hpack-encoder.ts';
import { fieldOf } from './hpack/static-table.ts';
import { Http2Fields } from './http2-fields.ts';
import { Http2RequestHead } from './http2-heads.ts';
import type { Http2Output } from './output.ts';

/** The line to write: what a route rewrote, or the head's own strings. */
export interface Http2RequestLine {
  readonly method: string;
  readonly path: string;
  readonly authority: string;
  readonly scheme: 'http' | 'https';
  /** Protocol of an upgrade, or '': sent as an extended CONNECT (RFC 8441). */
  readonly upgrade: string;
}

/** How a response is told. `http1`'s framing fits too. */
export interface Http2ResponseFraming {
  readonly status: number;
  readonly bodyLength: number;
  /** HEAD keeps the length that a GET would have declared. */
  readonly requestMethod?: string | undefined;
}

/** Places of the encoder: those of a line are numbered as its names are, behind them come the pairs that edits add. */
const FIRST_PLACE = NAME_MASK + 1;
const PLACE_MASK = 0xf;
const VISIBLE = /^[!"$-~]+$/;
const BLANK_ENDS = /^[ \t]+|[ \t]+$/g;

/**
 * Writes the HEADERS of a request and answers where in the output they begin. Throws NonCanonicalHeadError, with nothing
 * written, where an edit or a rewrite cannot be sent.
 */
export function writeRequestHead(
  encoder: HpackEncoder,
  output: Http2Output,
  streamId: number,
  head: RequestHead,
  edits: HeaderEdits,
  line: Http2RequestLine,
  bodyLength: number,
): number {
  checkLine(head, line);
  checkFields(head.fields, edits);
  const at = beginBlock(encoder, output, streamId);
  const isTunnel = line.upgrade !== '' || line.method === 'CONNECT';
  encoder.placed(output, METHOD, ':method', isTunnel ? 'CONNECT' : line.method);
  if (line.upgrade !== '') encoder.field(output, ':protocol', line.upgrade, false);
  if (line.method !== 'CONNECT') {
    encoder.placed(output, SCHEME, ':scheme', line.scheme);
    encoder.placed(output, PATH, ':path', line.path);
  }
  encoder.placed(output, AUTHORITY, ':authority', line.authority);
  writeFields(encoder, output, head.fields, edits);
  if (!isTunnel && (bodyLength > 0 || (bodyLength === 0 && anticipatesContent(line.method)))) {
    encoder.field(output, 'content-length', String(bodyLength), false);
  }
  output.endHeaderBlock(at, streamId);
  return at;
}

/** The same for a response, informational ones included. `isTunnel`: it grants an upgrade or CONNECT. */
export function writeResponseHead(
  encoder: HpackEncoder,
  output: Http2Output,
  streamId: number,
  head: ResponseHead,
  edits: HeaderEdits,
  framing: Http2ResponseFraming,
  isTunnel: boolean,
): number {
  checkFields(head.fields, edits);
  const at = beginBlock(encoder, output, streamId);
  encoder.known(output, statusField(isTunnel ? 200 : framing.status));
  writeFields(encoder, output, head.fields, edits);
  const length = isTunnel ? '' : lengthText(head.fields, framing);
  if (length !== '') encoder.placed(output, CONTENT_LENGTH, 'content-length', length);
  output.endHeaderBlock(at, streamId);
  return at;
}

/** The head of an answer we make ourselves. `pairs` is flat: lower-case name, value, … */
export function writeLocalResponseHead(
  encoder: HpackEncoder,
  output: Http2Output,
  streamId: number,
  status: number,
  pairs: readonly string[],
  bodyLength: number,
): number {
  checkPairs(pairs);
  const at = beginBlock(encoder, output, streamId);
  encoder.known(output, statusField(status));
  writePairs(encoder, output, pairs, false);
  if (bodyLength >= 0 && status >= 200 && status !== 204 && status !== 304) {
    encoder.field(output, 'content-length', String(bodyLength), false);
  }
  output.endHeaderBlock(at, streamId);
  return at;
}

/** `pairs` as above and checked; what may not be a trailer is passed over. */
export function writeTrailers(
  encoder: HpackEncoder,
  output: Http2Output,
  streamId: number,
  pairs: readonly string[],
): number {
  const at = beginBlock(encoder, output, streamId);
  writePairs(encoder, output, pairs, true);
  output.endHeaderBlock(at, streamId);
  return at;
}

/** Made when first met: there are at most five hundred. */
const statusFields: HeaderField[] = [];

function statusField(status: number): HeaderField {
  const known = statusFields[status];
  if (known !== undefined) return known;
  const field = fieldOf(':status', String(status));
  statusFields[status] = field;
  return field;
}

function beginBlock(encoder: HpackEncoder, output: Http2Output, streamId: number): number {
  output.reserve(FRAME_HEADER_BYTES);
  const at = output.frameHeader(0, HEADERS, FLAG_END_HEADERS, streamId);
  encoder.begin(output);
  return at;
}

function writeFields(encoder: HpackEncoder, output: Http2Output, fields: HeaderFields, edits: HeaderEdits): void {
  if (fields instanceof Http2Fields) writeOwnFields(encoder, output, fields, edits);
  else writeForeignFields(encoder, output, fields, edits);
  writeAddedFields(encoder, output, edits);
}

function writeAddedFields(encoder: HpackEncoder, output: Http2Output, edits: HeaderEdits): void {
  const { addedCount } = edits;
  for (let pair = 0; pair < addedCount; pair += 1) {
    const name = edits.addedName(pair);
    const value = edits.addedValue(pair);
    const place = FIRST_PLACE + (pair & PLACE_MASK);
    if (edits.isAddedUnique(pair)) encoder.unique(output, name, value);
    else if (edits.isAddedChecked(pair)) encoder.placed(output, place, name, value);
    else if (!isMadeAnew(kindOfName(name))) encoder.placed(output, place, name, trimmed(value));
  }
}

function writeOwnFields(encoder: HpackEncoder, output: Http2Output, fields: Http2Fields, edits: HeaderEdits): void {
  for (let index = 0; index < fields.count; index += 1) {
    const field = fields.fieldAt(index);
    // RFC 9113 §8.2.2: `te: trailers`, the only value there is, may travel on; gRPC servers ask for it.
    if (edits.isRemoved(index) || (fields.isHopByHop(index) && (field.kind & NAME_MASK) !== TE)) continue;
    encoder.known(output, field);
  }
}

function writeForeignFields(
  encoder: HpackEncoder,
  output: Http2Output,
  fields: HeaderFields,
  edits: HeaderEdits,
): void {
  for (let index = 0; index < fields.count; index += 1) {
    if (edits.isRemoved(index) || fields.isHopByHop(index)) continue;
    const name = fields.nameAt(index);
    const kind = kindOfName(name);
    if (!isMadeAnew(kind)) encoder.field(output, name, fields.valueAt(index), isSensitive(kind));
  }
}

function writePairs(encoder: HpackEncoder, output: Http2Output, pairs: readonly string[], areTrailers: boolean): void {
  for (let pair = 0; pair + 1 < pairs.length; pair += 2) {
    const name = pairs[pair] as string;
    const kind = kindOfName(name);
    if (isMadeAnew(kind) || (areTrailers && isForbiddenTrailer(name))) continue;
    encoder.field(output, name, trimmed(pairs[pair + 1] as string), isSensitive(kind));
  }
}

function lengthText(fields: HeaderFields, { status, bodyLength, requestMethod }: Http2ResponseFraming): string {
  // RFC 9110 §8.6: never in 1xx, 204 and a 2xx to CONNECT.
  if (status < 200 || status === 204 || (requestMethod === 'CONNECT' && status < 300)) return '';
  if (requestMethod === 'HEAD' || status === 304) {
    const declared = readContentLength(fields.get('content-length') ?? '');
    return typeof declared === 'number' ? String(declared) : '';
  }
  return bodyLength >= 0 ? String(bodyLength) : '';
}

/** RFC 9110 §8.6: methods whose empty content is said aloud. */
function anticipatesContent(method: string): boolean {
  return method === 'POST' || method === 'PUT' || method === 'PATCH';
}

function trimmed(value: string): string {
  return isFieldValue(value) ? value : value.replace(BLANK_ENDS, '');
}

/** A block half written could not be taken back from the table: everything is looked at before anything is written. */
function checkFields(fields: HeaderFields, edits: HeaderEdits): void {
  if (!(fields instanceof Http2Fields)) {
    for (let index = 0; index < fields.count; index += 1) checkField(fields.nameAt(index), fields.valueAt(index));
  }
  const { addedCount } = edits;
  for (let pair = 0; pair < addedCount; pair += 1) {
    if (!edits.isAddedChecked(pair)) checkField(edits.addedName(pair), edits.addedValue(pair));
  }
}

/** Throws where a pair cannot be sent. */
export function checkPairs(pairs: readonly string[]): void {
  for (let pair = 0; pair + 1 < pairs.length; pair += 2) checkField(pairs[pair] as string, pairs[pair + 1] as string);
}

function checkField(name: string, value: string): void {
  if (!isFieldName(name, kindOfName(name))) throw refusal('field name', name);
  if (!isFieldValue(value) && !isFieldValue(value.replace(BLANK_ENDS, ''))) throw refusal(`value of ${name}`, value);
}

/** What an HTTP/2 head says of itself has been looked at when it came. */
function checkLine(head: RequestHead, line: Http2RequestLine): void {
  const isOwn = head instanceof Http2RequestHead;
  if (!(isOwn && line.method === head.method)) checkVisible('method', line.method);
  if (!(isOwn && line.authority === head.authority)) checkVisible('authority', line.authority);
  if (line.method !== 'CONNECT' && !(isOwn && line.path === head.path)) checkVisible('path', line.path);
  if (line.upgrade !== '') checkVisible('upgrade', line.upgrade);
}

function checkVisible(what: string, text: string): void {
  if (!VISIBLE.test(text)) throw refusal(what, text);
}

function refusal(what: string, text: string): NonCanonicalHeadError {
  const shown = JSON.stringify(text.slice(0, 80));
  return new NonCanonicalHeadError(
    `${what} ${shown} may not be written into an HTTP/2 head: check the edit it came from`,
  );
}
