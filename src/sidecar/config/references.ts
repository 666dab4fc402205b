import type { Cluster } from '../../resource/cluster.ts';
import { decodeHttpFilterConfig } from '../../resource/decode-extension.ts';
import type { HttpFilter } from '../../resource/http-connection-manager.ts';
import type { Listener } from '../../resource/listener.ts';
import type { ClusterSpecifier, RouteConfiguration } from '../../resource/route-configuration.ts';

/** Names of the route configurations that these listeners ask RDS for. */
export function wantedRouteConfigurations(listeners: Iterable<Listener>): Set<string> {
  const names = new Set<string>();
  for (const listener of listeners) for (const name of rdsNamesOf(listener)) names.add(name);
  return names;
}

/** Service names that these clusters ask EDS for. */
export function wantedAssignments(clusters: Iterable<Cluster>): Set<string> {
  const names = new Set<string>();
  for (const cluster of clusters) if (cluster.discovery.kind === 'eds') names.add(cluster.discovery.serviceName);
  return names;
}

export function rdsNamesOf(listener: Listener): string[] {
  const names: string[] = [];
  for (const chain of chainsOf(listener)) {
    for (const filter of chain.filters) {
      if (filter.kind === 'httpConnectionManager' && filter.config.routes.kind === 'rds') {
        names.push(filter.config.routes.routeConfigName);
      }
    }
  }
  return names;
}

/** Clusters a listener may send to, as far as its own text and the given route configurations say. */
export function clustersOf(
  listener: Listener,
  routeConfigurations: ReadonlyMap<string, RouteConfiguration>,
): Set<string> {
  const names = new Set<string>();
  for (const chain of chainsOf(listener)) {
    for (const filter of chain.filters) {
      if (filter.kind === 'tcpProxy') addSpecifier(names, filter.config.cluster);
      if (filter.kind !== 'httpConnectionManager') continue;
      const { routes, httpFilters } = filter.config;
      for (const httpFilter of httpFilters) addFilterService(names, httpFilter);
      const configuration =
        routes.kind === 'inline' ? routes.routeConfiguration : routeConfigurations.get(routes.routeConfigName);
      if (configuration !== undefined) addRoutes(names, configuration);
    }
  }
  return names;
}

/** HTTP filters that ask a service about requests. */
const ASKING_FILTER = /\/envoy\.extensions\.filters\.http\.(?:ext_authz|jwt_authn|ratelimit)\.v3\./;

function addFilterService(names: Set<string>, { config }: HttpFilter): void {
  if (!ASKING_FILTER.test(config.typeUrl)) return;
  const decoded = decodeHttpFilterConfig(config);
  if (decoded.ok && decoded.value.kind === 'jwtAuthn') {
    for (const { keys } of decoded.value.providers.values()) if (keys.kind === 'remote') names.add(keys.clusterName);
  }
  if (decoded.ok && decoded.value.kind === 'rateLimit') names.add(decoded.value.service.clusterName);
  if (!decoded.ok || decoded.value.kind !== 'extAuthz') return;
  const { service } = decoded.value;
  names.add(service.by === 'grpc' ? service.grpc.clusterName : service.clusterName);
}

export function chainsOf(listener: Listener): readonly Listener['filterChains'][number][] {
  return listener.defaultFilterChain === undefined
    ? listener.filterChains
    : [...listener.filterChains, listener.defaultFilterChain];
}

function addRoutes(names: Set<string>, configuration: RouteConfiguration): void {
  for (const virtualHost of configuration.virtualHosts) {
    for (const route of virtualHost.routes) {
      if (route.action.kind !== 'route') continue;
      addSpecifier(names, route.action.cluster);
      for (const mirror of route.action.requestMirrorPolicies) names.add(mirror.cluster);
    }
  }
}

function addSpecifier(names: Set<string>, specifier: ClusterSpecifier): void {
  if (specifier.kind === 'cluster') names.add(specifier.name);
  if (specifier.kind === 'weightedClusters') for (const cluster of specifier.clusters) names.add(cluster.name);
}
