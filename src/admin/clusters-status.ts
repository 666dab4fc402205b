import { type Address, addressText } from '../resource/address.ts';
import type { CircuitBreakerView, ClusterStatus, HostCounts, HostStatus } from './admin-views.ts';
import { type Answer, jsonAnswer, textAnswer } from './answer.ts';

/** `/clusters`, as text or with `format=json` as envoy.admin.v3.Clusters. */
export function clustersAnswer(clusters: readonly ClusterStatus[], query: URLSearchParams): Answer {
  if (query.get('format') === 'json') return jsonAnswer({ cluster_statuses: clusters.map(clusterJson) });
  return textAnswer(clusterTexts(clusters));
}

/** envoy.config.core.v3.Address as JSON. */
export function addressJson(address: Address): unknown {
  if (address.kind === 'pipe') return { pipe: { path: address.path } };
  return { socket_address: { address: address.host, port_value: address.port } };
}

/** Envoy's names of a host's numbers, with their kind. */
function hostCounts(stats: HostCounts): readonly { name: string; value: number; gauge: boolean }[] {
  return [
    { name: 'cx_active', value: stats.connectionsActive, gauge: true },
    { name: 'cx_connect_fail', value: stats.connectFailures, gauge: false },
    { name: 'cx_total', value: stats.connectionsTotal, gauge: false },
    { name: 'rq_active', value: stats.requestsActive, gauge: true },
    { name: 'rq_error', value: stats.requestsFailed, gauge: false },
    { name: 'rq_success', value: stats.requestsSucceeded, gauge: false },
    { name: 'rq_total', value: stats.requestsTotal, gauge: false },
  ];
}

function* clusterTexts(clusters: readonly ClusterStatus[]): Generator<string, void, void> {
  for (const cluster of clusters) {
    const { name, thresholds } = cluster;
    const lines = [
      `observability_name::${name}`,
      ...thresholdEntries(thresholds).map(([limit, value]) => `default_priority::${limit}::${value}`),
      `added_via_api::${cluster.addedViaApi}`,
      ...(cluster.edsServiceName === '' ? [] : [`eds_service_name::${cluster.edsServiceName}`]),
      ...cluster.hosts.flatMap(hostLines),
    ];
    yield lines.map((line) => `${name}::${line}\n`).join('');
  }
}

function hostLines(host: HostStatus): readonly string[] {
  const address = addressText(host.address);
  return [
    ...hostCounts(host.stats).map(({ name, value }) => `${name}::${value}`),
    `hostname::${host.hostname}`,
    `health_flags::${healthFlags(host)}`,
    `weight::${host.weight}`,
    `region::${host.locality.region}`,
    `zone::${host.locality.zone}`,
    `sub_zone::${host.locality.subZone}`,
    'canary::false',
    `priority::${host.priority}`,
    'success_rate::-1',
    'local_origin_success_rate::-1',
  ].map((line) => `${address}::${line}`);
}

function healthFlags(host: HostStatus): string {
  const flags = [
    ...(host.failsActiveCheck ? ['/failed_active_hc'] : []),
    ...(host.ejected ? ['/failed_outlier_check'] : []),
    ...(host.edsHealth === 'UNHEALTHY' ? ['/failed_eds_health'] : []),
    ...(host.edsHealth === 'DEGRADED' ? ['/degraded_eds_health'] : []),
    ...(host.edsHealth === 'TIMEOUT' ? ['/timeout_eds_health'] : []),
    ...(host.edsHealth === 'DRAINING' ? ['/eds_status_draining'] : []),
  ];
  return flags.length === 0 ? 'healthy' : flags.join('');
}

function clusterJson(cluster: ClusterStatus): unknown {
  return {
    name: cluster.name,
    ...(cluster.addedViaApi ? { added_via_api: true } : {}),
    host_statuses: cluster.hosts.map(hostJson),
    circuit_breakers: { thresholds: [Object.fromEntries(thresholdEntries(cluster.thresholds))] },
    observability_name: cluster.name,
    ...(cluster.edsServiceName === '' ? {} : { eds_service_name: cluster.edsServiceName }),
  };
}

/** ProtoJSON: 64-bit numbers are text, and what is zero is left out. */
function hostJson(host: HostStatus): unknown {
  const { locality } = host;
  return {
    address: addressJson(host.address),
    stats: hostCounts(host.stats).map(({ name, value, gauge }) => ({
      ...(gauge ? { type: 'GAUGE' } : {}),
      name,
      ...(value === 0 ? {} : { value: String(value) }),
    })),
    health_status: {
      ...(host.failsActiveCheck ? { failed_active_health_check: true } : {}),
      ...(host.ejected ? { failed_outlier_check: true } : {}),
      eds_health_status: host.edsHealth,
    },
    weight: host.weight,
    ...(host.hostname === '' ? {} : { hostname: host.hostname }),
    ...(host.priority === 0 ? {} : { priority: host.priority }),
    locality: {
      ...(locality.region === '' ? {} : { region: locality.region }),
      ...(locality.zone === '' ? {} : { zone: locality.zone }),
      ...(locality.subZone === '' ? {} : { sub_zone: locality.subZone }),
    },
  };
}

function thresholdEntries(thresholds: CircuitBreakerView): readonly (readonly [string, number])[] {
  return [
    ['max_connections', thresholds.maxConnections],
    ['max_pending_requests', thresholds.maxPendingRequests],
    ['max_requests', thresholds.maxRequests],
    ['max_retries', thresholds.maxRetries],
  ];
}
