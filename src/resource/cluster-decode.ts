import type { Cluster, TransportSocketMatch } from './cluster.ts';
import { decodeCircuitBreakers, decodeHealthCheck, decodeOutlierDetection } from './cluster-health-decode.ts';
import type { ClusterLoadAssignment } from './cluster-load-assignment.ts';
import {
  DEFAULT_OVERPROVISIONING_FACTOR_PERCENT,
  decodeClusterLoadAssignment,
  endpointAddresses,
} from './cluster-load-assignment-decode.ts';
import { decodeConfigSource } from './config-source-decode.ts';
import { decodeFilterMetadata } from './extension-decode.ts';
import { decodeLoadBalancing } from './load-balancing-decode.ts';
import type { MessageReader } from './message-reader.ts';
import { decodeOriginalDst } from './original-dst-decode.ts';
import { decodePercent } from './percent-decode.ts';
import { decodeTransportSocket } from './transport-socket-decode.ts';
import { decodeUpstreamConnections } from './upstream-protocol-decode.ts';

export const CLUSTER_MESSAGE = 'envoy.config.cluster.v3.Cluster';

/** Envoy's defaults. */
const DEFAULT_CONNECT_TIMEOUT_MS = 5_000;
const DEFAULT_DNS_REFRESH_MS = 5_000;
const DEFAULT_BUFFER_LIMIT_BYTES = 1024 * 1024;
const DEFAULT_PANIC_THRESHOLD_PERCENT = 50;

/**
 * envoy.config.cluster.v3.Cluster. What chooses hosts or secures a connection is obeyed or refused; preconnecting,
 * DNS tuning and socket options are read past.
 */
export function decodeCluster(reader: MessageReader): Cluster {
  reader.refuse('lb_subset_config', 'filters', 'upstream_config', 'upstream_bind_config');
  if (reader.has('protocol_selection')) {
    reader.fault('protocol_selection', 'is not supported; use HttpProtocolOptions.use_downstream_protocol_config');
  }
  const name = reader.requiredString('name');
  const discovery = decodeDiscovery(reader, name);
  const { policy, localityWeighted } = decodeLoadBalancing(reader);
  const altStatName = reader.string('alt_stat_name');
  return {
    name,
    discovery,
    connectTimeoutMs: reader.positiveDurationMs('connect_timeout') ?? DEFAULT_CONNECT_TIMEOUT_MS,
    loadBalancing: policy,
    localityWeighted,
    circuitBreakers: decodeCircuitBreakers(reader.message('circuit_breakers')),
    outlierDetection: decodeOutlierDetection(reader.message('outlier_detection')),
    healthChecks: reader.messages('health_checks').map(decodeHealthCheck),
    healthyPanicThresholdPercent: decodePanicThreshold(reader.message('common_lb_config')),
    overprovisioningFactorPercent:
      'assignment' in discovery
        ? discovery.assignment.overprovisioningFactorPercent
        : DEFAULT_OVERPROVISIONING_FACTOR_PERCENT,
    closeConnectionsOnHostHealthFailure: reader.boolean('close_connections_on_host_health_failure'),
    transportSocket: decodeTransportSocket(reader.message('transport_socket'), 'upstream'),
    transportSocketMatches: reader.messages('transport_socket_matches').map(decodeTransportSocketMatch),
    ...decodeUpstreamConnections(reader),
    perConnectionBufferLimitBytes:
      reader.wrappedNumber('per_connection_buffer_limit_bytes') ?? DEFAULT_BUFFER_LIMIT_BYTES,
    altStatName: altStatName === '' ? undefined : altStatName,
    metadata: decodeFilterMetadata(reader.message('metadata')),
    ...(reader.message('lrs_server')?.has('self') === true ? { reportsLoads: true } : {}),
  };
}

const AGGREGATE = 'envoy.extensions.clusters.aggregate.v3.ClusterConfig';

