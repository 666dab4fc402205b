/** Longest rotation that is laid out; larger weight sums are scaled down to it, every host keeping at least one turn. */
const MAX_CYCLE_LENGTH = 4096;

/**
 * Lays out one full rotation of indices in which index i appears in proportion to weights[i] and as evenly spread as
 * possible (earliest deadline first, the order Envoy's scheduler produces for static weights).
 */
export function weightedCycle(weights: readonly number[]): Uint16Array | Uint32Array {
  const turns = turnsPerHost(weights);
  const length = turns.reduce((sum, count) => sum + count, 0);
  const cycle = weights.length > 0xffff ? new Uint32Array(length) : new Uint16Array(length);
  // Host i's k-th turn is due at (k + phase) / turns[i] of the rotation. Phases differ, so that hosts with the same
  // number of turns interleave instead of falling together.
  const due: { readonly at: number; readonly index: number }[] = [];
  turns.forEach((count, index) => {
    for (let turn = 0; turn < count; turn++) due.push({ at: (turn + (index + 0.5) / turns.length) / count, index });
  });
  due.sort((a, b) => a.at - b.at || a.index - b.index);
  due.forEach((entry, position) => {
    cycle[position] = entry.index;
  });
  return cycle;
}

function turnsPerHost(weights: readonly number[]): number[] {
  const divisor = weights.reduce(greatestCommonDivisor, 0) || 1;
  const reduced = weights.map((weight) => weight / divisor);
  const sum = reduced.reduce((total, weight) => total + weight, 0);
  const limit = Math.max(MAX_CYCLE_LENGTH, weights.length);
  return sum <= limit ? reduced : reduced.map((weight) => Math.max(1, Math.round((weight / sum) * limit)));
}

function greatestCommonDivisor(a: number, b: number): number {
  while (b !== 0) [a, b] = [b, a % b];
  return a;
}
