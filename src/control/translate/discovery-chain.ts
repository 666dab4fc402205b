import {
  ChainFault,
  type CompiledChain,
  compileChain as compileGraph,
  NO_OVERRIDES,
} from '../../discovery-chain/discovery-chain.ts';
import { datacenter as asDatacenter, type Datacenter, type EntryOrigin, originText } from './catalog.ts';
import type {
  ConfigEntries,
  HeaderModifiers,
  LoadBalancer,
  LoadBalancerHashPolicy,
  ServiceRoute,
  ServiceSplit,
} from './config-entries.ts';
import { graphEntries } from './graph-entries.ts';
import { type Problem, warningAt } from './problem.ts';
import { isHttp, knownProtocol, type Protocol } from './protocol.ts';
import { TranslationFault } from './translation-fault.ts';

/**
 * Consul's discovery chain as a proxy's routes need it: routes in their order, each with one target or several with weights.
 * What a graph of entries comes to is decided in `discovery-chain/`; here it is laid out, with what each step says.
 */
export interface DiscoveryChain {
  readonly service: string;
  readonly protocol: Protocol;
  readonly routes: readonly ChainRoute[];
  /** What of the entries is not followed, though the rest is. */
  readonly problems: readonly Problem[];
}

export interface ChainRoute {
  /** Undefined: the route that takes what no route of the router took. */
  readonly route: ServiceRoute | undefined;
  readonly next: ChainSplit;
  /** Undefined leaves it to the proxy's default; 0 is none. */
  readonly requestTimeoutMs: number | undefined;
  readonly hashPolicies: readonly LoadBalancerHashPolicy[];
  /** The entry that decided this route; undefined where only defaults did. */
  readonly origin: EntryOrigin | undefined;
}

/** One target, or several with weights. */
export type ChainSplit =
  | { readonly kind: 'target'; readonly target: Target }
  | { readonly kind: 'split'; readonly origin: EntryOrigin | undefined; readonly splits: readonly WeightedTarget[] };

export interface WeightedTarget {
  /** Percent, two decimals. */
  readonly weight: number;
  readonly target: Target;
  readonly requestHeaders: HeaderModifiers;
  readonly responseHeaders: HeaderModifiers;
}

/** What a resolver decided: which instances of which service where, and how to reach them. */
export interface Target {
  readonly service: string;
  readonly subset: string;
  readonly datacenter: Datacenter;
  readonly filter: string;
  readonly onlyPassing: boolean;
  readonly connectTimeoutMs: number;
  readonly loadBalancer: LoadBalancer | undefined;
  /** Where to turn to, in this order, while no instance of the target itself is healthy. */
  readonly failover: readonly FailoverTarget[];
  readonly origin: EntryOrigin | undefined;
}

/** A failover's own failover is not followed. */
export type FailoverTarget = Pick<Target, 'service' | 'subset' | 'datacenter' | 'filter' | 'onlyPassing'>;

export interface ChainRequest {
  readonly service: string;
  readonly datacenter: Datacenter;
  /** The protocol an upstream's own config demands; `tcp` switches routing off. */
  readonly overrideProtocol: Protocol | undefined;
}

type Graph = CompiledChain<ServiceRoute, ServiceSplit, LoadBalancer>;

/** Compiles the chain of one upstream. Throws a TranslationFault that names the entry at fault. */
export function compileChain(request: ChainRequest, entries: ConfigEntries): DiscoveryChain {
  return new ChainLayout(request.service, compiledGraph(request, entries), entries).chain();
}

/** The target of a service and one of its subsets, without redirects and failover. A subset that is gone has no filter. */
export function targetOf(
  { service, subset, datacenter }: Pick<Target, 'service' | 'subset' | 'datacenter'>,
  entries: ConfigEntries,
): Target {
  const resolver = entries.serviceResolvers.get(service);
  const chosen = resolver?.subsets.get(subset);
  return {
    service,
    subset,
    datacenter,
    filter: chosen?.filter ?? '',
    onlyPassing: chosen?.onlyPassing ?? false,
    connectTimeoutMs: resolver?.connectTimeoutMs ?? DEFAULT_CONNECT_TIMEOUT_MS,
    loadBalancer: resolver?.loadBalancer,
    failover: [],
    origin: resolver?.origin,
  };
}

/** Consul's default for a resolver's ConnectTimeout. */
const DEFAULT_CONNECT_TIMEOUT_MS = 5_000;
const MAX_WEIGHTED_TARGETS = 256;

function compiledGraph({ service, datacenter, overrideProtocol }: ChainRequest, entries: ConfigEntries): Graph {
  try {
    const overrides = { ...NO_OVERRIDES, protocol: overrideProtocol ?? '' };
    return compileGraph({ service, datacenter, overrides }, graphEntries(entries));
  } catch (error) {
    if (!(error instanceof ChainFault)) throw error;
    const origin = originOf(error.entry.kind, error.entry.name, entries);
    const where = origin === undefined ? `discovery chain ${service}` : originText(origin);
    throw new TranslationFault(where, `${error.message}; mend this entry, or the ones that lead to it`);
  }
}

