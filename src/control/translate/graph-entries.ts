import type { ChainEntries, ChainResolver } from '../../discovery-chain/discovery-chain.ts';
import type {
  ConfigEntries,
  HeaderModifiers,
  LoadBalancer,
  ServiceResolver,
  ServiceRoute,
  ServiceSplit,
} from './config-entries.ts';

type HeaderPairs = HeaderModifiers['add'];

/** Our entries as a chain is compiled from them. */
export function graphEntries(entries: ConfigEntries): ChainEntries<ServiceRoute, ServiceSplit, LoadBalancer> {
  const meshWide = entries.proxyDefaults?.config['protocol'];
  return {
    mesh: { protocol: typeof meshWide === 'string' ? meshWide : '', meshGatewayMode: '', dialedDirectly: false },
    serviceSettings: (service) => {
      const defaults = entries.serviceDefaults.get(service);
      if (defaults === undefined) return undefined;
      const { protocol, externalSni } = defaults;
      return { protocol, externalSni, meshGatewayMode: '', dialedDirectly: false };
    },
    router: (service) =>
      entries.serviceRouters.get(service)?.routes.map((definition) => {
        const { service: named, serviceSubset } = definition.destination;
        return { service: named, subset: serviceSubset, definition };
      }),
    splitter: (service) =>
      entries.serviceSplitters.get(service)?.splits.map((definition) => {
        const { weight, service: named, serviceSubset } = definition;
        return { weight, service: named, subset: serviceSubset, definition };
      }),
    resolver: (service) => {
      const resolver = entries.serviceResolvers.get(service);
      return resolver === undefined ? undefined : graphResolver(resolver);
    },
    mergeSplits,
    isHashing,
  };
}

function graphResolver(resolver: ServiceResolver): ChainResolver<LoadBalancer> {
  const { defaultSubset, subsets, redirect, failover, connectTimeoutMs, requestTimeoutMs, loadBalancer } = resolver;
  return {
    defaultSubset,
    subsets: new Set(subsets.keys()),
    redirect: redirect === undefined ? undefined : { ...redirect, subset: redirect.serviceSubset },
    failover: new Map(
      [...failover].map(([subset, changes]) => [
        subset,
        changes.map((change) => ({ ...change, subset: change.serviceSubset })),
      ]),
    ),
    connectTimeoutMs: connectTimeoutMs ?? 0,
    requestTimeoutMs: requestTimeoutMs ?? 0,
    loadBalancer,
    isDefault: false,
  };
}

/** Requests pass the outer split first, so the inner one has the last word; answers come back the other way. */
function mergeSplits(outer: ServiceSplit, inner: ServiceSplit): ServiceSplit {
  return {
    ...inner,
    requestHeaders: mergedModifiers(outer.requestHeaders, inner.requestHeaders),
    responseHeaders: mergedModifiers(inner.responseHeaders, outer.responseHeaders),
  };
}

function mergedModifiers(first: HeaderModifiers, last: HeaderModifiers): HeaderModifiers {
  return {
    add: mergedPairs(first.add, last.add),
    set: mergedPairs(first.set, last.set),
    remove: [...new Set([...first.remove, ...last.remove])],
  };
}

/** In the order of their names, as entries have them. */
function mergedPairs(first: HeaderPairs, last: HeaderPairs): HeaderPairs {
  return [...new Map([...first, ...last])].sort(([a], [b]) => (a < b ? -1 : 1));
}

function isHashing({ policy }: LoadBalancer): boolean {
  return policy === 'ring_hash' || policy === 'maglev';
}
