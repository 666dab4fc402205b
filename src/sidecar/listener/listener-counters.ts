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

/**
 * What a listener's filters count. Envoy roots most of these at the filter's own name; here they stand under the listener's
 * address, so that one can tell which listener it was.
 */
export class InspectionCounters {
  readonly active: Gauge;
  readonly timeout: Counter;
  readonly remoteClose: Counter;
  readonly error: Counter;
  readonly tlsFound: Counter;
  readonly tlsNotFound: Counter;
  readonly sniFound: Counter;
  readonly sniNotFound: Counter;
  readonly alpnFound: Counter;
  readonly alpnNotFound: Counter;
  readonly clientHelloTooLarge: Counter;
  readonly clientHelloMalformed: Counter;
  readonly proxyNotFoundAllowed: Counter;
  readonly proxyNotFoundDisallowed: Counter;
  readonly #proxyFound: readonly Counter[];
  readonly #proxyError: readonly Counter[];
  readonly #http: Readonly<Record<'http/1.0' | 'http/1.1' | 'h2c', Counter>>;
  readonly #httpNotFound: Counter;

  constructor(registry: MetricsRegistry, address: string) {
    const scope = { kind: 'listener', name: address } as const;
    const counter = (name: string): Counter => registry.counter(scope, name);
    this.active = registry.gauge(scope, 'downstream_pre_cx_active');
    this.timeout = counter('downstream_pre_cx_timeout');
    this.remoteClose = counter('downstream_listener_filter_remote_close');
    this.error = counter('downstream_listener_filter_error');
    this.tlsFound = counter('tls_inspector.tls_found');
    this.tlsNotFound = counter('tls_inspector.tls_not_found');
    this.sniFound = counter('tls_inspector.sni_found');
    this.sniNotFound = counter('tls_inspector.sni_not_found');
    this.alpnFound = counter('tls_inspector.alpn_found');
    this.alpnNotFound = counter('tls_inspector.alpn_not_found');
    this.clientHelloTooLarge = counter('tls_inspector.client_hello_too_large');
    this.clientHelloMalformed = counter('tls_inspector.client_hello_malformed');
    this.proxyNotFoundAllowed = counter('proxy_proto.not_found_allowed');
    this.proxyNotFoundDisallowed = counter('proxy_proto.not_found_disallowed');
    this.#proxyFound = [1, 2].map((version) => counter(`proxy_proto.versions.v${version}.found`));
    this.#proxyError = [1, 2].map((version) => counter(`proxy_proto.versions.v${version}.error`));
    this.#http = {
      'http/1.0': counter('http_inspector.http10_found'),
      'http/1.1': counter('http_inspector.http11_found'),
      h2c: counter('http_inspector.http2_found'),
    };
    this.#httpNotFound = counter('http_inspector.http_not_found');
  }

  proxyFound(version: 1 | 2): void {
    this.#proxyFound[version - 1]?.increment();
  }

  proxyError(version: 1 | 2): void {
    this.#proxyError[version - 1]?.increment();
  }

  httpFound(protocol: 'http/1.0' | 'http/1.1' | 'h2c' | undefined): void {
    (protocol === undefined ? this.#httpNotFound : this.#http[protocol]).increment();
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
