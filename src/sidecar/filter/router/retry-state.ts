import type { Random } from '../../../base/random.ts';
import type { ResponseHead } from '../../../http/head.ts';
import type { CircuitBreakers } from '../../cluster/cluster.ts';
import type { CompiledRetryPolicy } from '../../route/route.ts';
import type { ClusterCounters } from './cluster-counters.ts';

/** What went wrong with one attempt, as far as retrying is concerned. */
export type AttemptFailure =
  | 'connectFailure'
  | 'connectTimeout'
  | 'hostRemoved'
  | 'connectionTermination'
  | 'upstreamProtocolError'
  | 'perTryTimeout'
  | 'pendingOverflow'
  | 'pendingTimeout';

/** How often a host that left while we asked for a connection is replaced without counting as a retry. */
const MAX_FREE_RESELECTIONS = 3;

/** May this request be tried again, and when. One per stream, reset and reused. */
export class RetryState {
  #policy: CompiledRetryPolicy | undefined = undefined;
  #retries = 0;
  #reselections = 0;
  #reusedConnectionRetryDone = false;
  #holdsPlace = false;

  begin(policy: CompiledRetryPolicy | undefined): void {
    this.#policy = policy;
    this.#retries = 0;
    this.#reselections = 0;
    this.#reusedConnectionRetryDone = false;
    this.#holdsPlace = false;
  }

  get retries(): number {
    return this.#retries;
  }

  get policy(): CompiledRetryPolicy | undefined {
    return this.#policy;
  }

  /** The policy's word on a failure that came before any response head. */
  wantsRetryAfter(failure: AttemptFailure): boolean {
    const policy = this.#policy;
    if (policy === undefined) return false;
    switch (failure) {
      case 'connectFailure':
      case 'connectTimeout':
      case 'hostRemoved':
        return policy.onConnectFailure;
      case 'connectionTermination':
      case 'upstreamProtocolError':
      case 'perTryTimeout':
        return policy.onReset;
      case 'pendingOverflow':
      case 'pendingTimeout':
        return false;
    }
  }

  wantsRetryAfterResponse(head: ResponseHead): boolean {
    return this.#policy?.retriesResponse(head.status, head.fields) ?? false;
  }

  /** The host vanished before anything was sent: take another, which is no retry. */
  tryReselect(): boolean {
    return this.#reselections++ < MAX_FREE_RESELECTIONS;
  }

  /**
   * RFC 9110 §9.2.2, RFC 9112 §9.3.1: an idle connection that dies before any byte of the answer was most likely being
   * closed as we wrote. Safe once, on a fresh connection, if the method is idempotent or nothing left this process.
   */
  trySafeRetry(method: string, hasRested: boolean, hasReceived: boolean, hasSent: boolean): boolean {
    if (!hasRested || hasReceived || this.#reusedConnectionRetryDone) return false;
    if (hasSent && !isIdempotent(method)) return false;
    this.#reusedConnectionRetryDone = true;
    return true;
  }

  /** Takes a place for one more try, within the policy's number and the cluster's retry breaker or budget. */
  tryTakePlace(breakers: CircuitBreakers, counters: ClusterCounters): boolean {
    const limit = this.#policy?.numRetries ?? 0;
    if (this.#retries >= limit) {
      counters.rqRetryLimitExceeded.increment();
      return false;
    }
    this.releasePlace(breakers);
    if (!breakers.tryAcquire('retries')) {
      counters.rqRetryOverflow.increment();
      return false;
    }
    this.#holdsPlace = true;
    this.#retries++;
    counters.rqRetry.increment();
    return true;
  }

  releasePlace(breakers: CircuitBreakers): void {
    if (!this.#holdsPlace) return;
    this.#holdsPlace = false;
    breakers.release('retries');
  }

  /** Full jitter: anywhere between nothing and base × (2^n − 1), at most the maximum. */
  backOffMs(random: Random): number {
    const { baseIntervalMs, maxIntervalMs } = this.#policy ?? { baseIntervalMs: 25, maxIntervalMs: 250 };
    const span = Math.min(maxIntervalMs, baseIntervalMs * (2 ** Math.min(this.#retries, 16) - 1));
    return random.next() * span;
  }
}

function isIdempotent(method: string): boolean {
  switch (method) {
    case 'GET':
    case 'HEAD':
    case 'OPTIONS':
    case 'TRACE':
    case 'PUT':
    case 'DELETE':
      return true;
    default:
      return false;
  }
}
