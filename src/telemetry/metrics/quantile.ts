/** The quantiles that Envoy's `/stats` shows. */
export const SUPPORTED_QUANTILES: readonly number[] = [0, 25, 50, 75, 90, 95, 99, 99.5, 99.9, 100];

/**
 * Estimates quantiles (in percent, ascending) from bucket counts, assuming values spread evenly within a bucket. What lies
 * beyond the last bound counts as that bound. Undefined where nothing was recorded.
 */
export function quantiles(
  percents: readonly number[],
  bounds: readonly number[],
  counts: ArrayLike<number>,
): readonly number[] | undefined {
  let total = 0;
  for (let index = 0; index < counts.length; index += 1) total += counts[index] ?? 0;
  if (total === 0) return undefined;
  return percents.map((percent) => quantile((percent / 100) * total, bounds, counts));
}

function quantile(rank: number, bounds: readonly number[], counts: ArrayLike<number>): number {
  let below = 0;
  for (let index = 0; index < bounds.length; index += 1) {
    const count = counts[index] ?? 0;
    const lower = bounds[index - 1] ?? 0;
    const upper = bounds[index] ?? lower;
    if (count > 0 && below + count >= rank) return lower + (upper - lower) * Math.max(0, (rank - below) / count);
    below += count;
  }
  return bounds.at(-1) ?? 0;
}
