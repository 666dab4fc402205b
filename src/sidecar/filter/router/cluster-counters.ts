import type { Counter, Gauge, Histogram, MetricsRegistry } from '../../../telemetry/metrics/metrics.ts';

/** What the router counts about a cluster's requests, under Envoy's names. */
export class ClusterCounters {
  readonly rqTotal: Counter;
  readonly rqActive: Gauge;
  readonly rqCompleted: Counter;
  readonly rqTime: Histogram;
  readonly rqTimeout: Counter;
  readonly rqPerTryTimeout: Counter;
  readonly rqCancelled: Counter;
  readonly rqOverflow: Counter;
  readonly rqDropOverload: Counter;
  readonly rqRxReset: Counter;
  readonly rqRetry: Counter;
  readonly rqRetrySuccess: Counter;
  readonly rqRetryOverflow: Counter;
  readonly rqRetryLimitExceeded: Counter;
  readonly rqReusedConnectionRetry: Counter;
  readonly noHealthyUpstream: Counter;
  readonly #byClass: readonly Counter[];
  readonly #byStatus: (Counter | undefined)[] = new Array<Counter | undefined>(600).fill(undefined);
  readonly #registry: MetricsRegistry;
  readonly #scope: { readonly kind: 'cluster'; readonly name: string };

  constructor(registry: MetricsRegistry, clusterName: string) {
    const scope = { kind: 'cluster', name: clusterName } as const;
    this.#registry = registry;
    this.#scope = scope;
    this.rqTotal = registry.counter(scope, 'upstream_rq_total');
    this.rqActive = registry.gauge(scope, 'upstream_rq_active');
    this.rqCompleted = registry.counter(scope, 'upstream_rq_completed');
    this.rqTime = registry.histogram(scope, 'upstream_rq_time');
    this.rqTimeout = registry.counter(scope, 'upstream_rq_timeout');
    this.rqPerTryTimeout = registry.counter(scope, 'upstream_rq_per_try_timeout');
    this.rqCancelled = registry.counter(scope, 'upstream_rq_cancelled');
    this.rqOverflow = registry.counter(scope, 'upstream_rq_overflow');
    this.rqDropOverload = registry.counter(scope, 'upstream_rq_drop_overload');
    this.rqRxReset = registry.counter(scope, 'upstream_rq_rx_reset');
    this.rqRetry = registry.counter(scope, 'upstream_rq_retry');
    this.rqRetrySuccess = registry.counter(scope, 'upstream_rq_retry_success');
    this.rqRetryOverflow = registry.counter(scope, 'upstream_rq_retry_overflow');
    this.rqRetryLimitExceeded = registry.counter(scope, 'upstream_rq_retry_limit_exceeded');
    this.rqReusedConnectionRetry = registry.counter(scope, 'upstream_rq_reused_connection_retry');
    this.noHealthyUpstream = registry.counter(scope, 'upstream_cx_none_healthy');
    this.#byClass = ['1xx', '2xx', '3xx', '4xx', '5xx'].map((name) => registry.counter(scope, `upstream_rq_${name}`));
  }

  /** One answered request, from the upstream or in its stead. */
  completed(status: number): void {
    this.rqCompleted.increment();
    this.#byClass[Math.floor(status / 100) - 1]?.increment();
    const known = this.#byStatus[status];
    if (known !== undefined) known.increment();
    else if (status >= 100 && status < 600) {
      const counter = this.#registry.counter(this.#scope, `upstream_rq_${status}`);
      this.#byStatus[status] = counter;
      counter.increment();
    }
  }
}
