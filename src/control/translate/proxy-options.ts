import { originText, type ProxyRegistration } from './catalog.ts';
import type { ConfigEntries } from './config-entries.ts';
import { OptionReader } from './option-reader.ts';
import type { Problem } from './problem.ts';
import { PROTOCOLS, type Protocol } from './protocol.ts';
import { numberKey } from './read-extension-key.ts';

/** What a sidecar's registration and the entries about its service say of the sidecar itself. */
export interface ProxyOptions {
  /** The registration's own word; undefined leaves it to service-defaults and proxy-defaults. */
  readonly protocol: Protocol | undefined;
  readonly bindAddress: string | undefined;
  readonly bindPort: number | undefined;
  readonly localConnectTimeoutMs: number;
  readonly localRequestTimeoutMs: number | undefined;
  readonly localIdleTimeoutMs: number | undefined;
  readonly maxInboundConnections: number | undefined;
  readonly balanceInboundConnections: string | undefined;
  readonly maxRequestHeadersKb: number | undefined;
  /** `weft_requests_per_second` and `weft_requests_burst`; undefined leaves it to service-defaults. */
  readonly requestsPerSecond: number | undefined;
  readonly requestsBurst: number | undefined;
  /** `weft_grpc_max_request_message_bytes` and `weft_grpc_max_response_message_bytes`. */
  readonly maxGrpcRequestMessageBytes: number | undefined;
  readonly maxGrpcResponseMessageBytes: number | undefined;
  /** `weft_local_keepalive_ms`: how long a connection to the application may idle in the pool. */
  readonly localKeepaliveMs: number;
  /** `weft_trace_sampling_percent`: of requests that arrive without a decision. */
  readonly traceSamplingPercent: number;
}

/** Consul's default for `local_connect_timeout_ms`. */
const DEFAULT_LOCAL_CONNECT_TIMEOUT_MS = 5_000;
/** Below the 5 s after which a Node server closes an idle connection: a reused one is then rarely dead. */
const DEFAULT_LOCAL_KEEPALIVE_MS = 4_000;
/** Enough to see a mesh at work, little enough to pay for at any load. */
const DEFAULT_TRACE_SAMPLING_PERCENT = 1;
const DAY_MS = 86_400_000;
const MAX_CONNECTIONS = 1_000_000;

/** Keys of Consul's that are about Envoy's own listeners, or not obeyed yet. */
const IGNORED_KEYS = ['balance_outbound_connections', 'xds_fetch_timeout_ms'];

interface OwnOptions {
  readonly protocol: Protocol | undefined;
  readonly bindAddress: string | undefined;
  readonly bindPort: number | undefined;
  readonly localConnectTimeoutMs: number | undefined;
  readonly localRequestTimeoutMs: number | undefined;
  readonly localIdleTimeoutMs: number | undefined;
  readonly maxInboundConnections: number | undefined;
  readonly balanceInboundConnections: 'exact_balance' | undefined;
  readonly maxRequestHeadersKb: number | undefined;
  readonly requestsPerSecond: number | undefined;
  readonly requestsBurst: number | undefined;
  readonly maxGrpcRequestMessageBytes: number | undefined;
  readonly maxGrpcResponseMessageBytes: number | undefined;
  readonly localKeepaliveMs: number | undefined;
  readonly traceSamplingPercent: number | undefined;
}

