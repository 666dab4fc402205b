import type { GlobalRateLimitConfig } from '../../../resource/global-rate-limit.ts';
import type { Counter, MetricsRegistry } from '../../../telemetry/metrics/metrics.ts';
import type { RuntimeCluster } from '../../cluster/cluster.ts';

/** What the service says about requests to one cluster, with Envoy's names. */
export class RateLimitCounters {
  readonly ok: Counter;
  readonly error: Counter;
  readonly overLimit: Counter;
  readonly failureModeAllowed: Counter;
  readonly #answered: readonly Counter[];

  /** `status` is what requests beyond the limit are answered; they count as answers of the cluster. */
  constructor(metrics: MetricsRegistry, clusterName: string, statPrefix: string, status: number) {
    const scope = { kind: 'cluster', name: clusterName } as const;
    const prefix = statPrefix === '' ? 'ratelimit' : `ratelimit.${statPrefix}`;
    this.ok = metrics.counter(scope, `${prefix}.ok`);
    this.error = metrics.counter(scope, `${prefix}.error`);
    this.overLimit = metrics.counter(scope, `${prefix}.over_limit`);
    this.failureModeAllowed = metrics.counter(scope, `${prefix}.failure_mode_allowed`);
    const names = ['completed', `${Math.floor(status / 100)}xx`, String(status)];
    this.#answered = names.map((name) => metrics.counter(scope, `upstream_rq_${name}`));
  }

  limited(): void {
    this.overLimit.increment();
    for (const counter of this.#answered) counter.increment();
  }
}

/** Those of all clusters that requests go to. A cluster that comes again under its name has new ones. */
export class RateLimitCounterSet {
  readonly #metrics: MetricsRegistry;
  readonly #config: GlobalRateLimitConfig;
  readonly #byCluster = new WeakMap<RuntimeCluster, RateLimitCounters>();

  constructor(metrics: MetricsRegistry, config: GlobalRateLimitConfig) {
    this.#metrics = metrics;
    this.#config = config;
  }

  of(cluster: RuntimeCluster): RateLimitCounters {
    let counters = this.#byCluster.get(cluster);
    if (counters === undefined) {
      const { statPrefix, rateLimitedStatus } = this.#config;
      counters = new RateLimitCounters(this.#metrics, cluster.name, statPrefix, rateLimitedStatus);
      this.#byCluster.set(cluster, counters);
    }
    return counters;
  }
}
