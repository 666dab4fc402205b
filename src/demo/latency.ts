/** How long a sample service takes: most answers near the median, a few much slower, as real services do. */
import type { Random } from '../base/random.ts';

export interface LatencyDistribution {
  readonly medianMs: number;
  /** One in a hundred takes longer than this. */
  readonly p99Ms: number;
}

/** 99th percentile of the standard normal distribution. */
const Z_99 = 2.3263;
/** However unlucky the draw, nobody waits longer than this many times the p99. */
const MAX_TIMES_P99 = 4;

/** A draw from the log-normal distribution with that median and p99. */
export function drawLatencyMs({ medianMs, p99Ms }: LatencyDistribution, random: Random): number {
  if (medianMs <= 0) return 0;
  if (p99Ms <= medianMs) return medianMs;
  const sigma = Math.log(p99Ms / medianMs) / Z_99;
  // Box and Muller; 1 - next() keeps the logarithm finite.
  const normal = Math.sqrt(-2 * Math.log(1 - random.next())) * Math.cos(2 * Math.PI * random.next());
  return Math.min(medianMs * Math.exp(sigma * normal), p99Ms * MAX_TIMES_P99);
}
