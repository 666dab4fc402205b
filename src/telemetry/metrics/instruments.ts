/**
 * Handles to slots of a shared block. The thread that made them is the only writer, so a plain add is exact; other
 * threads read the same 8 aligned bytes. A handle whose series was removed writes to a slot that nobody reads.
 */
abstract class Instrument {
  protected slots: Float64Array;
  protected index: number;

  constructor(slots: Float64Array, index: number) {
    this.slots = slots;
    this.index = index;
  }

  /** Points the handle elsewhere; for the registry alone. */
  moveTo(slots: Float64Array, index: number): void {
    this.slots = slots;
    this.index = index;
  }
}

/** A number that only grows. */
export class Counter extends Instrument {
  increment(): void {
    this.slots[this.index] = (this.slots[this.index] ?? 0) + 1;
  }

  add(amount: number): void {
    this.slots[this.index] = (this.slots[this.index] ?? 0) + amount;
  }

  /** What this thread has counted. */
  get value(): number {
    return this.slots[this.index] ?? 0;
  }
}

/** A number that goes both ways. The sum over threads is what is shown. */
export class Gauge extends Instrument {
  add(amount: number): void {
    this.slots[this.index] = (this.slots[this.index] ?? 0) + amount;
  }

  set(value: number): void {
    this.slots[this.index] = value;
  }

  get value(): number {
    return this.slots[this.index] ?? 0;
  }
}

/** Counts of durations by bucket, and their sum. */
export class Histogram extends Instrument {
  readonly #bounds: readonly number[];

  constructor(slots: Float64Array, index: number, bounds: readonly number[]) {
    super(slots, index);
    this.#bounds = bounds;
  }

  record(valueMs: number): void {
    const { slots } = this;
    const bounds = this.#bounds;
    let bucket = 0;
    // Ends at the +Inf bucket; a NaN lands there too rather than in none.
    while (bucket < bounds.length && !(valueMs <= (bounds[bucket] ?? 0))) bucket += 1;
    const slot = this.index + 1 + bucket;
    slots[slot] = (slots[slot] ?? 0) + 1;
    slots[this.index] = (slots[this.index] ?? 0) + valueMs;
  }
}
