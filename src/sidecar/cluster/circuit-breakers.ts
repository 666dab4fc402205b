import type { CircuitBreakerThresholds } from '../../resource/cluster.ts';
import { CLUSTER_FIELD, type SharedCounters } from './shared-counters.ts';

/** What a breaker counts; the value is its cell in the cluster's slot. */
export type BreakerKind = 'connections' | 'pendingRequests' | 'requests' | 'retries';

/**
 * Envoy's circuit breakers of one cluster, exact over all workers: a count is raised first and taken back when that went
 * over the limit, so two workers can never both pass the last place.
 */
export class CircuitBreakers {
  readonly #counters: SharedCounters;
  readonly #firstCell: number;
  #thresholds: CircuitBreakerThresholds;

  constructor(counters: SharedCounters, slot: number, thresholds: CircuitBreakerThresholds) {
    this.#counters = counters;
    this.#firstCell = counters.clusterCell(slot, 0);
    this.#thresholds = thresholds;
  }

  configure(thresholds: CircuitBreakerThresholds): void {
    this.#thresholds = thresholds;
  }

  get thresholds(): CircuitBreakerThresholds {
    return this.#thresholds;
  }

  active(kind: BreakerKind): number {
    return this.#counters.get(this.#cell(kind));
  }

  /** False where the breaker is open: the caller answers with an overflow and releases nothing. */
  tryAcquire(kind: BreakerKind): boolean {
    const cell = this.#cell(kind);
    if (this.#counters.add(cell, 1) < this.#limit(kind)) return true;
    this.#counters.add(cell, -1);
    return false;
  }

  release(kind: BreakerKind): void {
    this.#counters.add(this.#cell(kind), -1);
  }

  #limit(kind: BreakerKind): number {
    switch (kind) {
      case 'connections':
        return this.#thresholds.maxConnections;
      case 'pendingRequests':
        return this.#thresholds.maxPendingRequests;
      case 'requests':
        return this.#thresholds.maxRequests;
      case 'retries':
        return this.#retryLimit();
    }
  }

  #retryLimit(): number {
    const { retryBudget, maxRetries } = this.#thresholds;
    if (retryBudget === undefined) return maxRetries;
    const budget = Math.floor((retryBudget.budgetPercent / 100) * this.active('requests'));
    return Math.max(budget, retryBudget.minRetryConcurrency);
  }

  /** Said kind by kind: each call names one, and the compiler then knows its cell. */
  #cell(kind: BreakerKind): number {
    switch (kind) {
      case 'connections':
        return this.#firstCell + CLUSTER_FIELD.connections;
      case 'pendingRequests':
        return this.#firstCell + CLUSTER_FIELD.pendingRequests;
      case 'requests':
        return this.#firstCell + CLUSTER_FIELD.requests;
      case 'retries':
        return this.#firstCell + CLUSTER_FIELD.retries;
    }
  }
}
