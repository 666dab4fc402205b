import type { Counter, MetricsRegistry } from '../../../telemetry/metrics/metrics.ts';
import type { CacheCounters } from './token-verifier.ts';

/** Envoy's names under `jwt_authn`. */
export class JwtCounters {
  readonly allowed: Counter;
  readonly denied: Counter;
  readonly corsPreflightBypassed: Counter;
  readonly cache: CacheCounters;

  constructor(metrics: MetricsRegistry, statPrefix: string) {
    const scope = { kind: 'http', name: statPrefix } as const;
    this.allowed = metrics.counter(scope, 'jwt_authn.allowed');
    this.denied = metrics.counter(scope, 'jwt_authn.denied');
    this.corsPreflightBypassed = metrics.counter(scope, 'jwt_authn.cors_preflight_bypassed');
    this.cache = {
      hit: metrics.counter(scope, 'jwt_authn.jwt_cache_hit'),
      miss: metrics.counter(scope, 'jwt_authn.jwt_cache_miss'),
    };
  }
}
