/** Weights are percent with two decimals. Consul reckons in 32-bit floats, which rounds 33.335 otherwise than 64 bits do. */

/** In hundredths of a percent. */
export function scaledWeight(percent: number): number {
  return roundHalfAwayFromZero(Math.fround(Math.fround(percent) * 100));
}

export function normalWeight(percent: number): number {
  return scaledWeight(percent) / 100;
}

/** The share of the whole that an inner split has within an outer one. */
export function nestedWeight(outer: number, inner: number): number {
  return normalWeight(Math.fround(Math.fround(Math.fround(outer) * Math.fround(inner)) / 100));
}

function roundHalfAwayFromZero(value: number): number {
  return value < 0 ? -Math.round(-value) : Math.round(value);
}
