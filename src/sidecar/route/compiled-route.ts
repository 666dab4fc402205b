import type { Random } from '../../base/random.ts';
import type { HeaderEdits } from '../../http/header-edits.ts';
import type { HeaderFields } from '../../http/header-fields.ts';
import type { RateLimitPolicy } from '../../resource/rate-limit-policy.ts';
import type {
  ClusterSpecifier,
  DirectResponseAction,
  HeaderMutations,
  RedirectAction,
  Route,
  RouteAction,
  RouteConfiguration,
  TypedExtension,
  VirtualHost,
} from '../../resource/route-configuration.ts';
import {
  compileHeaderMatcher,
  compileQueryParameterMatcher,
  headerValue,
  type MatchableRequest,
  type RequestPredicate,
} from './header-match.ts';
import { CompiledMutations } from './header-mutation.ts';
import { compilePathMatch, matchedPathLength } from './path-match.ts';
import { RegexRewrite } from './regex-rewrite.ts';
import { CompiledRetryPolicy } from './retry-policy.ts';

/** Which cluster a request goes to, with the mutations that belong to that choice. */
export interface ClusterChoice {
  readonly name: string;
  readonly mutations: CompiledMutations;
}

/** One route ready to run. Immutable; shared by every stream of its RuntimeConfig. */
export class CompiledRoute {
  /** The route's own name, or `<virtual host>/<index>` where it has none, so that a span can always name it. */
  readonly name: string;
  readonly virtualHostName: string;
  readonly route: Route;
  readonly action: RouteAction | RedirectAction | DirectResponseAction;
  readonly retryPolicy: CompiledRetryPolicy | undefined;
  /** A try that takes long goes on while another is made. */
  readonly hedgesOnPerTryTimeout: boolean;
  /** Mutations of route, virtual host and route configuration; a weighted cluster's come with its ClusterChoice instead. */
  readonly mutations: CompiledMutations;
  readonly virtualHostRateLimits: readonly RateLimitPolicy[];
  /** What route and virtual host say about filters, by filter name, the route's own first; undefined where neither does. */
  readonly filterConfigs: ReadonlyMap<string, readonly TypedExtension[]> | undefined;
  readonly #matchesPath: (path: string) => boolean;
  readonly #predicates: readonly RequestPredicate[];
  readonly #queryPredicates: readonly ((query: string) => boolean)[];
  readonly #choices: readonly ClusterChoice[];
  readonly #cumulativeWeights: readonly number[];
  readonly #regexRewrite: RegexRewrite | undefined;
  readonly #hostFromPath: RegexRewrite | undefined;

  constructor(route: Route, index: number, virtualHost: VirtualHost, configuration: RouteConfiguration) {
    this.route = route;
    this.name = route.name === '' ? `${virtualHost.name}/${index}` : route.name;
    this.virtualHostName = virtualHost.name;
    this.action = route.action;
    this.virtualHostRateLimits = virtualHost.rateLimits;
    const levels: readonly HeaderMutations[] = [route.headers, virtualHost.headers, configuration.headers];
    this.mutations = new CompiledMutations(levels);
    this.filterConfigs = filterConfigsOf([route.typedPerFilterConfig, virtualHost.typedPerFilterConfig]);
    const policy = (route.action.kind === 'route' ? route.action.retryPolicy : undefined) ?? virtualHost.retryPolicy;
    const hedge = (route.action.kind === 'route' ? route.action.hedgePolicy : undefined) ?? virtualHost.hedgePolicy;
    this.hedgesOnPerTryTimeout = hedge?.hedgeOnPerTryTimeout ?? false;
    this.retryPolicy = policy === undefined ? undefined : new CompiledRetryPolicy(policy);
    this.#matchesPath = compilePathMatch(route.match.path, route.match.caseSensitive);
    this.#predicates = route.match.headers.map(compileHeaderMatcher);
    this.#queryPredicates = route.match.queryParameters.map(compileQueryParameterMatcher);
    const specifier = route.action.kind === 'route' ? route.action.cluster : undefined;
    this.#choices = compileChoices(specifier, this.mutations, levels);
    this.#cumulativeWeights = cumulativeWeights(specifier);
    const rewrite = route.action.kind === 'route' ? route.action.regexRewrite : undefined;
    this.#regexRewrite = rewrite === undefined ? undefined : new RegexRewrite(rewrite.pattern, rewrite.substitution);
    const host = route.action.kind === 'route' ? route.action.hostRewrite : undefined;
    this.#hostFromPath = host?.kind === 'pathRegex' ? new RegexRewrite(host.pattern, host.substitution) : undefined;
  }

