/** Keeps the last latencies in a ring of fixed size and answers percentiles of them. */
export class LatencyRecord {
  readonly #ring: Float64Array;
  #count = 0;

  constructor(capacity = 65_536) {
    this.#ring = new Float64Array(capacity);
  }

  add(ms: number): void {
    this.#ring[this.#count % this.#ring.length] = ms;
    this.#count += 1;
  }

  /** Nearest rank; 0 while nothing was recorded. */
  percentile(fraction: number): number {
    const sorted = this.#ring.slice(0, Math.min(this.#count, this.#ring.length)).sort();
    const rank = Math.ceil(fraction * sorted.length) - 1;
    const value = sorted[Math.max(0, rank)] ?? 0;
    return Math.round(value * 100) / 100;
  }
}
