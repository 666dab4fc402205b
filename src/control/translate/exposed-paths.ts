import { CLUSTER_TYPE, LISTENER_TYPE } from '../../resource/type-url.ts';
import type { ResourceLiteral } from '../snapshot/resource-literal.ts';
import type { AccessLoggers } from './access-logs.ts';
import type { Expose, ExposedPath, ProxyRegistration } from './catalog.ts';
import { httpProtocolJson } from './clusters.ts';
import type { ConfigEntries } from './config-entries.ts';
import { httpConnectionManagerJson, listenerJson } from './listeners.ts';
import { durationJson } from './names.ts';
import { socketAddressJson } from './network-address.ts';
import type { ProxyOptions } from './proxy-options.ts';
import type { TranslatedUnit } from './translated-proxy.ts';

const ANY_ADDRESS = '0.0.0.0';
const LOCALHOST = '127.0.0.1';

/** As Consul's agents merge them into a registration: its own paths count, else its service's, else the mesh's. */
export function effectiveExpose(
  { expose, destinationService }: ProxyRegistration,
  { serviceDefaults, proxyDefaults }: ConfigEntries,
): Expose {
  const written = [expose, serviceDefaults.get(destinationService)?.expose, proxyDefaults?.expose];
  const paths = written.map((each) => each?.paths ?? []).find(({ length }) => length > 0) ?? [];
  return { checks: written.some((each) => each?.checks === true), paths };
}

export function exposedPathKey({ listenerPort, path }: ExposedPath): string {
  return `exposed path ${path} on ${listenerPort}`;
}

/**
 * One path of the application on a port of its own, for those who are no part of the mesh (a health check, a scraper): that
 * path exactly, and none of the mesh's rules. Named as Consul names it.
 */
export function exposedPathUnit(
  exposed: ExposedPath,
  registration: ProxyRegistration,
  options: ProxyOptions,
  loggers: AccessLoggers,
): TranslatedUnit {
  const { path, protocol, listenerPort, localPathPort } = exposed;
  const host = options.bindAddress ?? (registration.address === '' ? ANY_ADDRESS : registration.address);
  const where = `registration ${registration.id}: proxy.expose.paths ${path}`;
  const name = `exposed_path_${path.replace(/[^A-Za-z0-9_]/g, '')}`;
  const cluster = `exposed_cluster_${localPathPort}`;
  const filter = httpConnectionManagerJson({
    direction: 'inbound',
    statPrefix: `${name}_${listenerPort}`,
    protocol,
    traceSamplingPercent: 0,
    loggers,
    routes: {
      routeConfig: {
        name,
        virtualHosts: [{ name, domains: ['*'], routes: [{ match: { path }, route: { cluster } }] }],
      },
    },
  });
  const listenerName = `${name}:${host}:${listenerPort}`;
  const listener: ResourceLiteral = {
    typeUrl: LISTENER_TYPE,
    name: listenerName,
    json: listenerJson({
      ...{ name: listenerName, address: socketAddressJson(host, listenerPort, where), direction: 'INBOUND' },
      ...{ filterChains: [{ filters: [filter] }], loggers, balance: undefined },
    }),
  };
  const localHost = registration.localServiceAddress === '' ? LOCALHOST : registration.localServiceAddress;
  const endpoint = { address: socketAddressJson(localHost, localPathPort, where) };
  const json = {
    name: cluster,
    type: 'STATIC',
    connectTimeout: durationJson(options.localConnectTimeoutMs),
    loadAssignment: { clusterName: cluster, endpoints: [{ lbEndpoints: [{ endpoint }] }] },
    ...httpProtocolJson(protocol, options.localKeepaliveMs),
  };
  const resources: ResourceLiteral[] = [listener, { typeUrl: CLUSTER_TYPE, name: cluster, json }];
  return { key: exposedPathKey(exposed), resources, endpointGroups: [] };
}
