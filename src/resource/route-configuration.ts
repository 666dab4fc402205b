import type { Fraction, HeaderMatcher, QueryParameterMatcher, StringMatcher } from './matcher.ts';
import type { RateLimitPolicy } from './rate-limit-policy.ts';

/** envoy.config.route.v3.RouteConfiguration, narrowed to what a sidecar obeys. Durations are milliseconds; 0 disables one. */
export interface RouteConfiguration {
  readonly name: string;
  readonly virtualHosts: readonly VirtualHost[];
  readonly headers: HeaderMutations;
  readonly ignorePortInHostMatching: boolean;
}

export interface VirtualHost {
  readonly name: string;
  /** Lower case: exact `a.b`, suffix `*.b`, prefix `a.*`, or `*`. No two virtual hosts share one. */
  readonly domains: readonly string[];
  readonly routes: readonly Route[];
  readonly headers: HeaderMutations;
  readonly retryPolicy: RetryPolicy | undefined;
  readonly hedgePolicy: HedgePolicy | undefined;
  readonly rateLimits: readonly RateLimitPolicy[];
  /** Canonical bytes of extensions by filter name (`typed_per_filter_config`). */
  readonly typedPerFilterConfig: ReadonlyMap<string, TypedExtension>;
}

export interface Route {
  readonly name: string;
  readonly match: RouteMatch;
  readonly action: RouteAction | RedirectAction | DirectResponseAction;
  readonly headers: HeaderMutations;
  readonly typedPerFilterConfig: ReadonlyMap<string, TypedExtension>;
  /** `metadata.filter_metadata` as plain JSON; the control server says here which Consul entry made the route. */
  readonly metadata: FilterMetadata;
}

export type FilterMetadata = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

export type PathMatch =
  | { readonly kind: 'prefix'; readonly prefix: string }
  | { readonly kind: 'path'; readonly path: string }
  | { readonly kind: 'pathSeparatedPrefix'; readonly prefix: string }
  | { readonly kind: 'safeRegex'; readonly pattern: string }
  | { readonly kind: 'connect' };

export interface RouteMatch {
  readonly path: PathMatch;
  readonly caseSensitive: boolean;
  readonly headers: readonly HeaderMatcher[];
  readonly queryParameters: readonly QueryParameterMatcher[];
  readonly runtimeFraction: Fraction;
  readonly grpc: boolean;
}

export interface RouteAction {
  readonly kind: 'route';
  readonly cluster: ClusterSpecifier;
  /** Whole-request timeout, retries included. Envoy's default 15,000; 0 disables. */
  readonly timeoutMs: number;
  /** undefined: the connection manager's stream_idle_timeout applies. */
  readonly idleTimeoutMs: number | undefined;
  readonly maxStreamDurationMs: number | undefined;
  readonly grpcTimeoutHeaderMaxMs: number | undefined;
  readonly grpcTimeoutHeaderOffsetMs: number;
  readonly prefixRewrite: string | undefined;
  readonly regexRewrite: { readonly pattern: string; readonly substitution: string } | undefined;
  readonly hostRewrite:
    | { readonly kind: 'literal'; readonly value: string }
    | { readonly kind: 'auto' }
    | { readonly kind: 'header'; readonly name: string }
    /** Made from the path, without its query. */
    | { readonly kind: 'pathRegex'; readonly pattern: string; readonly substitution: string }
    | undefined;
  readonly retryPolicy: RetryPolicy | undefined;
  readonly hedgePolicy: HedgePolicy | undefined;
  readonly hashPolicy: readonly HashPolicy[];
  readonly requestMirrorPolicies: readonly RequestMirrorPolicy[];
  readonly rateLimits: readonly RateLimitPolicy[];
  /** The virtual host's `rateLimits` count as well. */
  readonly includeVhRateLimits: boolean;
  readonly upgradeTypes: ReadonlyMap<string, boolean>;
  readonly clusterNotFoundResponseCode: 404 | 503 | 500;
  readonly priority: 'default' | 'high';
}

export type ClusterSpecifier =
  | { readonly kind: 'cluster'; readonly name: string }
  | { readonly kind: 'clusterHeader'; readonly header: string }
  | { readonly kind: 'weightedClusters'; readonly clusters: readonly WeightedCluster[]; readonly totalWeight: number };

export interface WeightedCluster {
  readonly name: string;
  readonly weight: number;
  readonly headers: HeaderMutations;
}

export interface RedirectAction {
  readonly kind: 'redirect';
  readonly responseCode: 301 | 302 | 303 | 307 | 308;
  readonly hostRedirect: string | undefined;
  readonly portRedirect: number | undefined;
  readonly pathRedirect: string | undefined;
  readonly prefixRewrite: string | undefined;
  readonly schemeRedirect: string | undefined;
  readonly httpsRedirect: boolean;
  readonly stripQuery: boolean;
}

export interface DirectResponseAction {
  readonly kind: 'directResponse';
  readonly status: number;
  readonly body: string;
}

export interface HeaderMutations {
  readonly requestHeadersToAdd: readonly HeaderValueOption[];
  readonly requestHeadersToRemove: readonly string[];
  readonly responseHeadersToAdd: readonly HeaderValueOption[];
  readonly responseHeadersToRemove: readonly string[];
}

export interface HeaderValueOption {
  /** Lower case; never a pseudo-header or `host`. */
  readonly name: string;
  readonly value: string;
  readonly appendAction: 'appendIfExistsOrAdd' | 'addIfAbsent' | 'overwriteIfExistsOrAdd' | 'overwriteIfExists';
}

export interface RetryPolicy {
  /** Envoy's words: `5xx`, `gateway-error`, `reset`, `connect-failure`, `refused-stream`, `retriable-status-codes`, `cancelled`, … */
  readonly retryOn: readonly string[];
  readonly numRetries: number;
  readonly perTryTimeoutMs: number;
  readonly retriableStatusCodes: readonly number[];
  readonly retriableHeaders: readonly HeaderMatcher[];
  readonly backOff: { readonly baseIntervalMs: number; readonly maxIntervalMs: number };
  /** `envoy.retry_host_predicates.previous_hosts`. */
  readonly previousHosts: boolean;
  /** `envoy.retry_priorities.previous_priorities`: after each so many tries, those tried so far leave their priorities out. */
  readonly previousPrioritiesUpdateFrequency?: number;
  readonly hostSelectionRetryMaxAttempts: number;
}

/** The most specific level counts; the words for several requests from the start are not obeyed, as in Envoy. */
export interface HedgePolicy {
  readonly hedgeOnPerTryTimeout: boolean;
}

export interface HashPolicy {
  readonly terminal: boolean;
  readonly source:
    | { readonly kind: 'header'; readonly name: string }
    | { readonly kind: 'cookie'; readonly name: string; readonly ttlMs: number | undefined; readonly path: string }
    | { readonly kind: 'sourceIp' }
    | { readonly kind: 'queryParameter'; readonly name: string };
}

export interface RequestMirrorPolicy {
  readonly cluster: string;
  readonly fraction: Fraction;
}

/** An extension that stays encoded until its factory reads it: type URL and the Any's bytes. */
export interface TypedExtension {
  readonly typeUrl: string;
  readonly value: Uint8Array;
}

export type { StringMatcher };
