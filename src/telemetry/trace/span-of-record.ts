import { GRPC_STATUS_NAMES, type GrpcStatusName } from '../../base/grpc-status.ts';
import { NOT_GRPC, type StreamRecord } from '../stream-record.ts';

/** What a span says, before any SDK type: a pure reading of a record by OpenTelemetry's HTTP semantic conventions. */
export interface SpanContent {
  readonly name: string;
  readonly kind: 'server' | 'client';
  /** Monotonic milliseconds of the recording thread. */
  readonly startMs: number;
  readonly endMs: number;
  readonly attributes: Readonly<Record<string, string | number | boolean>>;
  readonly events: readonly { readonly name: string; readonly atMs: number }[];
  /** Undefined: unset. The text is empty where the status code already says it. */
  readonly error: string | undefined;
}

/** RFC 9110, 5789, 10008; anything else is `_OTHER`, so that a hostile method does not become a span name. */
const KNOWN_METHODS = new Set([
  'CONNECT',
  'DELETE',
  'GET',
  'HEAD',
  'OPTIONS',
  'PATCH',
  'POST',
  'PUT',
  'QUERY',
  'TRACE',
]);

/** Reads one record: inbound as a server span, an outbound attempt as a client span. */
export function spanOfRecord(record: StreamRecord): SpanContent {
  const kind = record.direction === 'inbound' ? 'server' : 'client';
  const startMs = kind === 'server' ? record.receivedAtMs : record.attemptStartedAtMs;
  const endMs = Math.max(startMs, record.endedAtMs);
  const known = KNOWN_METHODS.has(record.method);
  const method = known ? record.method : 'HTTP';
  // A route's name is a template only where its author wrote one; other names are ours and go to weft.route.
  const template = record.routeName.startsWith('/') ? record.routeName : '';
  const rpcMethod = rpcMethodOf(record);
  const httpName = kind === 'server' && template !== '' ? `${method} ${template}` : method;
  return {
    name: rpcMethod ?? httpName,
    kind,
    startMs,
    endMs,
    attributes: {
      ...httpAttributes(record, kind, known, template),
      ...rpcAttributes(record, rpcMethod),
      ...weftAttributes(record),
    },
    events: stages(record, startMs, endMs),
    error: errorOf(record, kind),
  };
}

function httpAttributes(
  record: StreamRecord,
  kind: SpanContent['kind'],
  knownMethod: boolean,
  template: string,
): Record<string, string | number> {
  const attributes: Record<string, string | number> = {
    'http.request.method': knownMethod ? record.method : '_OTHER',
    'url.scheme': record.scheme,
    // Without the query: it is where applications put what nobody should store.
    'url.path': pathOnly(record.path),
    'network.protocol.name': 'http',
    'network.protocol.version': record.protocol === 20 ? '2' : record.protocol === 11 ? '1.1' : '1.0',
  };
  if (!knownMethod) attributes['http.request.method_original'] = record.method;
  const server = splitAuthority(record.authority, record.scheme);
  if (server.host !== '') {
    attributes['server.address'] = server.host;
    attributes['server.port'] = server.port;
  }
  if (template !== '') attributes['http.route'] = template;
  if (record.userAgent !== '') attributes['user_agent.original'] = record.userAgent;
  if (record.status > 0) attributes['http.response.status_code'] = record.status;
  if (isError(record, kind)) attributes['error.type'] = grpcErrorOf(record, kind) ?? errorType(record);
  if (kind === 'server') {
    addPeer(attributes, 'client', record.downstreamAddress, record.downstreamPort);
    addTls(attributes, record);
  }
  if (kind === 'client') addClientAttributes(attributes, record);
  return attributes;
}

/** How the caller came in, and who it proved to be. */
function addTls(attributes: Record<string, string | number>, record: StreamRecord): void {
  const { tlsVersion, peerUri, requestedServerName } = record;
  if (tlsVersion === '') return;
  attributes['tls.protocol.name'] = 'tls';
  attributes['tls.protocol.version'] = tlsVersion.slice('TLSv'.length);
  if (requestedServerName !== '') attributes['weft.tls.server_name'] = requestedServerName;
  if (peerUri !== '') attributes['weft.peer.uri'] = peerUri;
}

function addClientAttributes(attributes: Record<string, string | number>, record: StreamRecord): void {
  attributes['url.full'] = `${record.scheme}://${record.authority}${pathOnly(record.path)}`;
  addPeer(attributes, 'network.peer', record.hostAddress, record.hostPort);
  if (record.attempt > 1) attributes['http.request.resend_count'] = record.attempt - 1;
}

function addPeer(attributes: Record<string, string | number>, prefix: string, address: string, port: number): void {
  if (address === '') return;
  attributes[`${prefix}.address`] = address;
  if (port > 0) attributes[`${prefix}.port`] = port;
}

