import type { Random } from '../../base/random.ts';

/** Identifiers made at a time. */
const BATCH = 64;
const LENGTH = 36;
const BEFORE = 'x-request-id: ';
const LINE = `${BEFORE}${'-'.repeat(LENGTH)}\r\n`;
const WORDS = 4;
const VERSION_DIGIT_AT = 14;
const VARIANT_DIGIT_AT = 19;
/** Where the 32 hex digits stand in `xxxxxxxx-xxxx-4xxx-yxxx-xxxxxxxxxxxx`. */
const DIGIT_PLACES = Uint8Array.from(
  Array.from({ length: LENGTH }, (_, place) => place).filter((place) => ![8, 13, 18, 23].includes(place)),
);
const HEX = Uint8Array.from('0123456789abcdef', (digit) => digit.charCodeAt(0));

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
    let place = 0;
    for (let word = 0; word < WORDS; word += 1) {
      let bits = this.#random.uint32();
      for (let digit = 0; digit < 8; digit += 1) {
        bytes[start + (DIGIT_PLACES[place] ?? 0)] = HEX[bits & 0xf] ?? 0;
        bits >>>= 4;
        place += 1;
      }
    }
    bytes[start + VERSION_DIGIT_AT] = HEX[4] ?? 0;
    bytes[start + VARIANT_DIGIT_AT] = HEX[8 | (this.#random.uint32() & 3)] ?? 0;
  }
}
