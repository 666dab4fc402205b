import { CLUSTER_TYPE, LISTENER_TYPE, ROUTE_CONFIGURATION_TYPE } from '../../resource/type-url.ts';
import type { ResourceLiteral } from '../snapshot/resource-literal.ts';
import { datacenter, type Upstream } from './catalog.ts';
import { ADS_CONFIG_SOURCE, targetClusterJson } from './clusters.ts';
import { httpConnectionManagerJson, listenerJson, tcpProxyJson } from './listeners.ts';
import { bindAddress, type OutboundContext } from './outbound.ts';
import { isHttp, type Protocol, protocolOfService } from './protocol.ts';
import { retryPolicyJson } from './retry-policy.ts';
import { MATCH_ALL } from './route-match.ts';
import { serviceUriPrefix } from './spiffe.ts';
import { upstreamTransportJson } from './tls-contexts.ts';
import type { TranslatedUnit } from './translated-proxy.ts';
import type { UpstreamOptions } from './upstream-options.ts';

/** Consul's default for a resolver's ConnectTimeout, which a query has none of. */
const CONNECT_TIMEOUT_MS = 5_000;

/** As Consul names the upstream. */
export function preparedQueryName({ destinationName, datacenter: inDatacenter }: Upstream): string {
  return `prepared_query:${destinationName}${inDatacenter === '' ? '' : `?dc=${inDatacenter}`}`;
}

/**
 * An upstream whose instances a prepared query names. Config entries have no say about it, as in Consul: no chain, and the
 * protocol that the upstream's own config says, which is TCP where it says none.
 */
export function preparedQueryUnit(
  upstream: Upstream,
  options: UpstreamOptions,
  context: OutboundContext,
): TranslatedUnit {
  const { registration, entries, trustDomain, mutualTls, traceSamplingPercent, loggers } = context;
  const where = `registration ${registration.id}: upstream ${upstream.destinationName}`;
  const inDatacenter = upstream.datacenter === '' ? registration.datacenter : datacenter(upstream.datacenter);
  const protocol = protocolOf(upstream, options, context);
  const name = preparedQueryName(upstream);
  const assignment = `${upstream.destinationName}.default.${inDatacenter}.query.${trustDomain}`;
  const cluster = options.customization === '' ? assignment : `${options.customization}~${assignment}`;
  const query = {
    isPreparedQuery: true,
    service: upstream.destinationName,
    datacenter: inDatacenter,
    filter: '',
  } as const;
  const target = {
    ...{ service: upstream.destinationName, subset: '', datacenter: inDatacenter, filter: '', onlyPassing: false },
    ...{ connectTimeoutMs: CONNECT_TIMEOUT_MS, loadBalancer: undefined, failover: [], origin: undefined },
  };
  // Which service a query leads to is known only with its instances: any service of the mesh will do.
  const names = [{ sanType: 'URI', matcher: { prefix: serviceUriPrefix(trustDomain) } }];
  const transport = upstreamTransportJson(mutualTls, entries.mesh, { sni: assignment, names });
  const bound = bindAddress(upstream, where);
  const filter = isHttp(protocol)
    ? httpConnectionManagerJson({
        ...{ direction: 'outbound', statPrefix: `upstream.${name}`, protocol, traceSamplingPercent, loggers },
        routes: { rds: { routeConfigName: name, configSource: ADS_CONFIG_SOURCE } },
      })
    : tcpProxyJson(`upstream.${name}`, cluster, loggers);
  const listenerName = `${name}:${bound.text}`;
  const resources: ResourceLiteral[] = [
    {
      typeUrl: LISTENER_TYPE,
      name: listenerName,
      json: listenerJson({
        ...{ name: listenerName, address: bound.address, direction: 'OUTBOUND' },
        ...{ filterChains: [{ filters: [filter] }], loggers, balance: options.balanceOutboundConnections },
      }),
    },
    {
      typeUrl: CLUSTER_TYPE,
      name: cluster,
      json: targetClusterJson({ cluster, assignment }, target, protocol, options, transport),
    },
  ];
  if (isHttp(protocol)) {
    const retryPolicy = retryPolicyJson(undefined, options.numRetries);
    const route = { cluster, ...(retryPolicy === undefined ? {} : { retryPolicy }) };
    const virtualHosts = [{ name, domains: ['*'], routes: [{ match: MATCH_ALL, route }] }];
    resources.push({ typeUrl: ROUTE_CONFIGURATION_TYPE, name, json: { name, virtualHosts } });
  }
  return { key: `upstream ${name}`, resources, endpointGroups: [{ name: assignment, query, onlyPassing: false }] };
}

/** A protocol that equals the mesh's default is "not said" among the options; here only what the upstream itself says counts. */
function protocolOf(upstream: Upstream, options: UpstreamOptions, { entries }: OutboundContext): Protocol {
  if (upstream.config['protocol'] === undefined) return 'tcp';
  return options.protocol ?? protocolOfService(upstream.destinationName, entries);
}
