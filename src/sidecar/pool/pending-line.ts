import { Deadline, type DeadlineOwner, type EventTurn } from '../../transport-socket/transport-socket.ts';
import type { PoolCounters } from './pool-counters.ts';
import { type ClusterLimits, PENDING_TIMEOUT_MS } from './pool-limits.ts';
import type { ConnectionWaiter } from './upstream-exchange.ts';
import type { PoolFailure } from './upstream-sink.ts';

/** Those who wait for a connection, in order of arrival; bounded by the cluster's pending-request breaker and by time. */
export class PendingLine implements DeadlineOwner {
  readonly #turn: EventTurn;
  readonly #counters: PoolCounters;
  readonly #limits: ClusterLimits;
  readonly #deadline: Deadline = new Deadline(this);
  /** Values: when they give up. */
  readonly #waiters = new Map<ConnectionWaiter, number>();

  constructor(turn: EventTurn, counters: PoolCounters, limits: ClusterLimits) {
    this.#turn = turn;
    this.#counters = counters;
    this.#limits = limits;
  }

  get length(): number {
    return this.#waiters.size;
  }

  /** False where it is full; then the waiter has been told. */
  add(waiter: ConnectionWaiter): boolean {
    if (!this.#limits.tryAcquire('pendingRequests')) {
      this.#counters.rqPendingOverflow.increment();
      waiter.onPoolFailure('overflow', '');
      return false;
    }
    this.#counters.rqPendingTotal.increment();
    this.#counters.rqPendingActive.add(1);
    const givesUpAtMs = this.#turn.nowMs + PENDING_TIMEOUT_MS;
    if (this.#waiters.size === 0) this.#turn.deadlines.schedule(this.#deadline, givesUpAtMs);
    this.#waiters.set(waiter, givesUpAtMs);
    return true;
  }

  /** Takes the first one out. */
  next(): ConnectionWaiter | undefined {
    const [waiter] = this.#waiters.keys();
    if (waiter !== undefined) this.remove(waiter);
    return waiter;
  }

  remove(waiter: ConnectionWaiter): void {
    if (!this.#waiters.delete(waiter)) return;
    this.#limits.release('pendingRequests');
    this.#counters.rqPendingActive.add(-1);
  }

  /** Tells all but the first `keep`. */
  fail(failure: PoolFailure, detail: string, keep: number): void {
    for (const waiter of [...this.#waiters.keys()].slice(keep)) {
      this.#counters.rqPendingFailureEject.increment();
      this.remove(waiter);
      waiter.onPoolFailure(failure, detail);
    }
  }

  onDeadline(): void {
    const { nowMs } = this.#turn;
    for (const [waiter, givesUpAtMs] of this.#waiters) {
      if (givesUpAtMs > nowMs) {
        this.#turn.deadlines.schedule(this.#deadline, givesUpAtMs);
        return;
      }
      this.#counters.rqPendingTimeout.increment();
      this.remove(waiter);
      waiter.onPoolFailure('pendingTimeout', '');
    }
  }
}
