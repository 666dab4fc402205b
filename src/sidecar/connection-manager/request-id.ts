import type { Random } from '../../base/random.ts';

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

function hex(byte: number): string {
  return HEX[byte & 0xff] ?? '00';
}

function hexOf16(word: number): string {
  return hex(word >>> 8) + hex(word);
}

/** A version 4 UUID (RFC 9562 §5.4). Identifies a request in logs; it is no secret. */
export function newRequestId(random: Random): string {
  const a = random.uint32();
  const b = random.uint32();
  const c = random.uint32();
  const d = random.uint32();
  const version = 0x4000 | (b & 0x0fff);
  const variant = 0x8000 | ((c >>> 16) & 0x3fff);
  return (
    `${hexOf16(a >>> 16)}${hexOf16(a)}-${hexOf16(b >>> 16)}-${hexOf16(version)}-` +
    `${hexOf16(variant)}-${hexOf16(c)}${hexOf16(d >>> 16)}${hexOf16(d)}`
  );
}
