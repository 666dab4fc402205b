import { isPlainObject } from './struct-json.ts';

/**
 * A decoded 64-bit integer: the library hands over `{low, high, unsigned}`, a number where it was a default, or a decimal
 * string where we built it.
 */
export function wireInteger(value: unknown): bigint {
  if (typeof value === 'number' || typeof value === 'string') return BigInt(value);
  if (!isPlainObject(value)) return 0n;
  const { low, high, unsigned } = value;
  const bits = (BigInt(Number(high)) << 32n) | BigInt(Number(low) >>> 0);
  return unsigned === true ? BigInt.asUintN(64, bits) : BigInt.asIntN(64, bits);
}