  /** `path` is request.path without its query, cut once by the caller. */
  matches(request: MatchableRequest, path: string, random: Random): boolean {
    if (!this.#matchesPath(path)) return false;
    for (const matches of this.#predicates) if (!matches(request)) return false;
    if (this.#queryPredicates.length > 0 && !this.#acceptsQuery(request.path.slice(path.length + 1))) return false;
    const { match } = this.route;
    if (match.grpc && !isGrpc(request)) return false;
    return match.runtimeFraction >= 1 || random.next() < match.runtimeFraction;
  }

  #acceptsQuery(query: string): boolean {
    return this.#queryPredicates.every((matches) => matches(query));
  }

  /**
   * undefined where the cluster is named by a request header that is missing or empty. Of weighted ones it is the `settled`
   * one, where somebody has picked for this request before.
   */
  pickCluster(request: MatchableRequest, random: Random, settled = ''): ClusterChoice | undefined {
    if (this.action.kind !== 'route') return undefined;
    const specifier = this.action.cluster;
    if (specifier.kind === 'clusterHeader') {
      const name = headerValue(request, specifier.header);
      return name === undefined || name === '' ? undefined : { name, mutations: this.mutations };
    }
    if (specifier.kind === 'cluster') return this.#choices[0];
    if (settled !== '') return this.#choices.find(({ name }) => name === settled);
    const point = random.next() * specifier.totalWeight;
    for (let index = 0; index < this.#choices.length; index++) {
      if (point < (this.#cumulativeWeights[index] ?? 0)) return this.#choices[index];
    }
    return this.#choices.at(-1);
  }

  /** The path to send upstream: rewritten before the query, which is kept. Returns the same string where nothing changes. */
  rewritePath(requestPath: string): string {
    if (this.action.kind !== 'route') return requestPath;
    const { prefixRewrite } = this.action;
    if (prefixRewrite === undefined && this.#regexRewrite === undefined) return requestPath;
    const queryAt = requestPath.indexOf('?');
    const path = queryAt < 0 ? requestPath : requestPath.slice(0, queryAt);
    const rest = queryAt < 0 ? '' : requestPath.slice(queryAt);
    if (prefixRewrite !== undefined)
      return prefixRewrite + path.slice(matchedPathLength(this.route.match.path, path)) + rest;
    if (this.#regexRewrite === undefined) return requestPath;
    return this.#regexRewrite.rewrite(path) + rest;
  }

  /** The authority to send upstream. `hostname` is the picked endpoint's, for `auto_host_rewrite`. */
  rewriteAuthority(request: MatchableRequest, hostname: string): string {
    if (this.action.kind !== 'route' || this.action.hostRewrite === undefined) return request.authority;
    const rewrite = this.action.hostRewrite;
    switch (rewrite.kind) {
      case 'literal':
        return rewrite.value;
      case 'auto':
        return hostname === '' ? request.authority : hostname;
      case 'header':
        return headerValue(request, rewrite.name) ?? request.authority;
      case 'pathRegex':
        return this.#hostFromPath?.rewrite(pathWithoutQuery(request.path)) ?? request.authority;
    }
  }

  applyResponseMutations(edits: HeaderEdits, fields: HeaderFields, choice: ClusterChoice | undefined): void {
    (choice?.mutations ?? this.mutations).applyToResponse(edits, fields);
  }
}

function pathWithoutQuery(path: string): string {
  const queryAt = path.indexOf('?');
  return queryAt < 0 ? path : path.slice(0, queryAt);
}

function filterConfigsOf(
  levels: readonly ReadonlyMap<string, TypedExtension>[],
): ReadonlyMap<string, readonly TypedExtension[]> | undefined {
  if (levels.every((level) => level.size === 0)) return undefined;
  const names = new Set(levels.flatMap((level) => [...level.keys()]));
  return new Map([...names].map((name) => [name, levels.flatMap((level) => level.get(name) ?? [])]));
}

export function isGrpc(request: MatchableRequest): boolean {
  const contentType = request.fields.get('content-type');
  return contentType !== undefined && /^application\/grpc(?:$|[+;])/.test(contentType);
}

function compileChoices(
  specifier: ClusterSpecifier | undefined,
  mutations: CompiledMutations,
  levels: readonly HeaderMutations[],
): readonly ClusterChoice[] {
  if (specifier === undefined || specifier.kind === 'clusterHeader') return [];
  if (specifier.kind === 'cluster') return [{ name: specifier.name, mutations }];
  return specifier.clusters.map((cluster) => ({
    name: cluster.name,
    mutations: new CompiledMutations([cluster.headers, ...levels]),
  }));
}

function cumulativeWeights(specifier: ClusterSpecifier | undefined): readonly number[] {
  if (specifier?.kind !== 'weightedClusters') return [];
  let sum = 0;
  return specifier.clusters.map((cluster) => {
    sum += cluster.weight;
    return sum;
  });
}
