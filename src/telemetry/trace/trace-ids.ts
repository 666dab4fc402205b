import type { Random } from '../../base/random.ts';

/** Four hex digits of each 16-bit number; built once, on first use, shared by the thread. */
let hexOfUint16: readonly string[] | undefined;

function hexTable(): readonly string[] {
  hexOfUint16 ??= Array.from({ length: 0x1_0000 }, (_, value) => value.toString(16).padStart(4, '0'));
  return hexOfUint16;
}

/** Makes trace and span identifiers; not for secrets. Holds the words of the last trace identifier for the sampler. */
export class TraceIds {
  readonly #random: Random;
  readonly #hex = hexTable();
  /** The four 32-bit words of the last trace identifier, exclusive-or'ed. */
  accumulated = 0;

  constructor(random: Random) {
    this.#random = random;
  }

  /** 32 lower-case hex digits, never all zero. */
  traceId(): string {
    const random = this.#random;
    const first = random.uint32();
    const second = random.uint32();
    const third = random.uint32();
    // W3C forbids all zeros only; one bit of the last word is a cheap way to never get there.
    const fourth = (random.uint32() | 1) >>> 0;
    this.accumulated = (first ^ second ^ third ^ fourth) >>> 0;
    return this.#word(first) + this.#word(second) + this.#word(third) + this.#word(fourth);
  }

  /** 16 lower-case hex digits, never all zero. */
  spanId(): string {
    return this.#word(this.#random.uint32()) + this.#word((this.#random.uint32() | 1) >>> 0);
  }

  #word(value: number): string {
    const hex = this.#hex;
    return (hex[value >>> 16] ?? '') + (hex[value & 0xffff] ?? '');
  }
}

/**
 * OpenTelemetry's TraceIdRatioBased rule as its JavaScript SDK applies it, on the exclusive-or of the trace
 * identifier's four words, so that every hop that uses the same share keeps the same traces.
 */
export function isKept(accumulated: number, ratio: number): boolean {
  if (ratio >= 1) return true;
  return ratio > 0 && accumulated < Math.floor(ratio * 0xffff_ffff);
}
