import {
  type ByteStream,
  Deadline,
  type DeadlineOwner,
  type EventTurn,
} from '../../transport-socket/transport-socket.ts';
import { type ConnectionOwner, Http1UpstreamConnection } from './http1-upstream-connection.ts';
import type { PoolCounters } from './pool-counters.ts';
import { type ClusterLimits, PENDING_TIMEOUT_MS, type PooledHost, type PoolOptions } from './pool-limits.ts';
import type { ConnectionWaiter, UpstreamPool } from './upstream-exchange.ts';
import type { PoolFailure } from './upstream-sink.ts';

/** Connections of one worker to one host: the one used last is lent first, so that the surplus grows old and goes. */
export class HostPool implements UpstreamPool, ConnectionOwner, DeadlineOwner {
  options: PoolOptions;
  readonly #turn: EventTurn;
  readonly #host: PooledHost;
  readonly #counters: PoolCounters;
  readonly #limits: ClusterLimits;
  readonly #idle: Http1UpstreamConnection[] = [];
  /** Values: whether the connection holds a place in the cluster's limit. */
  readonly #all = new Map<Http1UpstreamConnection, boolean>();
  /** In order of arrival; bounded by the cluster's pending-request breaker. Values: when they give up. */
  readonly #waiters = new Map<ConnectionWaiter, number>();
  readonly #deadline: Deadline = new Deadline(this);
  #connecting = 0;
  #isDraining = false;

  constructor(turn: EventTurn, host: PooledHost, options: PoolOptions, counters: PoolCounters, limits: ClusterLimits) {
    this.#turn = turn;
    this.#host = host;
    this.options = options;
    this.#counters = counters;
    this.#limits = limits;
  }

  get connectionCount(): number {
    return this.#all.size;
  }

  get idleCount(): number {
    return this.#idle.length;
  }

  get pendingCount(): number {
    return this.#waiters.size;
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
    this.#enqueue(waiter);
  }

  /** Takes a connection that somebody else has made, with its place in the cluster's limit if it holds one. */
  adopt(stream: ByteStream, holdsPlace: boolean): void {
    const connection = new Http1UpstreamConnection(this.#turn, this, this.#counters, stream);
    this.#connecting++;
    this.#all.set(connection, holdsPlace);
    this.#host.connectionOpened();
    connection.onConnected();
  }

  /** The waiter no longer wants one. */
  cancel(waiter: ConnectionWaiter): void {
    this.#dequeue(waiter);
  }

  /** The host has left: idle connections close now, lent ones after their exchange, waiters are told. */
  drain(): void {
    this.#isDraining = true;
    this.#failWaiters('hostRemoved', 'host_removed', 0);
    for (const connection of [...this.#all.keys()]) connection.retire();
  }

  /** Ends everything now. */
  destroy(): void {
    this.#isDraining = true;
    this.#failWaiters('hostRemoved', 'shutdown', 0);
    for (const connection of [...this.#all.keys()]) connection.abort();
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
    if (this.#waiters.size === 0) {
      this.#idle.push(connection);
      return;
    }
    for (const waiter of this.#waiters.keys()) {
      this.#dequeue(waiter);
      waiter.onConnectionReady(connection);
      return;
    }
  }

  connectionGone(
    connection: Http1UpstreamConnection,
    wasConnecting: 'connectFailure' | 'connectTimeout' | undefined,
    detail: string,
  ): void {
    const holdsPlace = this.#all.get(connection);
    if (!this.#all.delete(connection)) return;
    if (holdsPlace === true) this.#limits.release('connections');
    this.#host.connectionClosed();
    if (wasConnecting !== undefined) this.#host.connectFailed();
    const at = this.#idle.indexOf(connection);
    if (at >= 0) this.#idle.splice(at, 1);
    if (wasConnecting !== undefined) {
      this.#connecting--;
      // One failed attempt says as much for everyone who no longer has another on its way.
      this.#failWaiters(wasConnecting, detail, this.#connecting);
    }
    if (!this.#isDraining) this.#openForWaiters();
  }

  onDeadline(): void {
    const { nowMs } = this.#turn;
    for (const [waiter, givesUpAtMs] of this.#waiters) {
      if (givesUpAtMs > nowMs) {
        this.#turn.deadlines.schedule(this.#deadline, givesUpAtMs);
        return;
      }
      this.#counters.rqPendingTimeout.increment();
      this.#dequeue(waiter);
      waiter.onPoolFailure('pendingTimeout', 'pending_timeout');
    }
  }

  #enqueue(waiter: ConnectionWaiter): void {
    if (this.#isDraining) {
      waiter.onPoolFailure('hostRemoved', 'host_removed');
      return;
    }
    if (!this.#limits.tryAcquire('pendingRequests')) {
      this.#counters.rqPendingOverflow.increment();
      waiter.onPoolFailure('overflow', 'overflow');
      return;
    }
    this.#counters.rqPendingTotal.increment();
    this.#counters.rqPendingActive.add(1);
    const givesUpAtMs = this.#turn.nowMs + PENDING_TIMEOUT_MS;
    if (this.#waiters.size === 0) this.#turn.deadlines.schedule(this.#deadline, givesUpAtMs);
    this.#waiters.set(waiter, givesUpAtMs);
    this.#openForWaiters();
  }

  #openForWaiters(): void {
    while (this.#waiters.size > this.#connecting) if (!this.#open()) return;
  }

  /** Envoy's rule: the breaker never keeps a host from having its first connection. */
  #open(): boolean {
    const { maxConnectionsPerHost } = this.options;
    const isFirst = this.#all.size === 0;
    if (maxConnectionsPerHost !== undefined && this.#all.size >= Math.max(1, maxConnectionsPerHost)) return false;
    const holdsPlace = this.#limits.tryAcquire('connections');
    if (!holdsPlace) {
      this.#counters.cxOverflow.increment();
      if (!isFirst) return false;
    }
    this.#connecting++;
    this.#all.set(new Http1UpstreamConnection(this.#turn, this, this.#counters, this.#host), holdsPlace);
    this.#host.connectionOpened();
    return true;
  }

  #dequeue(waiter: ConnectionWaiter): void {
    if (!this.#waiters.delete(waiter)) return;
    this.#limits.release('pendingRequests');
    this.#counters.rqPendingActive.add(-1);
  }

  #failWaiters(failure: PoolFailure, detail: string, keep: number): void {
    const failed = [...this.#waiters.keys()].slice(0, Math.max(0, this.#waiters.size - keep));
    for (const waiter of failed) {
      this.#counters.rqPendingFailureEject.increment();
      this.#dequeue(waiter);
      waiter.onPoolFailure(failure, detail);
    }
  }
}
