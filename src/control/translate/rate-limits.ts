import type { Json } from '../snapshot/resource-literal.ts';
import type { InstanceRateLimits, RateLimit } from './config-entries.ts';
import { pathJson } from './route-match.ts';

/** `service-defaults.RateLimits.InstanceLevel`: how many requests one instance takes, of all callers together. */

export const LOCAL_RATE_LIMIT_FILTER = 'envoy.filters.http.local_ratelimit';
const LOCAL_RATE_LIMIT_TYPE = 'type.googleapis.com/envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit';
const ALWAYS: Json = { defaultValue: { numerator: 100, denominator: 'HUNDRED' } };

/** The filter in the chain; without a limit for all it only gives the routes' limits a place to stand. */
export function rateLimitFilterJson(limits: InstanceRateLimits): Json {
  return {
    name: LOCAL_RATE_LIMIT_FILTER,
    typedConfig: limits.requestsPerSecond === 0 ? unlimitedJson() : limitJson(limits),
  };
}

/** Routes to where all requests go, each with its own limit, in the order in which they are tried. */
export function limitedRoutesJson(limits: InstanceRateLimits, route: Json): readonly Json[] {
  return limits.routes
    .filter(({ requestsPerSecond }) => requestsPerSecond > 0)
    .map((limit) => ({
      match: pathJson(limit.path),
      route,
      typedPerFilterConfig: { [LOCAL_RATE_LIMIT_FILTER]: limitJson(limit) },
    }));
}

function unlimitedJson(): Json {
  return { '@type': LOCAL_RATE_LIMIT_TYPE, statPrefix: 'instance' };
}

function limitJson({ requestsPerSecond, maxBurst }: RateLimit): Json {
  return {
    ...unlimitedJson(),
    tokenBucket: {
      maxTokens: Math.max(maxBurst, requestsPerSecond),
      tokensPerFill: requestsPerSecond,
      fillInterval: '1s',
    },
    filterEnabled: ALWAYS,
    filterEnforced: ALWAYS,
    rateLimitedAsResourceExhausted: true,
  };
}
