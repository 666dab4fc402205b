/** What becomes of a budget, as its owner counts it. */
export interface ByteBudgetCounters {
  readonly heldBytes: { add(bytes: number): void };
  readonly refused: { increment(): void };
}

/** Bytes that many share: whoever finds too few left does without. */
export class ByteBudget {
  readonly maxBytes: number;
  readonly #counters: ByteBudgetCounters | undefined;
  #heldBytes = 0;

  constructor(maxBytes: number, counters?: ByteBudgetCounters) {
    this.maxBytes = maxBytes;
    this.#counters = counters;
  }

  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** False where so many are not left; then none is taken. */
  tryTake(bytes: number): boolean {
    if (this.#heldBytes + bytes > this.maxBytes) {
      this.#counters?.refused.increment();
      return false;
    }
    this.#heldBytes += bytes;
    this.#counters?.heldBytes.add(bytes);
    return true;
  }

  giveBack(bytes: number): void {
    this.#heldBytes -= bytes;
    this.#counters?.heldBytes.add(-bytes);
  }
}
