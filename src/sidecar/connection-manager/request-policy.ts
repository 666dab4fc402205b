import type { RequestHead } from '../../http/head.ts';
import { type HeaderEdits, lineOf } from '../../http/header-edits.ts';
import type { HeaderFields } from '../../http/header-fields.ts';
import type { HttpConnectionManager } from '../../resource/http-connection-manager.ts';
import { PLAINTEXT, type TransportFacts } from '../../transport-socket/transport-socket.ts';
import { NOT_PROCESSED_HEADER } from '../filter/filter.ts';
import { forwardClientCertificate } from './client-certificate.ts';
import type { RequestIds } from './request-id.ts';

/**
 * Fields that only the mesh itself may set. Where `use_remote_address` says that this listener is an edge (and no hop
 * before it is trusted) they are taken off every request, whatever the source address (CVE-2024-45806: a private address is no trust).
 */
const EDGE_STRIPPED_PREFIXES = ['x-envoy-', 'x-weft-', 'x-original-'];
const EDGE_STRIPPED = new Set(['x-forwarded-host', 'x-forwarded-port', 'forwarded']);

/** RFC 9110 §7.6.3. */
const VIA_PROTOCOLS = { 10: '1.0', 11: '1.1', 20: '2' } as const;

const SCHEME_LINES = {
  http: lineOf('x-forwarded-proto', 'http'),
  https: lineOf('x-forwarded-proto', 'https'),
} as const;

/** What a connection manager does to every request's fields before routes see it. Answers the request's identifier. */
export function applyRequestPolicy(
  manager: HttpConnectionManager,
  head: RequestHead,
  edits: HeaderEdits,
  downstreamAddress: string,
  requestIds: RequestIds,
  transport: TransportFacts = PLAINTEXT,
): string {
  const { fields } = head;
  if (isEdge(manager)) stripEdgeFields(fields, edits);
  if (manager.useRemoteAddress && !manager.skipXffAppend) appendForwardedFor(fields, edits, downstreamAddress);
  if (fields.indexOf('x-forwarded-proto') < 0)
    edits.addChecked('x-forwarded-proto', head.scheme, SCHEME_LINES[head.scheme]);
  else if (isEdge(manager)) edits.setChecked(fields, 'x-forwarded-proto', head.scheme);
  forwardClientCertificate(manager, transport, fields, edits);
  if (fields.indexOf(NOT_PROCESSED_HEADER) >= 0) edits.remove(fields, NOT_PROCESSED_HEADER);
  if (manager.via !== '') edits.add('via', `${VIA_PROTOCOLS[head.version]} ${manager.via}`);
  return requestId(manager, fields, edits, requestIds);
}

function requestId(
  manager: HttpConnectionManager,
  fields: HeaderFields,
  edits: HeaderEdits,
  requestIds: RequestIds,
): string {
  const known = fields.get('x-request-id');
  const isTrusted = known !== undefined && (!manager.useRemoteAddress || manager.preserveExternalRequestId);
  if (isTrusted || !manager.generateRequestId) return known ?? '';
  const fresh = requestIds.next();
  if (known === undefined) edits.addUnique('x-request-id', fresh, requestIds.line);
  else edits.setUnique(fields, 'x-request-id', fresh);
  return fresh;
}

/** The first trusted proxy on the way. With `xff_num_trusted_hops` the peer is a trusted proxy itself, and what it says stays. */
function isEdge(manager: HttpConnectionManager): boolean {
  return manager.useRemoteAddress && manager.xffNumTrustedHops === 0;
}

function stripEdgeFields(fields: HeaderFields, edits: HeaderEdits): void {
  for (let index = 0; index < fields.count; index++) if (isStripped(fields.nameAt(index))) edits.removeAt(index);
}

function isStripped(name: string): boolean {
  // Some servers read an underscore as a dash.
  const plain = name.replaceAll('_', '-');
  return EDGE_STRIPPED.has(plain) || EDGE_STRIPPED_PREFIXES.some((prefix) => plain.startsWith(prefix));
}

function appendForwardedFor(fields: HeaderFields, edits: HeaderEdits, address: string): void {
  if (address === '') return;
  const index = fields.indexOf('x-forwarded-for');
  if (index < 0) {
    edits.add('x-forwarded-for', address);
    return;
  }
  let chain = fields.valueAt(index);
  for (let next = fields.indexOf('x-forwarded-for', index + 1); next >= 0; ) {
    chain += `, ${fields.valueAt(next)}`;
    next = fields.indexOf('x-forwarded-for', next + 1);
  }
  edits.set(fields, 'x-forwarded-for', `${chain}, ${address}`);
}

/** Whether the client waits for a 100 that is ours to send, since the upstream will not be asked for it (RFC 9110 §10.1.1). */
export function takeExpectation(fields: HeaderFields, edits: HeaderEdits): boolean {
  const at = fields.indexOf('expect');
  if (at < 0 || edits.isRemoved(at)) return false;
  edits.remove(fields, 'expect');
  return true;
}
