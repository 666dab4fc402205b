import type { PoolCounters } from './pool-counters.ts';
import type { ClusterLimits, PooledHost } from './pool-limits.ts';

/** A connection that never came up, and why. */
export type ConnectFailure = 'connectFailure' | 'connectTimeout';

/** The connections of one pool: their places in the cluster's limit, and what the host is told of them. */
export class HostConnections<Connection> {
  readonly #host: PooledHost;
  readonly #counters: PoolCounters;
  readonly #limits: ClusterLimits;
  /** In the order they were opened. Values: whether the connection holds a place in the cluster's limit. */
  readonly #all = new Map<Connection, boolean>();

  constructor(host: PooledHost, counters: PoolCounters, limits: ClusterLimits) {
    this.#host = host;
    this.#counters = counters;
    this.#limits = limits;
  }

  get size(): number {
    return this.#all.size;
  }

  /** For whoever ends none of them meanwhile. */
  [Symbol.iterator](): Iterator<Connection> {
    return this.#all.keys();
  }

  /** For whoever may. */
  snapshot(): readonly Connection[] {
    return [...this.#all.keys()];
  }

  /** Envoy's rule: the breaker never keeps a host from having its first connection. Undefined where no other may be made. */
  open(maxConnectionsPerHost: number | undefined, make: () => Connection): Connection | undefined {
    const isFirst = this.#all.size === 0;
    if (maxConnectionsPerHost !== undefined && this.#all.size >= Math.max(1, maxConnectionsPerHost)) return undefined;
    const holdsPlace = this.#limits.tryAcquire('connections');
    if (!holdsPlace) {
      this.#counters.cxOverflow.increment();
      if (!isFirst) return undefined;
    }
    const connection = make();
    this.add(connection, holdsPlace);
    return connection;
  }

  /** One that somebody else has made, with its place if it holds one. */
  add(connection: Connection, holdsPlace: boolean): void {
    this.#all.set(connection, holdsPlace);
    this.#host.connectionOpened();
  }

  /** Gives its place back and tells the host, once; false where that has happened already. */
  gone(connection: Connection, wasConnecting: ConnectFailure | undefined): boolean {
    const holdsPlace = this.#all.get(connection);
    if (!this.#all.delete(connection)) return false;
    if (holdsPlace === true) this.#limits.release('connections');
    this.#host.connectionClosed();
    if (wasConnecting !== undefined) this.#host.connectFailed();
    return true;
  }
}
