import type { Fraction } from './matcher.ts';
import type { RateLimitPolicy } from './rate-limit-policy.ts';
import type { HeaderValueOption } from './route-configuration.ts';
import type { GrpcUpstreamService } from './upstream-service.ts';

/** envoy.extensions.filters.http.ratelimit.v3.RateLimit, narrowed. */
export interface GlobalRateLimitConfig {
  readonly kind: 'rateLimit';
  readonly domain: string;
  readonly stage: number;
  readonly requestType: 'internal' | 'external' | 'both';
  readonly service: GrpcUpstreamService;
  readonly filterEnabled: Fraction;
  readonly filterEnforced: Fraction;
  /** Share of requests that are refused where the service cannot be asked. */
  readonly failureModeDeny: Fraction;
  readonly rateLimitedStatus: number;
  readonly statusOnError: number;
  readonly rateLimitedAsResourceExhausted: boolean;
  readonly responseHeadersToAdd: readonly HeaderValueOption[];
  /** `x-ratelimit-limit` and its siblings. */
  readonly addsLimitHeaders: boolean;
  /** `x-envoy-ratelimited`. */
  readonly addsLimitedHeader: boolean;
  /** Goes into the names of what is counted; '' adds nothing. */
  readonly statPrefix: string;
  /** Instead of those of routes and virtual hosts; empty: theirs. */
  readonly rateLimits: readonly RateLimitPolicy[];
}

/** What a route or virtual host says about it. */
export interface GlobalRateLimitRouteConfig {
  readonly kind: 'rateLimitOptions';
  /** What becomes of a virtual host's `rate_limits` on a route with its own. */
  readonly virtualHostLimits: 'override' | 'include' | 'ignore';
  /** '': the filter's. */
  readonly domain: string;
  /** Instead of all others; empty: the others. */
  readonly rateLimits: readonly RateLimitPolicy[];
}
