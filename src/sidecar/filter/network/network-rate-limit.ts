import type { NetworkFilterConfig } from '../../../resource/filter-config.ts';
import type { Counter } from '../../../telemetry/metrics/metrics.ts';
import type { SharedTokenBucket } from '../../cluster/cluster.ts';
import type { NetworkFilter, NetworkRefusal } from './network-filter.ts';
import type { NetworkFilterContext } from './network-filter-context.ts';

const REFUSAL: NetworkRefusal = { details: 'local_rate_limit', delayMs: 0 };

/** envoy.filters.network.local_ratelimit: so many new connections in a while, on all workers together. */
export class NetworkRateLimit implements NetworkFilter {
  readonly #bucket: SharedTokenBucket;
  readonly #limited: Counter;

  constructor(
    config: Extract<NetworkFilterConfig, { readonly kind: 'localRateLimit' }>,
    { metrics, limits, limitKey }: NetworkFilterContext,
  ) {
    this.#bucket = limits.bucket(`${limitKey}/local_ratelimit/${config.statPrefix}`, config.tokenBucket);
    this.#limited = metrics.counter({ kind: 'networkRateLimit', name: config.statPrefix }, 'rate_limited');
  }

  admit(): NetworkRefusal | undefined {
    if (this.#bucket.take()) return undefined;
    this.#limited.increment();
    return REFUSAL;
  }
}
