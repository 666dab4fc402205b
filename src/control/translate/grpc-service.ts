import { CLUSTER_TYPE, LISTENER_TYPE, ROUTE_CONFIGURATION_TYPE } from '../../resource/type-url.ts';
import type { Json, ResourceLiteral } from '../snapshot/resource-literal.ts';
import { datacenter as asDatacenter, type Datacenter } from './catalog.ts';
import { ADS_CONFIG_SOURCE } from './clusters.ts';
import type { ConfigEntries } from './config-entries.ts';
import { compileChain, type Target, targetOf } from './discovery-chain.ts';
import { endpointGroup } from './endpoint-group.ts';
import { grpcClusterJson } from './grpc-clusters.ts';
import { grpcRouteConfigurationJson } from './grpc-routes.ts';
import { ROUTER_FILTER } from './listeners.ts';
import { failoverAssignment, targetName } from './names.ts';
import type { Problem } from './problem.ts';
import { targetsOf } from './route-configuration.ts';
import type { EndpointGroup } from './translated-proxy.ts';
import { TranslationFault } from './translation-fault.ts';

/** What gRPC clients' resources are made of, beside the endpoints. */
export interface GrpcScope {
  readonly entries: ConfigEntries;
  readonly trustDomain: string;
  /** Where the clients are: a gRPC client has no registration that would say. */
  readonly datacenter: Datacenter;
}

/** `xds:///<service>` as one client needs it, but for clusters, which are asked for by their own names. */
export interface GrpcService {
  readonly listener: ResourceLiteral;
  /** Undefined where the entries contradict each other: clients then keep the routes they have. */
  readonly routeConfiguration: ResourceLiteral | undefined;
  readonly targets: readonly (readonly [cluster: string, Target])[];
  readonly problems: readonly Problem[];
}

/** No name that stands for something else in gRPC (`grpc/server?…`, `xdstp://…`), or that no registration can have. */
const SERVICE_NAME = /^[^\s\p{Cc}/?#%"'`\\]{1,128}$/u;

/** Whether a name can be a service's. Whether Consul knows the service is another question: one without instances is one, too. */
export function isServiceName(name: string): boolean {
  return SERVICE_NAME.test(name);
}

/** The resources of one service for gRPC clients, named after it. Never throws on bad entries. */
export function translateGrpcService(service: string, scope: GrpcScope): GrpcService {
  const listener: ResourceLiteral = { typeUrl: LISTENER_TYPE, name: service, json: apiListenerJson(service) };
  try {
    const { entries, datacenter, trustDomain } = scope;
    const chain = compileChain({ service, datacenter, overrideProtocol: undefined }, entries);
    const clusterOf = (target: Target): string => targetName(target, trustDomain);
    const targets = chain.routes.flatMap(({ next }) => targetsOf(next));
    const { json, problems } = grpcRouteConfigurationJson(service, chain, clusterOf);
    const routeConfiguration: ResourceLiteral = { typeUrl: ROUTE_CONFIGURATION_TYPE, name: service, json };
    const byCluster = new Map(targets.map((target) => [clusterOf(target), target]));
    return { listener, routeConfiguration, targets: [...byCluster], problems };
  } catch (error) {
    if (!(error instanceof TranslationFault)) throw error;
    return { listener, routeConfiguration: undefined, targets: [], problems: [error.problem] };
  }
}

/** It only leads to the routes, so it never changes, and a service that has no instances has one all the same. */
function apiListenerJson(service: string): Json {
  const apiListener = {
    '@type': 'type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager',
    statPrefix: service,
    rds: { routeConfigName: service, configSource: ADS_CONFIG_SOURCE },
    httpFilters: [ROUTER_FILTER],
  };
  return { name: service, apiListener: { apiListener } };
}

export function grpcCluster(name: string, target: Target): ResourceLiteral {
  return { typeUrl: CLUSTER_TYPE, name, json: grpcClusterJson(name, target) };
}

/** The instances behind a cluster of a gRPC client; the same group, by the same name, as sidecars have. */
export function grpcEndpointGroup(name: string, target: Target): EndpointGroup {
  return endpointGroup(target.failover.length === 0 ? name : failoverAssignment(name), target);
}

/**
 * The target that a cluster's name stands for. A client that comes back asks for the clusters it had, before it says for
 * what service: they must be there, or it takes them for removed.
 */
export function targetNamed(cluster: string, { entries, trustDomain }: GrpcScope): Target | undefined {
  const suffix = `.internal.${trustDomain}`;
  if (!cluster.endsWith(suffix)) return undefined;
  const [, prefix = '', datacenter = ''] = /^(.+)\.default\.([^.]+)$/.exec(cluster.slice(0, -suffix.length)) ?? [];
  if (!isServiceName(prefix)) return undefined;
  const dot = prefix.indexOf('.');
  const at = { service: prefix.slice(dot + 1), subset: prefix.slice(0, Math.max(dot, 0)) };
  const isSubset = dot > 0 && entries.serviceResolvers.get(at.service)?.subsets.has(at.subset) === true;
  return targetOf(
    { ...(isSubset ? at : { service: prefix, subset: '' }), datacenter: asDatacenter(datacenter) },
    entries,
  );
}
