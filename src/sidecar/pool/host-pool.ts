import type { ByteStream, EventTurn } from '../../transport-socket/transport-socket.ts';
import { type ConnectFailure, HostConnections } from './host-connections.ts';
import { type ConnectionOwner, Http1UpstreamConnection } from './http1-upstream-connection.ts';
import { PendingLine } from './pending-line.ts';
import type { PoolCounters } from './pool-counters.ts';
import type { ClusterLimits, PooledHost, PoolOptions } from './pool-limits.ts';
import type { ConnectionWaiter, UpstreamPool } from './upstream-exchange.ts';

/** Connections of one worker to one host: the one used last is lent first, so that the surplus grows old and goes. */
export class HostPool implements UpstreamPool, ConnectionOwner {
  options: PoolOptions;
  readonly #turn: EventTurn;
  readonly #host: PooledHost;
  readonly #counters: PoolCounters;
  readonly #line: PendingLine;
  readonly #idle: Http1UpstreamConnection[] = [];
  readonly #all: HostConnections<Http1UpstreamConnection>;
  #connecting = 0;
  #isDraining = false;

  constructor(turn: EventTurn, host: PooledHost, options: PoolOptions, counters: PoolCounters, limits: ClusterLimits) {
    this.#turn = turn;
    this.#host = host;
    this.options = options;
    this.#counters = counters;
    this.#line = new PendingLine(turn, counters, limits);
    this.#all = new HostConnections(host, counters, limits);
  }

  get connectionCount(): number {
    return this.#all.size;
  }

  get idleCount(): number {
    return this.#idle.length;
  }

  get pendingCount(): number {
    return this.#line.length;
  }

  /** `fresh` passes over idle connections: for a retry after a kept one turned out dead. */
  acquire(waiter: ConnectionWaiter, fresh: boolean): void {
    if (!fresh) {
      for (let connection = this.#idle.pop(); connection !== undefined; connection = this.#idle.pop()) {
        if (connection.isReusable(this.#turn.nowMs)) {
          waiter.onConnectionReady(connection);
          return;
        }
        connection.retire();
      }
    }
    if (this.#isDraining) waiter.onPoolFailure('hostRemoved', 'host_removed');
    else if (this.#line.add(waiter)) this.#openForLine();
  }

  /** Takes a connection that somebody else has made, with its place in the cluster's limit if it holds one. */
  adopt(stream: ByteStream, holdsPlace: boolean): void {
    const connection = new Http1UpstreamConnection(this.#turn, this, this.#counters, stream);
    this.#connecting++;
    this.#all.add(connection, holdsPlace);
    connection.onConnected();
  }

  /** The waiter no longer wants one. */
  cancel(waiter: ConnectionWaiter): void {
    this.#line.remove(waiter);
  }

  /** The host has left: idle connections close now, lent ones after their exchange, waiters are told. */
  drain(): void {
    this.#isDraining = true;
    this.#line.fail('hostRemoved', 'host_removed', 0);
    for (const connection of this.#all.snapshot()) connection.retire();
  }

  /** Ends everything now. */
  destroy(): void {
    this.#isDraining = true;
    this.#line.fail('hostRemoved', 'shutdown', 0);
    for (const connection of this.#all.snapshot()) connection.abort();
  }

  connectionReady(connection: Http1UpstreamConnection): void {
    this.#connecting--;
    this.connectionFree(connection);
  }

  connectionFree(connection: Http1UpstreamConnection): void {
    if (this.#isDraining) {
      connection.retire();
      return;
    }
    const waiter = this.#line.length === 0 ? undefined : this.#line.next();
    if (waiter === undefined) this.#idle.push(connection);
    else waiter.onConnectionReady(connection);
  }

  connectionGone(connection: Http1UpstreamConnection, wasConnecting: ConnectFailure | undefined, detail: string): void {
    if (!this.#all.gone(connection, wasConnecting)) return;
    const at = this.#idle.indexOf(connection);
    if (at >= 0) this.#idle.splice(at, 1);
    if (wasConnecting !== undefined) {
      this.#connecting--;
      // One failed attempt says as much for everyone who no longer has another on its way.
      this.#line.fail(wasConnecting, detail, this.#connecting);
    }
    if (!this.#isDraining) this.#openForLine();
  }

  #openForLine(): void {
    const { maxConnectionsPerHost } = this.options;
    while (this.#line.length > this.#connecting) {
      if (this.#all.open(maxConnectionsPerHost, () => this.#connect()) === undefined) return;
    }
  }

  #connect(): Http1UpstreamConnection {
    this.#connecting++;
    return new Http1UpstreamConnection(this.#turn, this, this.#counters, this.#host);
  }
}
