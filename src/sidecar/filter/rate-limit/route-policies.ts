import type { GlobalRateLimitConfig, GlobalRateLimitRouteConfig } from '../../../resource/global-rate-limit.ts';
import type { RateLimitPolicy } from '../../../resource/rate-limit-policy.ts';
import type { CompiledRoute } from '../../route/route.ts';
import { compileDescriptor, type DescriptorMaker } from './descriptors.ts';

/** What one filter tells of a route's requests. */
export interface RoutePolicies {
  readonly onRequest: readonly DescriptorMaker[];
  /** When a request is over. */
  readonly onDone: readonly DescriptorMaker[];
}

/** The policies that count for a route, each compiled once. */
export class RoutePolicyTable {
  readonly #config: GlobalRateLimitConfig;
  readonly #own: GlobalRateLimitRouteConfig | undefined;
  readonly #byRoute = new WeakMap<CompiledRoute, RoutePolicies>();

  constructor(config: GlobalRateLimitConfig, own: GlobalRateLimitRouteConfig | undefined) {
    this.#config = config;
    this.#own = own;
  }

  of(route: CompiledRoute): RoutePolicies {
    let policies = this.#byRoute.get(route);
    if (policies === undefined) {
      const counting = policiesOf(route, this.#config, this.#own);
      policies = {
        onRequest: counting.filter(({ onStreamDone }) => !onStreamDone).map(compileDescriptor),
        onDone: counting.filter(({ onStreamDone }) => onStreamDone).map(compileDescriptor),
      };
      this.#byRoute.set(route, policies);
    }
    return policies;
  }
}

/** As in Envoy: what stands with the filter takes the place of what stands with routes, the most specific first. */
function policiesOf(
  { action, virtualHostRateLimits }: CompiledRoute,
  config: GlobalRateLimitConfig,
  own: GlobalRateLimitRouteConfig | undefined,
): readonly RateLimitPolicy[] {
  if (action.kind !== 'route') return [];
  if (own !== undefined && own.rateLimits.length > 0) return own.rateLimits;
  if (config.rateLimits.length > 0) return config.rateLimits;
  const { rateLimits, includeVhRateLimits } = action;
  const fate = includeVhRateLimits ? 'include' : (own?.virtualHostLimits ?? 'override');
  const includesHost = fate === 'include' || (fate === 'override' && rateLimits.length === 0);
  const all = includesHost ? [...rateLimits, ...virtualHostRateLimits] : rateLimits;
  return all.filter(({ stage }) => stage === config.stage);
}
