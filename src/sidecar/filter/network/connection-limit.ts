import type { NetworkFilterConfig } from '../../../resource/filter-config.ts';
import type { Counter, Gauge } from '../../../telemetry/metrics/metrics.ts';
import type { ConcurrencyLimit } from '../../cluster/cluster.ts';
import type { NetworkFilter, NetworkRefusal } from './network-filter.ts';
import type { NetworkFilterContext } from './network-filter-context.ts';

/** envoy.filters.network.connection_limit: so many connections of one filter chain at a time on all workers together. */
export class ConnectionLimit implements NetworkFilter {
  readonly #limit: ConcurrencyLimit;
  readonly #refusal: NetworkRefusal;
  readonly #active: Gauge;
  readonly #limited: Counter;

  constructor(
    config: Extract<NetworkFilterConfig, { readonly kind: 'connectionLimit' }>,
    { metrics, limits, limitKey }: NetworkFilterContext,
  ) {
    const scope = { kind: 'connectionLimit', name: config.statPrefix } as const;
    this.#limit = limits.concurrency(`${limitKey}/connection_limit/${config.statPrefix}`, config.maxConnections);
    this.#refusal = { details: 'connection_limit', delayMs: config.delayMs };
    this.#active = metrics.gauge(scope, 'active_connections');
    this.#limited = metrics.counter(scope, 'limited_connections');
  }

  admit(): NetworkRefusal | undefined {
    if (!this.#limit.tryAcquire()) {
      this.#limited.increment();
      return this.#refusal;
    }
    this.#active.add(1);
    return undefined;
  }

  release(): void {
    this.#limit.release();
    this.#active.add(-1);
  }
}
