/** A place in the queue of those who wait for a first state, or among those who are being given one. */
export interface Ticket {
  /** What it was taken for is done, or has gone. */
  release(): void;
}

/**
 * How many streams are given their first state at once. When all proxies of a mesh connect within a moment, the rest wait in order of
 * arrival: each first state is work and memory, and the same work in turns serves the first sooner and the last no later.
 */
export class Admission {
  readonly #limit: number;
  readonly #waiting = new Set<() => void>();
  #admitted = 0;
  #isAdmitting = false;

  constructor(limit: number) {
    this.#limit = limit;
  }

  get admitted(): number {
    return this.#admitted;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  /** Calls `admit` now or when it is its turn; never after `release`. */
  enter(admit: () => void): Ticket {
    let state: 'waiting' | 'admitted' | 'released' = 'waiting';
    const begin = (): void => {
      state = 'admitted';
      admit();
    };
    const release = (): void => {
      if (state === 'admitted') this.#admitted -= 1;
      else this.#waiting.delete(begin);
      state = 'released';
      this.#admitNext();
    };
    this.#waiting.add(begin);
    this.#admitNext();
    return { release };
  }

  /** In a loop and not in itself: those that are admitted may be refused, and so released, at once. */
  #admitNext(): void {
    if (this.#isAdmitting) return;
    this.#isAdmitting = true;
    for (const begin of this.#waiting) {
      if (this.#admitted >= this.#limit) break;
      this.#waiting.delete(begin);
      this.#admitted += 1;
      begin();
    }
    this.#isAdmitting = false;
  }
}
