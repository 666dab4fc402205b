/**
 * What became of the last response of one type on one stream.
 *
 *   none ──sent──▶ awaiting ──answer──▶ acknowledged | rejected
 *                     │  ▲                    │
 *                  time out └──────sent───────┘
 *                     ▼
 *                 unanswered ──answer──▶ acknowledged | rejected
 */
export type Delivery =
  | { readonly kind: 'none' }
  | { readonly kind: 'awaiting'; readonly nonce: string; readonly version: string; readonly sentAtMs: number }
  /** The client was silent for too long: other types no longer wait for it. */
  | { readonly kind: 'unanswered'; readonly nonce: string; readonly version: string }
  | { readonly kind: 'acknowledged'; readonly nonce: string; readonly version: string }
  | { readonly kind: 'rejected'; readonly nonce: string; readonly version: string; readonly detail: string };

/** What a request's nonce says about the last response. */
export type Answer = 'none' | 'ack' | 'nack' | 'stale';

/** Longest NACK text that is kept for people; a hostile one would fill memory. */
const MAX_DETAIL_LENGTH = 4096;

/** Follows the responses of one type on one stream. */
export class DeliveryTracker {
  #state: Delivery = { kind: 'none' };
  #acknowledgedVersion = '';

  get state(): Delivery {
    return this.#state;
  }

  /** The last version this stream accepted; empty before the first ACK. */
  get acknowledgedVersion(): string {
    return this.#acknowledgedVersion;
  }

  /** While true, nothing else of this type is sent: what changes meanwhile is merged into the next response. */
  get isAwaiting(): boolean {
    return this.#state.kind === 'awaiting';
  }

  sent(nonce: string, version: string, nowMs: number): void {
    this.#become({ kind: 'awaiting', nonce, version, sentAtMs: nowMs });
  }

  /** A heartbeat went out: it brings nothing to accept, and requests from now on carry its nonce. */
  reissued(nonce: string): void {
    if (this.#state.kind !== 'none') this.#become({ ...this.#state, nonce });
  }

  /** Reads a request's nonce and error_detail. An empty nonce answers nothing; one that is not the last response's is stale. */
  answer(nonce: string, errorDetail: string | undefined): Answer {
    if (nonce === '') return 'none';
    const state = this.#state;
    if (state.kind === 'none' || state.nonce !== nonce) return 'stale';
    // A later request repeats the nonce when only the subscription changes: it says nothing new about the response.
    if (state.kind === 'acknowledged' || state.kind === 'rejected') return 'none';
    const { version } = state;
    if (errorDetail !== undefined) {
      this.#become({ kind: 'rejected', nonce, version, detail: errorDetail.slice(0, MAX_DETAIL_LENGTH) });
      return 'nack';
    }
    this.#become({ kind: 'acknowledged', nonce, version });
    return 'ack';
  }

  /** True when a response has just been found unanswered for longer than the limit. */
  expire(nowMs: number, limitMs: number): boolean {
    const state = this.#state;
    if (state.kind !== 'awaiting' || nowMs - state.sentAtMs < limitMs) return false;
    this.#become({ kind: 'unanswered', nonce: state.nonce, version: state.version });
    return true;
  }

  #become(next: Delivery): void {
    this.#state = next;
    if (next.kind === 'acknowledged') this.#acknowledgedVersion = next.version;
  }
}
