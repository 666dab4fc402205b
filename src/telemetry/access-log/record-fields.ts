import { GRPC_STATUS_NAMES } from '../../base/grpc-status.ts';
import type { StreamRecord } from '../stream-record.ts';

/** A value of an access log line; undefined is printed as `-` in text and `null` in JSON, as Envoy does. */
export type FieldValue = string | number | undefined;

/** Reads one value; `originMs` is the wall clock at which the record's clock read zero. */
export type FieldReader = (record: StreamRecord, originMs: number) => FieldValue;

const PROTOCOLS = { 10: 'HTTP/1.0', 11: 'HTTP/1.1', 20: 'HTTP/2' } as const;

/** Envoy's command operators that take no argument, as far as a stream's record answers them. */
export const OPERATORS: ReadonlyMap<string, FieldReader> = new Map<string, FieldReader>([
  ['START_TIME', (record, originMs) => new Date(originMs + record.receivedAtMs).toISOString()],
  ['PROTOCOL', (record) => PROTOCOLS[record.protocol]],
  ['RESPONSE_CODE', (record) => record.status],
  ['RESPONSE_CODE_DETAILS', (record) => text(record.responseCodeDetails)],
  ['RESPONSE_FLAGS', (record) => text(record.responseFlags)],
  ['GRPC_STATUS', (record) => GRPC_STATUS_NAMES[record.grpcStatus]],
  ['GRPC_STATUS_NUMBER', (record) => (record.grpcStatus < 0 ? undefined : record.grpcStatus)],
  ['BYTES_RECEIVED', (record) => record.requestBodyBytes],
  ['BYTES_SENT', (record) => record.responseBodyBytes],
  ['DURATION', (record) => between(record.receivedAtMs, record.endedAtMs)],
  ['REQUEST_DURATION', (record) => between(record.receivedAtMs, record.requestEndAtMs)],
  ['RESPONSE_DURATION', (record) => between(record.receivedAtMs, record.firstUpstreamByteAtMs)],
  ['RESPONSE_TX_DURATION', (record) => between(record.firstUpstreamByteAtMs, record.endedAtMs)],
  ['UPSTREAM_CLUSTER', (record) => text(record.clusterName)],
  ['UPSTREAM_HOST', (record) => endpoint(record.hostAddress, record.hostPort)],
  ['UPSTREAM_REQUEST_ATTEMPT_COUNT', (record) => record.attempts],
  ['ROUTE_NAME', (record) => text(record.routeName)],
  ['DOWNSTREAM_REMOTE_ADDRESS', (record) => endpoint(record.downstreamAddress, record.downstreamPort)],
  ['DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT', (record) => text(record.downstreamAddress)],
  ['DOWNSTREAM_DIRECT_REMOTE_ADDRESS', (record) => endpoint(record.downstreamAddress, record.downstreamPort)],
  ['DOWNSTREAM_LOCAL_ADDRESS', (record) => endpoint(record.localAddress, record.localPort)],
  ['DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT', (record) => text(record.localAddress)],
  ['DOWNSTREAM_TLS_VERSION', (record) => text(record.tlsVersion)],
  ['DOWNSTREAM_PEER_URI_SAN', (record) => text(record.peerUri)],
  ['REQUESTED_SERVER_NAME', (record) => text(record.requestedServerName)],
  ['TRACE_ID', (record) => text(record.traceId)],
  // Consul's own format asks for these; a record does not keep them.
  ['CONNECTION_TERMINATION_DETAILS', () => undefined],
  ['UPSTREAM_LOCAL_ADDRESS', () => undefined],
  ['UPSTREAM_TRANSPORT_FAILURE_REASON', () => undefined],
]);

/** What `%REQ(NAME)%` finds in a record, by lower-case name. */
export const REQUEST_HEADERS: ReadonlyMap<string, FieldReader> = new Map<string, FieldReader>([
  [':method', (record) => text(record.method)],
  [':path', (record) => text(record.path)],
  [':authority', (record) => text(record.authority)],
  [':scheme', (record) => record.scheme],
  ['host', (record) => text(record.authority)],
  ['user-agent', (record) => text(record.userAgent)],
  ['x-request-id', (record) => text(record.requestId)],
]);

/** What `%RESP(NAME)%` finds: the time an upstream took, which Envoy adds as a header and a record knows. */
export const RESPONSE_HEADERS: ReadonlyMap<string, FieldReader> = new Map<string, FieldReader>([
  ['x-envoy-upstream-service-time', (record) => between(record.connectionReadyAtMs, record.firstUpstreamByteAtMs)],
]);

function text(value: string): string | undefined {
  return value === '' ? undefined : value;
}

function between(fromMs: number, toMs: number): number | undefined {
  return fromMs > 0 && toMs >= fromMs ? Math.round(toMs - fromMs) : undefined;
}

function endpoint(address: string, port: number): string | undefined {
  if (address === '') return undefined;
  if (port === 0) return address;
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}
