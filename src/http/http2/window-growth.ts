import type { ByteBudget } from '../../base/byte-budget.ts';

/**
 * By how much the windows of one connection are wider than they began. The streams' growth is bounded by the connection's own
 * limit, and what all connections of a worker have grown by together by a budget. A byte of it goes back to the budget when
 * the peer may no longer send it: not when the stream ends that had it, since the connection's window is as wide as before
 * until the peer has used up the surplus.
 */
export class WindowGrowth {
  readonly #maxBytes: number;
  readonly #budget: ByteBudget | undefined;
  #streamBytes = 0;
  #takenBytes = 0;

  constructor(maxBytes: number, budget: ByteBudget | undefined) {
    this.#maxBytes = maxBytes;
    this.#budget = budget;
  }

  /** Whether a stream's window may become so much wider. */
  tryGrow(bytes: number): boolean {
    const streamBytes = this.#streamBytes + bytes;
    if (streamBytes > this.#maxBytes) return false;
    const missing = streamBytes - this.#takenBytes;
    if (missing > 0) {
      if (this.#budget?.tryTake(missing) === false) return false;
      this.#takenBytes += missing;
    }
    this.#streamBytes = streamBytes;
    return true;
  }

  /** A stream that had grown has ended. */
  shrink(bytes: number): void {
    this.#streamBytes -= bytes;
  }

  /** The connection's window is no wider than its streams' growth explains. */
  settle(): void {
    const surplus = this.#takenBytes - this.#streamBytes;
    if (surplus <= 0) return;
    this.#takenBytes -= surplus;
    this.#budget?.giveBack(surplus);
  }
}
