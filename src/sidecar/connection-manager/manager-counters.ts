import type { Counter, Gauge, Histogram, MetricsRegistry } from '../../telemetry/metrics/metrics.ts';

/** What a connection manager counts under its stat prefix, with Envoy's names. */
export class ManagerCounters {
  readonly cxTotal: Counter;
  readonly cxActive: Gauge;
  readonly cxHttp1Total: Counter;
  readonly cxHttp2Total: Counter;
  readonly cxProtocolError: Counter;
  readonly cxIdleTimeout: Counter;
  readonly cxDrainClose: Counter;
  readonly cxMaxRequestsReached: Counter;
  readonly cxDestroyRemoteActiveRq: Counter;
  /** How often all answers of an HTTP/2 connection were paused because its client takes none. */
  readonly cxBacklogPaused: Counter;
  readonly cxUpgradesTotal: Counter;
  readonly cxUpgradesActive: Gauge;
  readonly rqTotal: Counter;
  readonly rqActive: Gauge;
  readonly rqCompleted: Counter;
  readonly rqTime: Histogram;
  readonly rqRxReset: Counter;
  readonly rqTimeout: Counter;
  readonly rqHeaderTimeout: Counter;
  readonly rqIdleTimeout: Counter;
  readonly rqMaxDurationReached: Counter;
  readonly rqGrpcDeadlineExceeded: Counter;
  readonly noRoute: Counter;
  readonly #byClass: readonly Counter[];
  readonly #http2ByReason = new Map<string, Counter>();
  readonly #registry: MetricsRegistry;
  readonly #statPrefix: string;

  constructor(registry: MetricsRegistry, statPrefix: string) {
    this.#registry = registry;
    this.#statPrefix = statPrefix;
    const scope = { kind: 'http', name: statPrefix } as const;
    this.cxTotal = registry.counter(scope, 'downstream_cx_total');
    this.cxActive = registry.gauge(scope, 'downstream_cx_active');
    this.cxHttp1Total = registry.counter(scope, 'downstream_cx_http1_total');
    this.cxHttp2Total = registry.counter(scope, 'downstream_cx_http2_total');
    this.cxProtocolError = registry.counter(scope, 'downstream_cx_protocol_error');
    this.cxIdleTimeout = registry.counter(scope, 'downstream_cx_idle_timeout');
    this.cxDrainClose = registry.counter(scope, 'downstream_cx_drain_close');
    this.cxMaxRequestsReached = registry.counter(scope, 'downstream_cx_max_requests_reached');
    this.cxDestroyRemoteActiveRq = registry.counter(scope, 'downstream_cx_destroy_remote_active_rq');
    this.cxBacklogPaused = registry.counter(scope, 'downstream_http2_backlog_paused');
    this.cxUpgradesTotal = registry.counter(scope, 'downstream_cx_upgrades_total');
    this.cxUpgradesActive = registry.gauge(scope, 'downstream_cx_upgrades_active');
    this.rqTotal = registry.counter(scope, 'downstream_rq_total');
    this.rqActive = registry.gauge(scope, 'downstream_rq_active');
    this.rqCompleted = registry.counter(scope, 'downstream_rq_completed');
    this.rqTime = registry.histogram(scope, 'downstream_rq_time');
    this.rqRxReset = registry.counter(scope, 'downstream_rq_rx_reset');
    this.rqTimeout = registry.counter(scope, 'downstream_rq_timeout');
    this.rqHeaderTimeout = registry.counter(scope, 'downstream_rq_header_timeout');
    this.rqIdleTimeout = registry.counter(scope, 'downstream_rq_idle_timeout');
    this.rqMaxDurationReached = registry.counter(scope, 'downstream_rq_max_duration_reached');
    this.rqGrpcDeadlineExceeded = registry.counter(scope, 'downstream_rq_grpc_deadline_exceeded');
    this.noRoute = registry.counter(scope, 'no_route');
    this.#byClass = ['1xx', '2xx', '3xx', '4xx', '5xx'].map((name) => registry.counter(scope, `downstream_rq_${name}`));
  }

  /** A stream or connection of HTTP/2 ended before its time; the codec's catalogue bounds the reasons. */
  http2Reset(reason: string): void {
    let counter = this.#http2ByReason.get(reason);
    if (counter === undefined) {
      const scope = { kind: 'http', name: this.#statPrefix } as const;
      counter = this.#registry.counter(scope, `downstream_http2_${reason.replaceAll('-', '_')}`);
      this.#http2ByReason.set(reason, counter);
    }
    counter.increment();
  }

  answered(status: number): void {
    this.rqCompleted.increment();
    this.#byClass[Math.floor(status / 100) - 1]?.increment();
  }
}
