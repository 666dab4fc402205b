import { decodeNetworkFilterConfig } from '../../../resource/decode-extension.ts';
import type { NetworkFilterConfig } from '../../../resource/filter-config.ts';
import type { FilterChain } from '../../../resource/listener.ts';
import { ConnectionLimit } from './connection-limit.ts';
import type { NetworkConnection, NetworkFilter, NetworkRefusal } from './network-filter.ts';
import type { NetworkFilterContext } from './network-filter-context.ts';
import { NetworkRateLimit } from './network-rate-limit.ts';
import { NetworkRbac } from './network-rbac.ts';

/** A connection that the network filters of its chain have let in. */
export class Admission {
  readonly connection: NetworkConnection;
  readonly chain: NetworkFilterChain;

  constructor(chain: NetworkFilterChain, connection: NetworkConnection) {
    this.chain = chain;
    this.connection = connection;
  }

  release(): void {
    this.chain.release();
  }
}

/** The network filters before the terminal one of a filter chain. */
export class NetworkFilterChain {
  readonly #filters: readonly NetworkFilter[];

  constructor(filters: readonly NetworkFilter[]) {
    this.#filters = filters;
  }

  /** The first refusal counts; those that had let the connection in by then are told that it left. */
  admit(connection: NetworkConnection): NetworkRefusal | Admission {
    for (const [index, filter] of this.#filters.entries()) {
      const refusal = filter.admit(connection);
      if (refusal === undefined) continue;
      for (const earlier of this.#filters.slice(0, index)) earlier.release?.();
      return refusal;
    }
    return new Admission(this, connection);
  }

  release(): void {
    for (const filter of this.#filters) filter.release?.();
  }

  /** New rules for old connections: a connection that would not be let in now does not stay. */
  stillAdmits(connection: NetworkConnection): boolean {
    return this.#filters.every((filter) => filter.stillAdmits?.(connection) ?? true);
  }
}

/** undefined where the chain has none: then admission costs nothing. Throws an Error that names the filter and the field. */
export function compileNetworkFilters(
  chain: FilterChain,
  context: NetworkFilterContext,
): NetworkFilterChain | undefined {
  const filters = chain.filters.flatMap((filter) => {
    if (filter.kind !== 'extension') return [];
    const decoded = decodeNetworkFilterConfig(filter.config);
    if (decoded.ok) return create(decoded.value, context);
    const why = decoded.faults.map(({ field, message }) => `${field} ${message}`).join('; ');
    throw new Error(`network filter ${filter.name}: ${why}`);
  });
  return filters.length === 0 ? undefined : new NetworkFilterChain(filters);
}

function create(config: NetworkFilterConfig, context: NetworkFilterContext): NetworkFilter {
  switch (config.kind) {
    case 'rbac':
      return new NetworkRbac(config, context);
    case 'connectionLimit':
      return new ConnectionLimit(config, context);
    case 'localRateLimit':
      return new NetworkRateLimit(config, context);
  }
}
