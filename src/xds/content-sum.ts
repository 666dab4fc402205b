import { hash } from 'node:crypto';

/**
 * Digests that add up: the sum over a set's members is the set's own digest, in whatever order, and a member that is replaced costs one
 * subtraction and one addition. 96 bits; against accidents, not against somebody who can choose resources to collide.
 */
export type ContentSum = bigint;

export const ZERO_SUM: ContentSum = 0n;

const BITS = 96;
const DIGITS = BITS / 4;

export function sumOfText(text: string): ContentSum {
  return BigInt(`0x${hash('sha256', text).slice(0, DIGITS)}`);
}

export function plus(a: ContentSum, b: ContentSum): ContentSum {
  return BigInt.asUintN(BITS, a + b);
}

export function minus(a: ContentSum, b: ContentSum): ContentSum {
  return BigInt.asUintN(BITS, a - b);
}

/** As a version: 24 hexadecimal digits. */
export function sumText(sum: ContentSum): string {
  return sum.toString(16).padStart(DIGITS, '0');
}

/** Back from {@link sumText}; a version that another made is digested. */
export function sumFromText(text: string): ContentSum {
  return /^[0-9a-f]{24}$/.test(text) ? BigInt(`0x${text}`) : sumOfText(text);
}