function weftAttributes(record: StreamRecord): Record<string, string | number | boolean> {
  const attributes: Record<string, string | number | boolean> = {
    'weft.worker.id': record.workerId,
    'weft.attempt': record.attempt,
    'weft.in_flight_at_arrival': record.inFlightAtArrival,
    'weft.queue_time_ms': record.queueMs,
    'weft.connection_reused': record.connectionReused,
  };
  const texts = {
    'weft.listener': record.listenerName,
    'weft.route': record.routeName,
    'weft.cluster': record.clusterName,
    'weft.request_id': record.requestId,
    'weft.response_flags': record.responseFlags,
    'weft.response_code_details': record.responseCodeDetails,
  };
  for (const [name, text] of Object.entries(texts)) if (text !== '') attributes[name] = text;
  if (record.hostAddress !== '') {
    attributes['weft.host'] = hostText(record);
    attributes['weft.host_in_flight_at_pick'] = record.hostInFlightAtPick;
  }
  return attributes;
}

function hostText(record: StreamRecord): string {
  if (record.hostPort === 0) return record.hostAddress;
  const host = record.hostAddress.includes(':') ? `[${record.hostAddress}]` : record.hostAddress;
  return `${host}:${record.hostPort}`;
}

/** The stages that happened within this span; an earlier attempt's are left to its own span. */
function stages(record: StreamRecord, startMs: number, endMs: number): SpanContent['events'] {
  const all = [
    { name: 'weft.request_end', atMs: record.requestEndAtMs },
    { name: 'weft.host_picked', atMs: record.pickedAtMs },
    { name: 'weft.connection_ready', atMs: record.connectionReadyAtMs },
    { name: 'weft.first_upstream_byte', atMs: record.firstUpstreamByteAtMs },
  ];
  return all.filter(({ atMs }) => atMs > 0 && atMs >= startMs && atMs <= endMs).sort((a, b) => a.atMs - b.atMs);
}

/** `package.Service/Method` of a gRPC call; undefined for any other request, `_OTHER` for a path that is no method. */
function rpcMethodOf(record: StreamRecord): string | undefined {
  if (record.grpcStatus === NOT_GRPC) return undefined;
  return /^\/[\w.]+\/\w+$/.test(record.path) ? record.path.slice(1) : '_OTHER';
}

/** OpenTelemetry's conventions for gRPC, 1.45. */
function rpcAttributes(record: StreamRecord, method: string | undefined): Record<string, string> {
  if (method === undefined) return {};
  const status = GRPC_STATUS_NAMES[record.grpcStatus];
  const attributes = { 'rpc.system.name': 'grpc', 'rpc.method': method };
  return status === undefined ? attributes : { ...attributes, 'rpc.response.status_code': status };
}

/** Statuses that are the server's own failure; the others are its answer to what the client asked. */
const SERVER_ERRORS: ReadonlySet<GrpcStatusName> = new Set([
  'UNKNOWN',
  'DEADLINE_EXCEEDED',
  'UNIMPLEMENTED',
  'INTERNAL',
  'UNAVAILABLE',
  'DATA_LOSS',
]);

/** The status of a call that failed; undefined where it did not, or is none. */
function grpcErrorOf(record: StreamRecord, kind: SpanContent['kind']): GrpcStatusName | undefined {
  const status = GRPC_STATUS_NAMES[record.grpcStatus];
  if (status === undefined || status === 'OK') return undefined;
  return kind === 'client' || SERVER_ERRORS.has(status) ? status : undefined;
}

/** A server's 4xx is its client's mistake; a client's 4xx is its own. No status at all is a failure of both. */
function isError(record: StreamRecord, kind: SpanContent['kind']): boolean {
  if (grpcErrorOf(record, kind) !== undefined) return true;
  return record.status === 0 || record.status >= (kind === 'server' ? 500 : 400);
}

function errorOf(record: StreamRecord, kind: SpanContent['kind']): string | undefined {
  if (!isError(record, kind)) return undefined;
  return record.status === 0 ? record.responseCodeDetails : '';
}

function errorType(record: StreamRecord): string {
  if (record.status > 0) return String(record.status);
  return record.responseFlags === '' ? '_OTHER' : record.responseFlags;
}

function pathOnly(path: string): string {
  const query = path.indexOf('?');
  return query === -1 ? path : path.slice(0, query);
}

function splitAuthority(authority: string, scheme: StreamRecord['scheme']): { host: string; port: number } {
  const match = /^(\[[^\]]*\]|[^:]*)(?::(\d{1,5}))?$/.exec(authority);
  const host = match?.[1] ?? authority;
  const port = match?.[2] === undefined ? (scheme === 'https' ? 443 : 80) : Number(match[2]);
  return { host: host.startsWith('[') ? host.slice(1, -1) : host, port };
}
