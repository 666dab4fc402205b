import { CLUSTER_LOAD_ASSIGNMENT_TYPE } from '../../resource/type-url.ts';
import type { Json, ResourceLiteral } from '../snapshot/resource-literal.ts';
import type { ServiceHealth, ServiceInstance } from './catalog.ts';
import { isIpLiteral } from './network-address.ts';
import { type Problem, warningAt } from './problem.ts';
import { PLAINTEXT_METADATA } from './tls-contexts.ts';
import type { EndpointGroup, EndpointSource } from './translated-proxy.ts';

/** As in Consul: nothing goes to a lower priority as long as one host of the higher one is healthy. */
const NO_SPILLOVER_PERCENT = 100_000;
/** Consul's own bound on weights in Envoy's configuration. */
const MAX_WEIGHT = 128;

/**
 * The instances of a group as envoy.config.endpoint.v3.ClusterLoadAssignment. Failing instances stay in it, marked: a
 * proxy then knows them and drains them. None at all is an empty assignment, never a missing one. Those of failover targets
 * follow at lower priorities; a target that was never read has none there, and keeps nobody from the others.
 */
export function loadAssignment(
  group: EndpointGroup,
  health: ServiceHealth,
  failoverHealth: readonly (ServiceHealth | undefined)[] = [],
): { readonly resource: ResourceLiteral; readonly problems: readonly Problem[] } {
  const problems: Problem[] = [];
  const seen = new Set<string>();
  const levels = [health, ...failoverHealth].map((each, at) => {
    const source = at === 0 ? group : group.failover?.[at - 1];
    if (each === undefined || source === undefined) return [];
    return levelJson(source, each, seen, problems);
  });
  // A priority without endpoints would be a gap, which Envoy and gRPC refuse.
  const endpoints = levels
    .filter((level) => level.length > 0)
    .flatMap((level, priority) => level.map((locality) => (priority === 0 ? locality : { ...locality, priority })));
  const json = {
    clusterName: group.name,
    ...(endpoints.length === 0 ? {} : { endpoints }),
    ...(group.failover === undefined ? {} : { policy: { overprovisioningFactor: NO_SPILLOVER_PERCENT } }),
  };
  return { resource: { typeUrl: CLUSTER_LOAD_ASSIGNMENT_TYPE, name: group.name, json }, problems };
}

/** The localities of one priority, in a stable order. */
function levelJson(
  source: EndpointSource,
  health: ServiceHealth,
  seen: Set<string>,
  problems: Problem[],
): readonly Json[] {
  const byLocality = new Map<string, ServiceInstance[]>();
  for (const instance of [...health.instances].sort(byAddress)) {
    const problem = unusable(source, instance);
    if (problem !== undefined) problems.push(problem);
    const address = `${instance.address}\0${instance.port}`;
    // Two registrations of one address are one endpoint: Envoy and gRPC refuse it twice.
    if (problem !== undefined || seen.has(address)) continue;
    seen.add(address);
    const key = JSON.stringify([instance.locality.region, instance.locality.zone]);
    const instances = byLocality.get(key);
    if (instances === undefined) byLocality.set(key, [instance]);
    else instances.push(instance);
  }
  return [...byLocality]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, instances]) => localityJson(instances, source.onlyPassing, health.isPlaintext === true));
}

function byAddress(a: ServiceInstance, b: ServiceInstance): number {
  if (a.address !== b.address) return a.address < b.address ? -1 : 1;
  if (a.port !== b.port) return a.port - b.port;
  return a.id < b.id ? -1 : a.id > b.id ? 1 : 0;
}

function unusable(source: EndpointSource, { id, node, address, port }: ServiceInstance): Problem | undefined {
  if (isIpLiteral(address) && port > 0) return undefined;
  const where = `instance ${id} of ${source.query.service} on node ${node}`;
  return warningAt(where, `left out: "${address}:${port}" is no IP address with a port; register one`);
}

function localityJson(instances: readonly ServiceInstance[], onlyPassing: boolean, isPlaintext: boolean): Json {
  const states = instances.map((instance) => ({ instance, ...endpointState(instance, onlyPassing) }));
  const { region, zone } = instances[0]?.locality ?? { region: '', zone: '' };
  return {
    // gRPC's clients want the field even when it says nothing, and a weight in every locality.
    locality: { ...(region === '' ? {} : { region }), ...(zone === '' ? {} : { zone }) },
    loadBalancingWeight: states.reduce((sum, { weight }) => sum + weight, 0),
    lbEndpoints: states.map(({ instance, healthStatus, weight }) => ({
      endpoint: { address: { socketAddress: { address: instance.address, portValue: instance.port } } },
      healthStatus,
      loadBalancingWeight: weight,
      metadata: {
        filterMetadata: {
          weft: { service_id: instance.id, node: instance.node },
          ...(isPlaintext ? PLAINTEXT_METADATA : {}),
        },
      },
    })),
  };
}

/** Consul's rules: critical fails, warning has a weight of its own, and a weight of 0 means "send nothing here". */
function endpointState(
  { checks, weights }: ServiceInstance,
  onlyPassing: boolean,
): { readonly healthStatus: 'HEALTHY' | 'UNHEALTHY'; readonly weight: number } {
  const warning = checks.includes('warning');
  const weight = warning ? weights.warning : weights.passing;
  const failing = checks.includes('critical') || (onlyPassing && warning) || weight < 1;
  return { healthStatus: failing ? 'UNHEALTHY' : 'HEALTHY', weight: Math.min(MAX_WEIGHT, Math.max(1, weight)) };
}
