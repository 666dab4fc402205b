import type { Counter, MetricsRegistry } from '../../../telemetry/metrics/metrics.ts';

/** What became of a token whose signature might be remembered. */
export interface CacheCounters {
  readonly hit: Counter;
  readonly miss: Counter;
}

/** Envoy's names under `jwt_authn`. */
export class JwtCounters {
  readonly allowed: Counter;
  readonly denied: Counter;
  readonly corsPreflightBypassed: Counter;
  readonly cache: CacheCounters;
  readonly fetchSucceeded: Counter;
  readonly fetchFailed: Counter;

  constructor(metrics: MetricsRegistry, statPrefix: string) {
    const scope = { kind: 'http', name: statPrefix } as const;
    this.allowed = metrics.counter(scope, 'jwt_authn.allowed');
    this.denied = metrics.counter(scope, 'jwt_authn.denied');
    this.corsPreflightBypassed = metrics.counter(scope, 'jwt_authn.cors_preflight_bypassed');
    this.fetchSucceeded = metrics.counter(scope, 'jwt_authn.jwks_fetch_success');
    this.fetchFailed = metrics.counter(scope, 'jwt_authn.jwks_fetch_failed');
    this.cache = {
      hit: metrics.counter(scope, 'jwt_authn.jwt_cache_hit'),
      miss: metrics.counter(scope, 'jwt_authn.jwt_cache_miss'),
    };
  }
}
