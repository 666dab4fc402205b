import { CLUSTER_TYPE, LISTENER_TYPE } from '../../resource/type-url.ts';
import type { Json, ResourceLiteral } from '../snapshot/resource-literal.ts';
import type { AccessLoggers } from './access-logs.ts';
import type { ExposedCheck, ProxyRegistration } from './catalog.ts';
import { httpProtocolJson } from './clusters.ts';
import { applicationAddressJson } from './inbound.ts';
import { httpConnectionManagerJson, listenerJson } from './listeners.ts';
import { durationJson } from './names.ts';
import { isIpLiteral, socketAddressJson } from './network-address.ts';
import { type Problem, warningAt } from './problem.ts';
import type { ProxyOptions } from './proxy-options.ts';
import type { TranslatedUnit } from './translated-proxy.ts';

const ANY_ADDRESS = '0.0.0.0';
/** The one method of grpc.health.v1 that Consul's agents call. */
const GRPC_HEALTH_PATH = '/grpc.health.v1.Health/Check';
/** What an agent calls itself where the check's own headers do not say otherwise. */
const AGENT_USER_AGENT = 'Consul Health Check';

export function exposedCheckKey({ checkId, listenerPort }: ExposedCheck): string {
  return `exposed check ${checkId} on ${listenerPort}`;
}

/** Those of the service behind this sidecar. */
export function checksOf(
  { destinationServiceId }: ProxyRegistration,
  checks: readonly ExposedCheck[],
): readonly ExposedCheck[] {
  return checks.filter(({ serviceId }) => serviceId === destinationServiceId);
}

export function nothingExposed({ id, node, destinationServiceId }: ProxyRegistration): Problem {
  const found = `the agent of node ${node} runs no HTTP or gRPC check of service "${destinationServiceId}" through a sidecar`;
  const fix =
    'Register the check with the service, at that agent; one that this server does not ask itself tells of it late (its check_update_interval)';
  return warningAt(`registration ${id}: proxy.expose.checks`, `has nothing to expose: ${found}. ${fix}`);
}

/**
 * A listener through which the node's agent asks one check, where the service is reachable by the mesh alone: for the agent
 * and for whoever is on the same machine, and for the path of the check. Consul's API tells no path before a run of the check
 * has told it: until then whatever calls itself Consul's health check may ask for any.
 */
export function exposedCheckUnit(
  check: ExposedCheck,
  registration: ProxyRegistration,
  options: ProxyOptions,
  loggers: AccessLoggers,
): TranslatedUnit {
  const { listenerPort, kind } = check;
  const protocol = kind === 'grpc' ? 'http2' : 'http';
  const host = options.bindAddress ?? (registration.address === '' ? ANY_ADDRESS : registration.address);
  const address = socketAddressJson(host, listenerPort, `registration ${registration.id}: proxy.expose.checks`);
  const name = `exposed_check:${host}:${listenerPort}`;
  const cluster = `exposed_check_${protocol}`;
  const manager = httpConnectionManagerJson({
    direction: 'inbound',
    statPrefix: `exposed_check_${listenerPort}`,
    protocol,
    traceSamplingPercent: 0,
    loggers,
    routes: {
      routeConfig: {
        name,
        virtualHosts: [{ name, domains: ['*'], routes: [{ match: matchOf(check), route: { cluster } }] }],
      },
    },
  });
  const filters = [onlyFromTheAgentJson(registration.nodeAddress, listenerPort), manager];
  const listener: ResourceLiteral = {
    typeUrl: LISTENER_TYPE,
    name,
    json: listenerJson({
      name,
      address,
      direction: 'INBOUND',
      filterChains: [{ filters }],
      loggers,
      balance: undefined,
    }),
  };
  const endpoint = { address: applicationAddressJson(registration) };
  const json = {
    name: cluster,
    type: 'STATIC',
    connectTimeout: durationJson(options.localConnectTimeoutMs),
    loadAssignment: { clusterName: cluster, endpoints: [{ lbEndpoints: [{ endpoint }] }] },
    ...httpProtocolJson(protocol, options.localKeepaliveMs),
  };
  const resources: ResourceLiteral[] = [listener, { typeUrl: CLUSTER_TYPE, name: cluster, json }];
  return { key: exposedCheckKey(check), resources, endpointGroups: [] };
}

function matchOf(check: ExposedCheck): Json {
  if (check.kind === 'grpc') return { path: GRPC_HEALTH_PATH };
  if (check.path !== undefined) return { path: check.path };
  return { prefix: '/', headers: [{ name: 'user-agent', stringMatch: { exact: AGENT_USER_AGENT } }] };
}

/** Consul's own rule: loopback addresses, and the one at which the agent is known. */
function onlyFromTheAgentJson(agentAddress: string, listenerPort: number): Json {
  const ranges = [
    { addressPrefix: '127.0.0.0', prefixLen: 8 },
    { addressPrefix: '::1', prefixLen: 128 },
    ...(isIpLiteral(agentAddress)
      ? [{ addressPrefix: agentAddress, prefixLen: agentAddress.includes(':') ? 128 : 32 }]
      : []),
  ];
  const policy = { permissions: [{ any: true }], principals: ranges.map((directRemoteIp) => ({ directRemoteIp })) };
  return {
    name: 'envoy.filters.network.rbac',
    typedConfig: {
      '@type': 'type.googleapis.com/envoy.extensions.filters.network.rbac.v3.RBAC',
      statPrefix: `exposed_check_${listenerPort}`,
      rules: { action: 'ALLOW', policies: { agent: policy } },
    },
  };
}
