import type { GlobalRateLimitConfig, GlobalRateLimitRouteConfig } from './global-rate-limit.ts';
import type { JwtAuthnConfig } from './jwt-authn.ts';
import type { Fraction, HeaderMatcher, StringMatcher } from './matcher.ts';
import type { AdaptiveConcurrencyConfig, AdmissionControlConfig } from './overload-filter-config.ts';
import type { Rbac } from './rbac.ts';
import type { HeaderValueOption } from './route-configuration.ts';
import type { ExtAuthzConfig, ExtAuthzRouteConfig } from './upstream-service.ts';

/** The typed configs of HTTP and network filters, narrowed. Durations are milliseconds. */
export type HttpFilterConfig =
  | { readonly kind: 'router'; readonly suppressEnvoyHeaders: boolean }
  | AdaptiveConcurrencyConfig
  | AdmissionControlConfig
  | JwtAuthnConfig
  | RbacFilterConfig
  | ExtAuthzConfig
  | FaultFilterConfig
  | LocalRateLimitConfig
  | GlobalRateLimitConfig
  | HeaderMutationFilterConfig
  | HealthCheckFilterConfig
  | { readonly kind: 'cors' }
  | { readonly kind: 'grpcWeb' }
  /** Answers of gRPC servers made readable for HTTP/1.1 clients; gRPC clients see no difference. */
  | { readonly kind: 'grpcHttp1Bridge' }
  | {
      readonly kind: 'grpcStats';
      readonly statsForAllMethods: boolean;
      /** Paths (`/package.Service/Method`) that are counted by themselves. */
      readonly allowlist: ReadonlySet<string>;
      /** Dots of a service's name become underscores. */
      readonly replaceDots: boolean;
    }
  | { readonly kind: 'buffer'; readonly maxRequestBytes: number }
  | StatefulSessionConfig;

/** What `typed_per_filter_config` says about one filter; `disabled` turns it off for the route. */
export type RouteFilterConfig =
  | { readonly kind: 'disabled' }
  /** An RBACPerRoute without rules lets everything through. */
  | { readonly kind: 'rbac'; readonly rules: Rbac | undefined; readonly shadowRules: Rbac | undefined }
  | ExtAuthzRouteConfig
  | FaultFilterConfig
  | LocalRateLimitConfig
  | GlobalRateLimitRouteConfig
  | HeaderMutationFilterConfig
  | CorsPolicy
  | { readonly kind: 'jwtAuthn'; readonly requirementName: string }
  | { readonly kind: 'buffer'; readonly maxRequestBytes: number }
  | StatefulSessionConfig;

/** Network filters that stand before the terminal one. */
export type NetworkFilterConfig =
  | (RbacFilterConfig & { readonly statPrefix: string })
  | {
      readonly kind: 'connectionLimit';
      readonly statPrefix: string;
      readonly maxConnections: number;
      readonly delayMs: number;
    }
  | { readonly kind: 'localRateLimit'; readonly statPrefix: string; readonly tokenBucket: TokenBucketConfig };

export interface RbacFilterConfig {
  readonly kind: 'rbac';
  /** undefined: nothing is enforced. */
  readonly rules: Rbac | undefined;
  /** Evaluated and counted, never enforced. */
  readonly shadowRules: Rbac | undefined;
  /** Goes into the names of what the rules count; '' adds nothing. */
  readonly rulesStatPrefix: string;
  readonly shadowRulesStatPrefix: string;
}

export interface FaultFilterConfig {
  readonly kind: 'fault';
  /** `fixedMs` undefined: the request's `x-envoy-fault-delay-request` header says it. */
  readonly delay: { readonly fixedMs: number | undefined; readonly fraction: Fraction } | undefined;
  readonly abort:
    | { readonly by: 'httpStatus'; readonly status: number; readonly fraction: Fraction }
    | { readonly by: 'grpcStatus'; readonly status: number; readonly fraction: Fraction }
    | { readonly by: 'header'; readonly fraction: Fraction }
    | undefined;
  /** Empty: every cluster. */
  readonly upstreamCluster: string;
  readonly headers: readonly HeaderMatcher[];
  readonly downstreamNodes: readonly string[];
  readonly maxActiveFaults: number | undefined;
}

export interface TokenBucketConfig {
  readonly maxTokens: number;
  readonly tokensPerFill: number;
  readonly fillIntervalMs: number;
}

export interface LocalRateLimitConfig {
  readonly kind: 'localRateLimit';
  readonly statPrefix: string;
  /** undefined: no limit here; routes may bring one. */
  readonly tokenBucket: TokenBucketConfig | undefined;
  readonly status: number;
  readonly filterEnabled: Fraction;
  readonly filterEnforced: Fraction;
  readonly perDownstreamConnection: boolean;
  readonly rateLimitedAsResourceExhausted: boolean;
  readonly responseHeadersToAdd: readonly HeaderValueOption[];
}

export interface HeaderMutationFilterConfig {
  readonly kind: 'headerMutation';
  readonly requestMutations: readonly HeaderMutation[];
  readonly responseMutations: readonly HeaderMutation[];
  /** Of several levels of routes the most specific has the last word; by default the least specific has it. */
  readonly mostSpecificWins: boolean;
}

export type HeaderMutation =
  | { readonly kind: 'remove'; readonly name: string }
  | { readonly kind: 'append'; readonly option: HeaderValueOption };

export interface HealthCheckFilterConfig {
  readonly kind: 'healthCheck';
  readonly passThroughMode: boolean;
  readonly cacheTimeMs: number | undefined;
  readonly headers: readonly HeaderMatcher[];
  /** Percent of healthy hosts a cluster must have, by cluster. */
  readonly clusterMinHealthyPercentages: ReadonlyMap<string, number>;
}

export interface CorsPolicy {
  readonly kind: 'cors';
  readonly allowOrigins: readonly StringMatcher[];
  readonly allowMethods: string;
  readonly allowHeaders: string;
  readonly exposeHeaders: string;
  readonly maxAge: string;
  readonly allowCredentials: boolean;
  readonly filterEnabled: Fraction;
  readonly allowPrivateNetworkAccess: boolean;
  readonly forwardNotMatchingPreflights: boolean;
}

export interface StatefulSessionConfig {
  readonly kind: 'statefulSession';
  readonly session:
    | { readonly by: 'cookie'; readonly name: string; readonly ttlMs: number | undefined; readonly path: string }
    | { readonly by: 'header'; readonly name: string };
  readonly strict: boolean;
}