/** The registration's own word first, then its service's defaults, then the mesh's. */
export function proxyOptions(
  registration: ProxyRegistration,
  entries: ConfigEntries,
): { readonly options: ProxyOptions; readonly problems: readonly Problem[] } {
  const problems: Problem[] = [];
  const { proxyDefaults } = entries;
  const where = `registration ${registration.id}: proxy.config`;
  const own = readOptions(new OptionReader(registration.config, where, proxyDefaults?.config), problems);
  const mesh =
    proxyDefaults === undefined
      ? undefined
      : readOptions(new OptionReader(proxyDefaults.config, `${originText(proxyDefaults.origin)}: Config`), problems);
  const service = entries.serviceDefaults.get(registration.destinationService);
  const options: ProxyOptions = {
    protocol: own.protocol,
    bindAddress: own.bindAddress ?? mesh?.bindAddress,
    bindPort: own.bindPort ?? mesh?.bindPort,
    localConnectTimeoutMs:
      own.localConnectTimeoutMs ??
      positive(service?.localConnectTimeoutMs) ??
      mesh?.localConnectTimeoutMs ??
      DEFAULT_LOCAL_CONNECT_TIMEOUT_MS,
    localRequestTimeoutMs:
      own.localRequestTimeoutMs ?? positive(service?.localRequestTimeoutMs) ?? mesh?.localRequestTimeoutMs,
    localIdleTimeoutMs: own.localIdleTimeoutMs ?? mesh?.localIdleTimeoutMs,
    maxInboundConnections:
      own.maxInboundConnections ?? positive(service?.maxInboundConnections) ?? mesh?.maxInboundConnections,
    balanceInboundConnections:
      own.balanceInboundConnections ?? (service?.balanceInboundConnections || mesh?.balanceInboundConnections),
    maxRequestHeadersKb: own.maxRequestHeadersKb ?? service?.maxRequestHeadersKb ?? mesh?.maxRequestHeadersKb,
    requestsPerSecond: own.requestsPerSecond ?? mesh?.requestsPerSecond,
    requestsBurst: own.requestsBurst ?? mesh?.requestsBurst,
    maxGrpcRequestMessageBytes: own.maxGrpcRequestMessageBytes ?? mesh?.maxGrpcRequestMessageBytes,
    maxGrpcResponseMessageBytes: own.maxGrpcResponseMessageBytes ?? mesh?.maxGrpcResponseMessageBytes,
    localKeepaliveMs: own.localKeepaliveMs ?? mesh?.localKeepaliveMs ?? DEFAULT_LOCAL_KEEPALIVE_MS,
    traceSamplingPercent: own.traceSamplingPercent ?? mesh?.traceSamplingPercent ?? DEFAULT_TRACE_SAMPLING_PERCENT,
  };
  return { options, problems };
}

function readOptions(reader: OptionReader, problems: Problem[]): OwnOptions {
  const options: OwnOptions = {
    protocol: reader.oneOf('protocol', PROTOCOLS),
    bindAddress: reader.text('bind_address'),
    bindPort: reader.number('bind_port', { min: 1, max: 65_535 }),
    localConnectTimeoutMs: reader.number('local_connect_timeout_ms', { min: 1, max: DAY_MS }),
    localRequestTimeoutMs: reader.number('local_request_timeout_ms', { min: 0, max: DAY_MS }),
    localIdleTimeoutMs: reader.number('local_idle_timeout_ms', { min: 0, max: DAY_MS }),
    maxInboundConnections: reader.number('max_inbound_connections', { min: 1, max: MAX_CONNECTIONS }),
    balanceInboundConnections: reader.oneOf('balance_inbound_connections', ['exact_balance']),
    requestsPerSecond: numberKey(reader, 'weft_requests_per_second'),
    requestsBurst: numberKey(reader, 'weft_requests_burst'),
    maxGrpcRequestMessageBytes: numberKey(reader, 'weft_grpc_max_request_message_bytes'),
    maxGrpcResponseMessageBytes: numberKey(reader, 'weft_grpc_max_response_message_bytes'),
    maxRequestHeadersKb: reader.number('max_request_headers_kb', { min: 1, max: 8192 }),
    localKeepaliveMs: numberKey(reader, 'weft_local_keepalive_ms'),
    traceSamplingPercent: numberKey(reader, 'weft_trace_sampling_percent'),
  };
  reader.reportUnknown(IGNORED_KEYS);
  problems.push(...reader.problems);
  return options;
}

function positive(value: number | undefined): number | undefined {
  return value !== undefined && value > 0 ? value : undefined;
}
