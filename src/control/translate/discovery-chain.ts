import { datacenter as asDatacenter, type Datacenter, type EntryOrigin, originText } from './catalog.ts';
import type {
  ConfigEntries,
  HeaderModifiers,
  LoadBalancer,
  ServiceResolver,
  ServiceRoute,
  ServiceRouter,
  ServiceSplit,
  ServiceSplitter,
} from './config-entries.ts';
import { isHttp, type Protocol, protocolOfService } from './protocol.ts';
import { TranslationFault } from './translation-fault.ts';

/**
 * Consul's discovery chain, compiled: what a request for a service passes through before it has an endpoint.
 *
 *   router ──each route──▶ splitter ──each split──▶ resolver ──▶ target
 *      └────────────────────────────▶ resolver         ▲
 *   splitters in splitters are flattened; a resolver's redirect is followed; every step exists by default.
 */
export interface DiscoveryChain {
  readonly service: string;
  readonly protocol: Protocol;
  readonly routes: readonly ChainRoute[];
}

export interface ChainRoute {
  /** Undefined: the route that takes what no route of the router took. */
  readonly route: ServiceRoute | undefined;
  readonly next: ChainSplit;
  /** The entry that decided this route; undefined where only defaults did. */
  readonly origin: EntryOrigin | undefined;
}

/** One target, or several with weights. */
export type ChainSplit =
  | { readonly kind: 'target'; readonly target: Target }
  | { readonly kind: 'split'; readonly origin: EntryOrigin; readonly splits: readonly WeightedTarget[] };

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
  readonly connectTimeoutMs: number | undefined;
  readonly requestTimeoutMs: number | undefined;
  readonly loadBalancer: LoadBalancer | undefined;
  readonly origin: EntryOrigin | undefined;
}

export interface ChainRequest {
  readonly service: string;
  readonly datacenter: Datacenter;
  /** The protocol an upstream's own config demands; `tcp` switches routing off. */
  readonly overrideProtocol: Protocol | undefined;
}

/** Splitters nested deeper than this are a mistake even where they are no circle. */
const MAX_SPLITTER_DEPTH = 16;
const MAX_WEIGHTED_TARGETS = 256;

/** Compiles the chain of one upstream. Throws a TranslationFault that names the entry at fault. */
export function compileChain(request: ChainRequest, entries: ConfigEntries): DiscoveryChain {
  const protocol = request.overrideProtocol ?? protocolOfService(request.service, entries);
  const compiler = new ChainCompiler(request, entries, protocol);
  return { service: request.service, protocol, routes: compiler.routes() };
}

/** The target of a service and one of its subsets, without redirects: where a chain ends. A subset that is gone has no filter. */
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
    connectTimeoutMs: resolver?.connectTimeoutMs,
    requestTimeoutMs: resolver?.requestTimeoutMs,
    loadBalancer: resolver?.loadBalancer,
    origin: resolver?.origin,
  };
}

class ChainCompiler {
  readonly #request: ChainRequest;
  readonly #entries: ConfigEntries;
  readonly #protocol: Protocol;

  constructor(request: ChainRequest, entries: ConfigEntries, protocol: Protocol) {
    this.#request = request;
    this.#entries = entries;
    this.#protocol = protocol;
  }

