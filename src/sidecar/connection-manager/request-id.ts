import type { Random } from '../../base/random.ts';

/** Identifiers made at a time. */
const BATCH = 64;
const LENGTH = 36;
const BEFORE = 'x-request-id: ';
const LINE = `${BEFORE}${'-'.repeat(LENGTH)}\r\n`;
const WORDS = 4;
const VERSION_DIGIT_AT = 14;
const VARIANT_DIGIT_AT = 19;
/** Where the 16 pairs of hex digits stand in `xxxxxxxx-xxxx-4xxx-yxxx-xxxxxxxxxxxx`. */
const PAIR_PLACES = Uint8Array.of(0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34);
const HEX = Uint8Array.from('0123456789abcdef', (digit) => digit.charCodeAt(0));
/** The digits of each byte, one behind the other. */
const PAIRS = Uint8Array.from({ length: 512 }, (_, at) => HEX[at % 2 === 0 ? at >> 5 : (at >> 1) & 0xf] ?? 0);

/**
 * Makes version 4 UUIDs (RFC 9562 §5.4). They identify requests in logs and are no secret. Each is a slice of a text that
 * is written for many at once, as the lines of heads that they will be: digit by digit as strings, one costs more than routing its request.
 */
export class RequestIds {
  readonly #random: Random;
  /** Only the digits are written anew for each batch. */
  readonly #bytes = Buffer.from(LINE.repeat(BATCH), 'latin1');
  #text = '';
  #next = 0;
  #last = 0;

  constructor(random: Random) {
    this.#random = random;
  }

  next(): string {
    if (this.#next === this.#text.length) this.#refill();
    this.#last = this.#next;
    this.#next += LINE.length;
    const start = this.#last + BEFORE.length;
    return this.#text.slice(start, start + LENGTH);
  }

  /** The identifier made last as HTTP/1 writes it. */
  get line(): string {
    return this.#text.slice(this.#last, this.#last + LINE.length);
  }

  #refill(): void {
    for (let line = 0; line < this.#bytes.length; line += LINE.length) this.#write(line + BEFORE.length);
    this.#text = this.#bytes.toString('latin1');
    this.#next = 0;
  }

  #write(start: number): void {
    const bytes = this.#bytes;
    let pair = 0;
    for (let word = 0; word < WORDS; word += 1) {
      let bits = this.#random.uint32();
      for (let byte = 0; byte < 4; byte += 1) {
        const at = start + (PAIR_PLACES[pair] as number);
        const digits = (bits & 0xff) << 1;
        bytes[at] = PAIRS[digits] as number;
        bytes[at + 1] = PAIRS[digits + 1] as number;
        bits >>>= 8;
        pair += 1;
      }
    }
    bytes[start + VERSION_DIGIT_AT] = HEX[4] ?? 0;
    bytes[start + VARIANT_DIGIT_AT] = HEX[8 | (this.#random.uint32() & 3)] ?? 0;
  }
}
