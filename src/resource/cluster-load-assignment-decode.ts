import { type Address, addressText } from './address.ts';
import { decodeAddress, decodeLocality } from './address-decode.ts';
import type { ClusterLoadAssignment, Endpoint, LocalityEndpoints } from './cluster-load-assignment.ts';
import { decodeFilterMetadata } from './extension-decode.ts';
import type { MessageReader } from './message-reader.ts';
import { decodeFractionalPercent } from './percent-decode.ts';

export const CLUSTER_LOAD_ASSIGNMENT_MESSAGE = 'envoy.config.endpoint.v3.ClusterLoadAssignment';

/** Envoy's `overprovisioning_factor`. */
export const DEFAULT_OVERPROVISIONING_FACTOR_PERCENT = 140;

/** Envoy's highest priority number. */
const MAX_PRIORITY = 128;

/** Each may be dialled for one connection. */
const MAX_ADDITIONAL_ADDRESSES = 16;

/** The sum of weights must fit 32 bits, as in Envoy and gRPC. */
const MAX_TOTAL_WEIGHT = 2 ** 32 - 1;

const HEALTH_STATUSES = {
  // Nothing known against it: the control plane would have said so.
  UNKNOWN: 'healthy',
  HEALTHY: 'healthy',
  UNHEALTHY: 'unhealthy',
  DRAINING: 'draining',
  TIMEOUT: 'timeout',
  DEGRADED: 'degraded',
} as const;

/** envoy.config.endpoint.v3.ClusterLoadAssignment. Host names are taken only where a DNS cluster embeds it. */
export function decodeClusterLoadAssignment(
  reader: MessageReader,
  hosts: 'ip' | 'ipOrName' = 'ip',
): ClusterLoadAssignment {
  const policy = reader.message('policy');
  const named = reader.messageMap('named_endpoints');
  const localities = reader
    .messages('endpoints')
    .map((locality) => decodeLocalityEndpoints(locality, { hosts, named }));
  refuseGapsInPriorities(reader, localities);
  refuseRepeatedLocalities(reader, localities);
  return {
    clusterName: reader.requiredString('cluster_name'),
    localities,
    ...decodeStaleAfter(policy),
    overprovisioningFactorPercent: decodeOverprovisioningFactor(policy),
    dropOverloads: (policy?.messages('drop_overloads') ?? []).map((dropOverload) => ({
      category: dropOverload.requiredString('category'),
      fraction: decodeFractionalPercent(dropOverload.message('drop_percentage')) ?? 0,
    })),
  };
}

interface EndpointContext {
  readonly hosts: 'ip' | 'ipOrName';
  /** `named_endpoints`, for entries that refer to one. */
  readonly named: ReadonlyMap<string, MessageReader>;
}

function decodeStaleAfter(policy: MessageReader | undefined): Pick<ClusterLoadAssignment, 'staleAfterMs'> {
  const staleAfterMs = policy?.positiveDurationMs('endpoint_stale_after');
  return staleAfterMs === undefined ? {} : { staleAfterMs };
}

function decodeOverprovisioningFactor(policy: MessageReader | undefined): number {
  const factor = policy?.wrappedNumber('overprovisioning_factor') ?? DEFAULT_OVERPROVISIONING_FACTOR_PERCENT;
  if (factor === 0) policy?.fault('overprovisioning_factor', 'must be above 0');
  return factor;
}

function decodeLocalityEndpoints(reader: MessageReader, context: EndpointContext): LocalityEndpoints {
  reader.refuse('leds_cluster_locality_config');
  const priority = reader.number('priority');
  if (priority > MAX_PRIORITY) reader.fault('priority', `must be at most ${MAX_PRIORITY}, not ${priority}`);
  const list = reader.message('load_balancer_endpoints') ?? reader;
  const endpoints = list.messages('lb_endpoints').flatMap((entry) => decodeLbEndpoint(entry, context));
  const totalWeight = endpoints.reduce((sum, endpoint) => sum + endpoint.loadBalancingWeight, 0);
  if (totalWeight > MAX_TOTAL_WEIGHT) reader.fault('lb_endpoints', `weights add up to more than ${MAX_TOTAL_WEIGHT}`);
  return {
    locality: decodeLocality(reader.message('locality')),
    priority,
    loadBalancingWeight: decodeWeight(reader),
    endpoints,
  };
}