  routes(): readonly ChainRoute[] {
    const { service } = this.#request;
    const router = isHttp(this.#protocol) ? this.#entries.serviceRouters.get(service) : undefined;
    const catchAll: ChainRoute = {
      route: undefined,
      next: this.#split(service, '', []),
      origin: this.#originOf(service),
    };
    if (router === undefined) return [catchAll];
    return [...router.routes.map((route) => this.#route(router, route)), catchAll];
  }

  #route(router: ServiceRouter, route: ServiceRoute): ChainRoute {
    const service = route.destination.service === '' ? this.#request.service : route.destination.service;
    return { route, next: this.#split(service, route.destination.serviceSubset, []), origin: router.origin };
  }

  /** A subset is chosen by the one who names it, so a splitter of that service has no say. */
  #split(service: string, subset: string, within: readonly string[]): ChainSplit {
    this.#requireProtocol(service);
    const splitter = isHttp(this.#protocol) && subset === '' ? this.#entries.serviceSplitters.get(service) : undefined;
    if (splitter === undefined) return { kind: 'target', target: this.#resolve(service, subset) };
    const where = originText(splitter.origin);
    if (within.includes(service) || within.length >= MAX_SPLITTER_DEPTH) {
      throw new TranslationFault(where, `splitters in a circle: ${[...within, service].join(' -> ')}`);
    }
    const splits = splitter.splits.flatMap((split) => this.#weighted(splitter, split, [...within, service]));
    if (splits.length > MAX_WEIGHTED_TARGETS) {
      throw new TranslationFault(where, `${splits.length} weighted targets; ${MAX_WEIGHTED_TARGETS} at most`);
    }
    return { kind: 'split', origin: splitter.origin, splits };
  }

  #weighted(splitter: ServiceSplitter, split: ServiceSplit, within: readonly string[]): readonly WeightedTarget[] {
    const own = within.at(-1) ?? '';
    const service = split.service === '' ? own : split.service;
    const { requestHeaders, responseHeaders } = split;
    if (service === own || split.serviceSubset !== '') {
      this.#requireProtocol(service);
      const target = this.#resolve(service, split.serviceSubset, splitter.origin);
      return [{ weight: split.weight, target, requestHeaders, responseHeaders }];
    }
    const next = this.#split(service, '', within);
    if (next.kind === 'target') return [{ weight: split.weight, target: next.target, requestHeaders, responseHeaders }];
    return next.splits.map((inner) => ({
      weight: Math.round(split.weight * inner.weight) / 100,
      target: inner.target,
      requestHeaders: mergedModifiers(requestHeaders, inner.requestHeaders),
      responseHeaders: mergedModifiers(responseHeaders, inner.responseHeaders),
    }));
  }

  /** Follows redirects, then the default subset, and says what the last resolver says. */
  #resolve(service: string, subset: string, named?: EntryOrigin): Target {
    let at = { service, subset, datacenter: this.#request.datacenter };
    const visited: string[] = [];
    for (;;) {
      const step = `${at.service}/${at.subset}/${at.datacenter}`;
      const resolver = this.#entries.serviceResolvers.get(at.service);
      if (visited.includes(step)) {
        const where = resolver === undefined ? `service-resolver/${at.service}` : originText(resolver.origin);
        throw new TranslationFault(where, `redirects in a circle: ${[...visited, step].join(' -> ')}`);
      }
      visited.push(step);
      const redirect = resolver?.redirect;
      if (redirect === undefined) return this.#target(at, resolver, named);
      at = {
        service: redirect.service === '' ? at.service : redirect.service,
        subset: redirect.service === '' || redirect.serviceSubset !== '' ? redirect.serviceSubset : '',
        datacenter: redirect.datacenter === '' ? at.datacenter : asDatacenter(redirect.datacenter),
      };
      if (redirect.service === '' && redirect.datacenter === '' && redirect.serviceSubset === '') {
        throw new TranslationFault(
          originText(resolver?.origin ?? missing(at.service)),
          'Redirect names nothing to redirect to',
        );
      }
      this.#requireProtocol(at.service);
    }
  }

  #target(
    at: { readonly service: string; readonly subset: string; readonly datacenter: Datacenter },
    resolver: ServiceResolver | undefined,
    named: EntryOrigin | undefined,
  ): Target {
    const subset = at.subset === '' ? (resolver?.defaultSubset ?? '') : at.subset;
    const chosen = resolver?.subsets.get(subset);
    if (subset !== '' && chosen === undefined) {
      const where = originText(named ?? resolver?.origin ?? missing(at.service));
      throw new TranslationFault(
        where,
        `service "${at.service}" has no subset named "${subset}"; add it to Subsets of service-resolver/${at.service}`,
      );
    }
    return targetOf({ ...at, subset }, this.#entries);
  }

  /** Consul's rule: a chain is of one protocol from end to end. An upstream that overrides it takes that on itself. */
  #requireProtocol(service: string): void {
    if (this.#request.overrideProtocol !== undefined) return;
    const protocol = protocolOfService(service, this.#entries);
    if (protocol === this.#protocol) return;
    throw new TranslationFault(
      `discovery chain ${this.#request.service}`,
      `uses inconsistent protocols: "${this.#request.service}" has "${this.#protocol}" and "${service}" has "${protocol}"; ` +
        'give both the same protocol in service-defaults',
    );
  }

  #originOf(service: string): EntryOrigin | undefined {
    const splitter = isHttp(this.#protocol) ? this.#entries.serviceSplitters.get(service) : undefined;
    return splitter?.origin ?? this.#entries.serviceResolvers.get(service)?.origin;
  }
}

function missing(service: string): EntryOrigin {
  return { kind: 'service-resolver', name: service, modifyIndex: 0 };
}

/** What a nested splitter sets wins over what the outer one sets. */
function mergedModifiers(outer: HeaderModifiers, inner: HeaderModifiers): HeaderModifiers {
  return {
    add: [...outer.add, ...inner.add],
    set: [...new Map([...outer.set, ...inner.set])],
    remove: [...new Set([...outer.remove, ...inner.remove])],
  };
}
