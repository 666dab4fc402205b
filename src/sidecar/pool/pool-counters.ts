import type { Counter, Gauge, Histogram, MetricsRegistry } from '../../telemetry/metrics/metrics.ts';

/** What a cluster's pools count, under Envoy's names. Made once per cluster and worker. */
export class PoolCounters {
  readonly cxTotal: Counter;
  readonly cxHttp2Total: Counter;
  readonly cxCloseNotify: Counter;
  readonly cxKeepAliveTimeout: Counter;
  /** Connections that get no stream for a while, since their host has just refused one. */
  readonly cxRefusalRests: Counter;
  readonly cxActive: Gauge;
  readonly cxConnectFail: Counter;
  readonly cxConnectTimeout: Counter;
  readonly cxOverflow: Counter;
  readonly cxDestroy: Counter;
  readonly cxDestroyRemoteWithActiveRq: Counter;
  readonly cxDestroyLocalWithActiveRq: Counter;
  readonly cxIdleTimeout: Counter;
  readonly cxMaxRequests: Counter;
  readonly cxMaxDurationReached: Counter;
  readonly cxProtocolError: Counter;
  readonly cxUnexpectedBytes: Counter;
  readonly cxReused: Counter;
  readonly cxRxBytesTotal: Counter;
  readonly cxTxBytesTotal: Counter;
  readonly cxConnectMs: Histogram;
  readonly rqPendingTotal: Counter;
  readonly rqPendingActive: Gauge;
  readonly rqPendingOverflow: Counter;
  readonly rqPendingTimeout: Counter;
  readonly rqPendingFailureEject: Counter;

  constructor(registry: MetricsRegistry, clusterName: string) {
    const scope = { kind: 'cluster', name: clusterName } as const;
    this.cxTotal = registry.counter(scope, 'upstream_cx_total');
    this.cxHttp2Total = registry.counter(scope, 'upstream_cx_http2_total');
    this.cxCloseNotify = registry.counter(scope, 'upstream_cx_close_notify');
    this.cxKeepAliveTimeout = registry.counter(scope, 'http2.keepalive_timeout');
    this.cxRefusalRests = registry.counter(scope, 'http2.refusal_rests');
    this.cxActive = registry.gauge(scope, 'upstream_cx_active');
    this.cxConnectFail = registry.counter(scope, 'upstream_cx_connect_fail');
    this.cxConnectTimeout = registry.counter(scope, 'upstream_cx_connect_timeout');
    this.cxOverflow = registry.counter(scope, 'upstream_cx_overflow');
    this.cxDestroy = registry.counter(scope, 'upstream_cx_destroy');
    this.cxDestroyRemoteWithActiveRq = registry.counter(scope, 'upstream_cx_destroy_remote_with_active_rq');
    this.cxDestroyLocalWithActiveRq = registry.counter(scope, 'upstream_cx_destroy_local_with_active_rq');
    this.cxIdleTimeout = registry.counter(scope, 'upstream_cx_idle_timeout');
    this.cxMaxRequests = registry.counter(scope, 'upstream_cx_max_requests');
    this.cxMaxDurationReached = registry.counter(scope, 'upstream_cx_max_duration_reached');
    this.cxProtocolError = registry.counter(scope, 'upstream_cx_protocol_error');
    this.cxUnexpectedBytes = registry.counter(scope, 'upstream_cx_unexpected_bytes');
    this.cxReused = registry.counter(scope, 'upstream_cx_reused');
    this.cxRxBytesTotal = registry.counter(scope, 'upstream_cx_rx_bytes_total');
    this.cxTxBytesTotal = registry.counter(scope, 'upstream_cx_tx_bytes_total');
    this.cxConnectMs = registry.histogram(scope, 'upstream_cx_connect_ms');
    this.rqPendingTotal = registry.counter(scope, 'upstream_rq_pending_total');
    this.rqPendingActive = registry.gauge(scope, 'upstream_rq_pending_active');
    this.rqPendingOverflow = registry.counter(scope, 'upstream_rq_pending_overflow');
    this.rqPendingTimeout = registry.counter(scope, 'upstream_rq_pending_timeout');
    this.rqPendingFailureEject = registry.counter(scope, 'upstream_rq_pending_failure_eject');
  }
}
