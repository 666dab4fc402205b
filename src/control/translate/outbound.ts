import { CLUSTER_TYPE, LISTENER_TYPE, ROUTE_CONFIGURATION_TYPE } from '../../resource/type-url.ts';
import type { Json, ResourceLiteral } from '../snapshot/resource-literal.ts';
import type { AccessLoggers } from './access-logs.ts';
import { datacenter, type ProxyRegistration, type Upstream } from './catalog.ts';
import { ADS_CONFIG_SOURCE, targetClusterJson } from './clusters.ts';
import type { ConfigEntries } from './config-entries.ts';
import { compileChain, type DiscoveryChain, type Target } from './discovery-chain.ts';
import { endpointGroup } from './endpoint-group.ts';
import { httpConnectionManagerJson, listenerJson, tcpProxyJson } from './listeners.ts';
import type { MutualTlsTerms } from './mutual-tls.ts';
import { assignmentName, clusterName, upstreamName } from './names.ts';
import { pipeAddressJson, socketAddressJson } from './network-address.ts';
import type { Problem } from './problem.ts';
import { isHttp } from './protocol.ts';
import { routeConfigurationJson, targetsOf } from './route-configuration.ts';
import { targetIdentity, upstreamTransportJson } from './tls-contexts.ts';
import type { TranslatedUnit } from './translated-proxy.ts';
import { TranslationFault } from './translation-fault.ts';
import type { UpstreamOptions } from './upstream-options.ts';

const LOCALHOST = '127.0.0.1';

export interface OutboundContext {
  readonly registration: ProxyRegistration;
  readonly entries: ConfigEntries;
  readonly trustDomain: string;
  /** Undefined: instances are called in plaintext. */
  readonly mutualTls: MutualTlsTerms | undefined;
  readonly traceSamplingPercent: number;
  readonly loggers: AccessLoggers;
  /** What is to be mended without being a fault of the whole. */
  readonly report: (problems: readonly Problem[]) => void;
}

/** What the application reaches one upstream through: a listener of its own, routes, and a cluster per target. */
export function outboundUnit(upstream: Upstream, options: UpstreamOptions, context: OutboundContext): TranslatedUnit {
  const { registration, entries, trustDomain, mutualTls } = context;
  const where = `registration ${registration.id}: upstream ${upstream.destinationName}`;
  refuseUnsupported(upstream, where);
  const chain = compileChain(
    {
      service: upstream.destinationName,
      datacenter: upstream.datacenter === '' ? registration.datacenter : datacenter(upstream.datacenter),
      overrideProtocol: options.protocol,
    },
    entries,
  );
  context.report(chain.problems);
  const name = upstreamName(upstream.destinationName, upstream.datacenter);
  const clusterOf = (target: Target): string => clusterName(target, trustDomain, options.customization);
  const targets = distinctTargets(chain, trustDomain);
  const clusters = targets.map(([assignment, target]): ResourceLiteral => {
    const cluster = clusterOf(target);
    const transport = upstreamTransportJson(mutualTls, entries.mesh, targetIdentity(target, trustDomain));
    const json = targetClusterJson({ cluster, assignment }, target, chain.protocol, options, transport);
    return { typeUrl: CLUSTER_TYPE, name: cluster, json };
  });
  const listener = listenerLiteral(upstream, options, name, chain, clusterOf, context, where);
  const resources = [listener, ...clusters];
  if (isHttp(chain.protocol)) {
    const json = routeConfigurationJson(name, chain, { clusterOf, numRetries: options.numRetries });
    resources.push({ typeUrl: ROUTE_CONFIGURATION_TYPE, name, json });
  }
  return {
    key: `upstream ${name}`,
    resources,
    endpointGroups: targets.map(([assignment, target]) => endpointGroup(assignment, target)),
  };
}

function refuseUnsupported(upstream: Upstream, where: string): void {
  if (upstream.destinationPeer !== '') throw new TranslationFault(where, 'cluster peering is not supported');
}

function listenerLiteral(
  upstream: Upstream,
  options: UpstreamOptions,
  name: string,
  chain: DiscoveryChain,
  clusterOf: (target: Target) => string,
  context: OutboundContext,
  where: string,
): ResourceLiteral {
  const bound = bindAddress(upstream, where);
  const listenerName = `${name}:${bound.text}`;
  const statPrefix = `upstream.${chain.service}.default.${upstream.datacenter || context.registration.datacenter}`;
  const filter = isHttp(chain.protocol)
    ? httpConnectionManagerJson({
        direction: 'outbound',
        statPrefix,
        protocol: chain.protocol,
        traceSamplingPercent: context.traceSamplingPercent,
        routes: { rds: { routeConfigName: name, configSource: ADS_CONFIG_SOURCE } },
        loggers: context.loggers,
      })
    : tcpProxyJson(statPrefix, clusterOf(onlyTarget(chain)), context.loggers);
  const json = listenerJson({
    name: listenerName,
    address: bound.address,
    direction: 'OUTBOUND',
    filterChains: [{ filters: [filter] }],
    loggers: context.loggers,
    balance: options.balanceOutboundConnections,
  });
  return { typeUrl: LISTENER_TYPE, name: listenerName, json };
}

/** Where the application finds this upstream. */
export function bindAddress(upstream: Upstream, where: string): { readonly text: string; readonly address: Json } {
  if (upstream.localBindSocketPath !== '') {
    const address = pipeAddressJson(upstream.localBindSocketPath, upstream.localBindSocketMode);
    return { text: upstream.localBindSocketPath, address };
  }
  const host = upstream.localBindAddress === '' ? LOCALHOST : upstream.localBindAddress;
  const address = socketAddressJson(host, upstream.localBindPort, `${where}: local_bind_address and local_bind_port`);
  return { text: `${host}:${upstream.localBindPort}`, address };
}

/** A chain of bytes has neither routes nor splits: one target. */
function onlyTarget(chain: DiscoveryChain): Target {
  const next = chain.routes.at(-1)?.next;
  if (next === undefined || next.kind !== 'target') {
    throw new TranslationFault(`discovery chain ${chain.service}`, 'a TCP chain cannot be split');
  }
  return next.target;
}

/** Every target of the chain once, by the name of its assignment, in the order of the names. */
function distinctTargets(chain: DiscoveryChain, trustDomain: string): readonly (readonly [string, Target])[] {
  const targets = chain.routes.flatMap(({ next }) => targetsOf(next));
  const byName = new Map(targets.map((target) => [assignmentName(target, trustDomain), target] as const));
  return [...byName].sort(([a], [b]) => (a < b ? -1 : 1));
}
