import { decodeAccessLogs } from './access-log-decode.ts';
import type { ExtensionSupport } from './extension-support.ts';
import type { TcpProxy } from './listener.ts';
import type { MessageReader } from './message-reader.ts';
import { decodeTcpWeightedClusters } from './weighted-clusters-decode.ts';

/** Envoy's `idle_timeout` of a TCP proxy. */
const DEFAULT_IDLE_TIMEOUT_MS = 3_600_000;

/** envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy. */
export function decodeTcpProxy(reader: MessageReader, support: ExtensionSupport): TcpProxy {
  reader.refuse('on_demand', 'metadata_match', 'tunneling_config', 'hash_policy');
  decodeAccessLogs(reader, 'access_log', support);
  const maxConnectAttempts = reader.wrappedNumber('max_connect_attempts') ?? 1;
  if (maxConnectAttempts < 1) reader.fault('max_connect_attempts', 'must be at least 1');
  return {
    statPrefix: reader.requiredString('stat_prefix'),
    cluster: decodeCluster(reader),
    idleTimeoutMs: reader.durationMs('idle_timeout') ?? DEFAULT_IDLE_TIMEOUT_MS,
    maxConnectAttempts,
    maxDownstreamConnectionDurationMs: reader.positiveDurationMs('max_downstream_connection_duration'),
  };
}

function decodeCluster(reader: MessageReader): TcpProxy['cluster'] {
  const weighted = reader.message('weighted_clusters');
  if (weighted !== undefined) return decodeTcpWeightedClusters(weighted);
  return { kind: 'cluster', name: reader.requiredString('cluster') };
}
