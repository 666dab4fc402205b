import type { Random } from '../../base/random.ts';

/** Words drawn at a time: 8 KiB of hex digits, enough for 341 streams. */
const POOL_WORDS = 1_024 * 2;
const TRACE_WORDS = 4;
const SPAN_WORDS = 2;
const HEX_PER_WORD = 8;

/**
 * Makes trace and span identifiers; not for secrets. They are slices of a long text of random hex digits that is made
 * at once, since 48 digits one by one cost more than everything else that an unsampled stream needs.
 */
export class TraceIds {
  readonly #words = new Uint32Array(POOL_WORDS);
  readonly #bytes = Buffer.from(this.#words.buffer);
  #digits = '';
  #next = POOL_WORDS;
  #traceWord = 0;
  // xoshiro128: the state is seeded from the argument, so that a seed replays a failure.
  readonly #state: Uint32Array;

  constructor(random: Random) {
    this.#state = Uint32Array.of(random.uint32(), random.uint32(), random.uint32(), random.uint32() | 1);
  }

  /** 32 lower-case hex digits, never all zero. */
  traceId(): string {
    this.#traceWord = this.#take(TRACE_WORDS);
    return this.#slice(this.#traceWord, TRACE_WORDS);
  }

  /** 16 lower-case hex digits, never all zero. */
  spanId(): string {
    return this.#slice(this.#take(SPAN_WORDS), SPAN_WORDS);
  }

  /** The four words of the trace identifier made last, exclusive-or'ed. Ask before another identifier is made. */
  traceWordsFolded(): number {
    const words = this.#words;
    const at = this.#traceWord;
    const folded = (words[at] ?? 0) ^ (words[at + 1] ?? 0) ^ (words[at + 2] ?? 0) ^ (words[at + 3] ?? 0);
    // The digits show each word's bytes lowest first; exclusive-or commutes with turning them round.
    return (((folded & 0xff) << 24) | ((folded & 0xff00) << 8) | ((folded >>> 8) & 0xff00) | (folded >>> 24)) >>> 0;
  }

  #slice(word: number, count: number): string {
    return this.#digits.slice(word * HEX_PER_WORD, (word + count) * HEX_PER_WORD);
  }

  #take(count: number): number {
    if (this.#next + count > POOL_WORDS) this.#refill();
    const word = this.#next;
    this.#next = word + count;
    return word;
  }

  #refill(): void {
    const words = this.#words;
    let [a = 0, b = 0, c = 0, d = 1] = this.#state;
    for (let index = 0; index < POOL_WORDS; index += 1) {
      const product = Math.imul(b, 5);
      const word = Math.imul((product << 7) | (product >>> 25), 9) >>> 0;
      const shifted = b << 9;
      c ^= a;
      d ^= b;
      b ^= c;
      a ^= d;
      c ^= shifted;
      d = (d << 11) | (d >>> 21);
      // Every second word is not zero, hence no identifier is: W3C forbids all-zero ones.
      words[index] = word === 0 && (index & 1) === 1 ? 1 : word;
    }
    this.#state.set([a, b, c, d]);
    this.#digits = this.#bytes.toString('hex');
    this.#next = 0;
  }
}

/**
 * OpenTelemetry's TraceIdRatioBased rule as its JavaScript SDK applies it, on the exclusive-or of the trace
 * identifier's four words, so that every hop that uses the same share keeps the same traces.
 */
export function isKept(foldedTraceWords: number, ratio: number): boolean {
  if (ratio >= 1) return true;
  return ratio > 0 && foldedTraceWords < Math.floor(ratio * 0xffff_ffff);
}