function decodeLbEndpoint(reader: MessageReader, context: EndpointContext): readonly Endpoint[] {
  const endpoint = endpointOf(reader, context);
  if (endpoint === undefined) return [];
  const address = decodeAddress(endpoint.requiredMessage('address'), context.hosts);
  return [
    {
      address,
      ...decodeAdditionalAddresses(endpoint, context),
      hostname: endpoint.string('hostname'),
      ...decodeHealthCheckConfig(endpoint.message('health_check_config'), address),
      healthStatus: reader.choice('health_status', HEALTH_STATUSES, 'healthy'),
      loadBalancingWeight: decodeWeight(reader),
      metadata: decodeFilterMetadata(reader.message('metadata')),
    },
  ];
}

function decodeAdditionalAddresses(
  reader: MessageReader,
  { hosts }: EndpointContext,
): Pick<Endpoint, 'additionalAddresses'> {
  const additionals = reader.messages('additional_addresses');
  if (additionals.length > MAX_ADDITIONAL_ADDRESSES) {
    reader.fault('additional_addresses', `must be at most ${MAX_ADDITIONAL_ADDRESSES}, not ${additionals.length}`);
  }
  const addresses = additionals.map((additional) => decodeAddress(additional.requiredMessage('address'), hosts));
  return addresses.length === 0 ? {} : { additionalAddresses: addresses };
}

function decodeHealthCheckConfig(reader: MessageReader | undefined, own: Address): Pick<Endpoint, 'healthCheck'> {
  if (reader === undefined) return {};
  if (reader.boolean('disable_active_health_check')) return { healthCheck: { kind: 'unchecked' } };
  const port = reader.number('port_value');
  if (port > 65_535) reader.fault('port_value', `must be at most 65535, not ${port}`);
  if (port !== 0 && own.kind !== 'ip') reader.fault('port_value', 'needs an address with a port');
  const elsewhere = reader.message('address');
  if (elsewhere !== undefined && port !== 0) reader.fault('port_value', 'excludes address');
  const hostname = reader.string('hostname');
  const other = elsewhere === undefined ? undefined : decodeAddress(elsewhere);
  if (other === undefined && port === 0 && hostname === '') return {};
  const address = other ?? (port !== 0 && own.kind === 'ip' ? { ...own, port } : own);
  return { healthCheck: { kind: 'elsewhere', address, hostname } };
}

function endpointOf(reader: MessageReader, context: EndpointContext): MessageReader | undefined {
  if (reader.oneof('host_identifier') !== 'endpoint_name') return reader.requiredMessage('endpoint');
  const name = reader.string('endpoint_name');
  const endpoint = context.named.get(name);
  if (endpoint === undefined) reader.fault('endpoint_name', `${name} is not in named_endpoints`);
  return endpoint;
}

/** Absent means 1; a weight of 0 has no meaning in either Envoy or gRPC and is refused. */
function decodeWeight(reader: MessageReader): number {
  const weight = reader.wrappedNumber('load_balancing_weight') ?? 1;
  if (weight === 0) reader.fault('load_balancing_weight', 'must be at least 1; leave the entry out to send it nothing');
  return weight;
}

function refuseGapsInPriorities(reader: MessageReader, localities: readonly LocalityEndpoints[]): void {
  const priorities = new Set(localities.map((locality) => locality.priority));
  for (let priority = 0; priority < priorities.size; priority += 1) {
    if (priorities.has(priority)) continue;
    reader.fault('endpoints', `priorities must go up from 0 without a gap; ${priority} is missing`);
    return;
  }
}

function refuseRepeatedLocalities(reader: MessageReader, localities: readonly LocalityEndpoints[]): void {
  const firstByKey = new Map<string, number>();
  localities.forEach(({ locality, priority }, index) => {
    const key = JSON.stringify([priority, locality.region, locality.zone, locality.subZone]);
    const first = firstByKey.get(key);
    if (first === undefined) firstByKey.set(key, index);
    else reader.fault(`endpoints[${index}].locality`, `is the locality of endpoints[${first}], in the same priority`);
  });
}

/** All endpoint addresses of an assignment, for logical DNS, which takes exactly one. */
export function endpointAddresses(assignment: ClusterLoadAssignment): readonly string[] {
  return assignment.localities.flatMap((locality) =>
    locality.endpoints.map((endpoint) => addressText(endpoint.address)),
  );
}