class ChainLayout {
  readonly #service: string;
  readonly #graph: Graph;
  readonly #entries: ConfigEntries;
  readonly #problems = new Map<string, Problem>();

  constructor(service: string, graph: Graph, entries: ConfigEntries) {
    this.#service = service;
    this.#graph = graph;
    this.#entries = entries;
  }

  chain(): DiscoveryChain {
    const { protocol, startNode } = this.#graph;
    const known = knownProtocol(protocol, `discovery chain ${this.#service}`);
    const routes = this.#routes(startNode, known);
    return { service: this.#service, protocol: known, routes, problems: [...this.#problems.values()] };
  }

  #routes(startNode: string, protocol: Protocol): readonly ChainRoute[] {
    const start = this.#graph.nodes.get(startNode);
    if (start?.type !== 'router') {
      // Consul's rule: behind a router or a splitter, a resolver's RequestTimeout has no route to stand on.
      const timeoutMs = start?.type === 'resolver' && isHttp(protocol) ? start.requestTimeoutMs : 0;
      return [this.#route(undefined, startNode, timeoutMs === 0 ? undefined : timeoutMs)];
    }
    return start.routes.map(({ definition, nextNode }) =>
      this.#route(definition, nextNode, definition?.destination.requestTimeoutMs),
    );
  }

  #route(route: ServiceRoute | undefined, nextNode: string, requestTimeoutMs: number | undefined): ChainRoute {
    const node = this.#graph.nodes.get(nextNode);
    const balancer = node === undefined || node.type === 'router' ? undefined : node.loadBalancer;
    const next = this.#split(nextNode);
    const router = route === undefined ? undefined : this.#entries.serviceRouters.get(this.#service);
    return {
      route,
      next,
      requestTimeoutMs,
      hashPolicies: balancer?.hashPolicies ?? [],
      origin: router?.origin ?? (next.kind === 'split' ? next.origin : next.target.origin),
    };
  }

  #split(key: string): ChainSplit {
    const node = this.#graph.nodes.get(key);
    if (node?.type !== 'splitter') return { kind: 'target', target: this.#target(key) };
    const service = node.name.slice(0, -'.default.default'.length);
    const origin = originOf('service-splitter', service, this.#entries);
    if (node.splits.length > MAX_WEIGHTED_TARGETS) {
      const where = origin === undefined ? `service-splitter/${service}` : originText(origin);
      throw new TranslationFault(where, `${node.splits.length} weighted targets; ${MAX_WEIGHTED_TARGETS} at most`);
    }
    const splits = node.splits.map(({ weight, definition, nextNode }) => ({
      weight,
      target: this.#target(nextNode),
      requestHeaders: definition.requestHeaders,
      responseHeaders: definition.responseHeaders,
    }));
    return { kind: 'split', origin, splits };
  }

  #target(key: string): Target {
    const node = this.#graph.nodes.get(key);
    const named = node?.type === 'resolver' ? this.#graph.targets.get(node.target) : undefined;
    if (node?.type !== 'resolver' || named === undefined) throw new Error(`a chain without its node ${key}`);
    if (named.peer !== '') {
      const origin = originOf('service-resolver', named.service, this.#entries);
      const where = origin === undefined ? `discovery chain ${this.#service}` : originText(origin);
      throw new TranslationFault(where, `leads to cluster peer "${named.peer}"; cluster peering is not supported`);
    }
    const target = targetOf({ ...named, datacenter: asDatacenter(named.datacenter) }, this.#entries);
    const failover = node.failover.flatMap((id) => this.#failoverTarget(id, target));
    return { ...target, connectTimeoutMs: node.connectTimeoutMs, failover };
  }

  #failoverTarget(id: string, { origin, service }: Target): readonly FailoverTarget[] {
    const named = this.#graph.targets.get(id);
    if (named === undefined) return [];
    if (named.peer === '') {
      const { filter, onlyPassing } = targetOf({ ...named, datacenter: asDatacenter(named.datacenter) }, this.#entries);
      const { service: other, subset, datacenter } = named;
      return [{ service: other, subset, datacenter: asDatacenter(datacenter), filter, onlyPassing }];
    }
    const where = origin === undefined ? `discovery chain ${service}` : originText(origin);
    const message = `Failover to cluster peer "${named.peer}" is left out: cluster peering is not supported`;
    this.#problems.set(`${where} ${named.peer}`, warningAt(where, message));
    return [];
  }
}

function originOf(kind: string, name: string, entries: ConfigEntries): EntryOrigin | undefined {
  switch (kind) {
    case 'service-router':
      return entries.serviceRouters.get(name)?.origin;
    case 'service-splitter':
      return entries.serviceSplitters.get(name)?.origin;
    case 'service-resolver':
      return entries.serviceResolvers.get(name)?.origin;
    default:
      return entries.serviceDefaults.get(name)?.origin;
  }
}