/** The PROXY protocol is a matter of the whole cluster: its connections carry one exchange each. */
function decodeTransportSocketMatch(reader: MessageReader): TransportSocketMatch {
  const transportSocket = decodeTransportSocket(reader.requiredMessage('transport_socket'), 'upstream');
  if (transportSocket?.kind === 'upstreamProxyProtocol') {
    reader.fault('transport_socket', 'the PROXY protocol is not supported here; use it for the whole cluster');
  }
  return { match: reader.struct('match') ?? {}, transportSocket };
}

const DISCOVERY_TYPES = {
  STATIC: 'static',
  STRICT_DNS: 'strictDns',
  LOGICAL_DNS: 'logicalDns',
  EDS: 'eds',
  ORIGINAL_DST: 'originalDst',
} as const;

function decodeDiscovery(reader: MessageReader, name: string): Cluster['discovery'] {
  const custom = reader.message('cluster_type');
  if (custom !== undefined) return decodeAggregate(reader, custom, name);
  const kind = reader.choice('type', DISCOVERY_TYPES, 'static');
  if (kind !== 'eds' && reader.has('eds_cluster_config')) reader.fault('eds_cluster_config', 'needs type EDS');
  switch (kind) {
    case 'eds':
      return decodeEds(reader, name);
    case 'originalDst':
      return decodeOriginalDst(reader);
    case 'static':
      return { kind, assignment: decodeAssignment(reader, 'ip') };
    case 'strictDns':
    case 'logicalDns': {
      const assignment = decodeAssignment(reader, 'ipOrName');
      if (kind === 'logicalDns' && endpointAddresses(assignment).length !== 1) {
        reader.fault('load_assignment', 'a LOGICAL_DNS cluster has exactly one endpoint');
      }
      return { kind, assignment, refreshMs: decodeRefresh(reader) };
    }
  }
}

/** The one `cluster_type` there is: other clusters in order of preference. */
function decodeAggregate(reader: MessageReader, custom: MessageReader, name: string): Cluster['discovery'] {
  const config = custom.opened('typed_config');
  if (config !== undefined && config.typeName !== AGGREGATE) {
    custom.fault('typed_config', `${config.typeName} is not supported; use type, or ${AGGREGATE}`);
    return { kind: 'aggregate', clusters: [] };
  }
  reader.refuse('load_assignment', 'eds_cluster_config');
  const clusters = config?.strings('clusters') ?? [];
  if (config !== undefined && clusters.length === 0) config.fault('clusters', 'must not be empty');
  if (clusters.includes(name)) config?.fault('clusters', `must not hold the aggregate itself, ${name}`);
  if (clusters.includes('')) config?.fault('clusters', 'must not hold an empty name');
  return { kind: 'aggregate', clusters };
}

function decodeEds(reader: MessageReader, name: string): Cluster['discovery'] {
  reader.refuse('load_assignment');
  const config = reader.message('eds_cluster_config');
  const source = decodeConfigSource(config?.message('eds_config'));
  const serviceName = config?.string('service_name') ?? '';
  return { kind: 'eds', serviceName: serviceName === '' ? name : serviceName, ...source };
}

function decodeRefresh(reader: MessageReader): number {
  const milliseconds = reader.durationMs('dns_refresh_rate') ?? DEFAULT_DNS_REFRESH_MS;
  if (milliseconds < 1) reader.fault('dns_refresh_rate', 'must be at least 0.001s');
  return milliseconds;
}

function decodeAssignment(reader: MessageReader, hosts: 'ip' | 'ipOrName'): ClusterLoadAssignment {
  const assignment = reader.requiredMessage('load_assignment');
  if (assignment !== undefined) return decodeClusterLoadAssignment(assignment, hosts);
  return {
    clusterName: '',
    localities: [],
    overprovisioningFactorPercent: DEFAULT_OVERPROVISIONING_FACTOR_PERCENT,
    dropOverloads: [],
  };
}

function decodePanicThreshold(commonLbConfig: MessageReader | undefined): number {
  return decodePercent(commonLbConfig?.message('healthy_panic_threshold')) ?? DEFAULT_PANIC_THRESHOLD_PERCENT;
}
