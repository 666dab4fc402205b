const MANTISSAS = 90;
/** From a microsecond to 10^9 of them, a good quarter of an hour. */
const DECADES = 9;

/** Latencies by two significant digits, as Envoy's histograms keep them: bounded, whatever comes. */
export class LatencyHistogram {
  readonly #counts = new Uint32Array(MANTISSAS * DECADES);
  count = 0;

  add(milliseconds: number): void {
    const bucket = bucketOf(milliseconds * 1_000);
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1;
    this.count++;
  }

  /** The latency that this share of all stays below, to within its bucket. Empties the histogram. */
  takeQuantileMs(share: number): number {
    const wanted = Math.max(1, Math.ceil(share * this.count));
    let seen = 0;
    let bucket = 0;
    for (; bucket < this.#counts.length - 1; bucket++) {
      seen += this.#counts[bucket] ?? 0;
      if (seen >= wanted) break;
    }
    this.clear();
    return middleOf(bucket) / 1_000;
  }

  clear(): void {
    this.#counts.fill(0);
    this.count = 0;
  }
}

function bucketOf(microseconds: number): number {
  let decade = 0;
  let mantissa = Math.max(1, microseconds);
  while (mantissa >= 10 && decade < DECADES - 1) {
    mantissa /= 10;
    decade++;
  }
  return decade * MANTISSAS + Math.min(MANTISSAS - 1, Math.floor(mantissa * 10) - 10);
}

function middleOf(bucket: number): number {
  const decade = Math.floor(bucket / MANTISSAS);
  return ((bucket % MANTISSAS) + 10.5) * 10 ** (decade - 1);
}
