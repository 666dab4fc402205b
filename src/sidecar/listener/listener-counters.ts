import type { Counter, Gauge, MetricsRegistry } from '../../telemetry/metrics/metrics.ts';

/** What a listener counts, under Envoy's names. `address` as bound in text. */
export class ListenerCounters {
  readonly cxTotal: Counter;
  readonly cxActive: Gauge;
  readonly cxDestroy: Counter;
  readonly cxOverflow: Counter;
  readonly noFilterChainMatch: Counter;

  constructor(registry: MetricsRegistry, address: string) {
    const scope = { kind: 'listener', name: address } as const;
    this.cxTotal = registry.counter(scope, 'downstream_cx_total');
    this.cxActive = registry.gauge(scope, 'downstream_cx_active');
    this.cxDestroy = registry.counter(scope, 'downstream_cx_destroy');
    this.cxOverflow = registry.counter(scope, 'downstream_cx_overflow');
    this.noFilterChainMatch = registry.counter(scope, 'no_filter_chain_match');
  }
}

/** What a TCP proxy counts under its stat prefix. */
export class TcpCounters {
  readonly cxTotal: Counter;
  readonly cxNoRoute: Counter;
  readonly cxRxBytesTotal: Counter;
  readonly cxTxBytesTotal: Counter;
  readonly idleTimeout: Counter;
  readonly maxDurationReached: Counter;

  constructor(registry: MetricsRegistry, statPrefix: string) {
    const scope = { kind: 'tcp', name: statPrefix } as const;
    this.cxTotal = registry.counter(scope, 'downstream_cx_total');
    this.cxNoRoute = registry.counter(scope, 'downstream_cx_no_route');
    this.cxRxBytesTotal = registry.counter(scope, 'downstream_cx_rx_bytes_total');
    this.cxTxBytesTotal = registry.counter(scope, 'downstream_cx_tx_bytes_total');
    this.idleTimeout = registry.counter(scope, 'idle_timeout');
    this.maxDurationReached = registry.counter(scope, 'max_downstream_connection_duration');
  }
}
