import type { HeaderFields } from '../header-fields.ts';
import { LOWER } from './byte-class.ts';

/** Integers per field in the table: name start and end, value start and end, key, flags. */
const STRIDE = 6;
const NAME_END = 1;
const VALUE_START = 2;
const VALUE_END = 3;
const KEY = 4;
const FLAGS = 5;
const FIRST_CAPACITY_FIELDS = 24;

/** The field belongs to this connection, or is re-made by whoever writes the head: never copied. */
export const HOP_BY_HOP = 1;
/** The line is legal but not in the one form we write (`name: value`): written anew, never copied. */
export const REWRITE = 2;

/** Length, last and first character of a lower-case name in one integer: unequal keys mean unequal names. */
export function keyOfName(name: string): number {
  return (name.length << 16) | (name.charCodeAt(name.length - 1) << 8) | name.charCodeAt(0);
}

/** The same of bytes [start, end), in any case. */
export function keyOfBytes(bytes: Uint8Array, start: number, end: number): number {
  const last = LOWER[bytes[end - 1] as number] as number;
  return ((end - start) << 16) | (last << 8) | (LOWER[bytes[start] as number] as number);
}

/** One of 32 bits, as evenly spread as keys are different (multiplicative hashing). */
function bitOfKey(key: number): number {
  return 1 << (Math.imul(key, 0x9e37_79b1) >>> 27);
}

/**
 * The fields of one HTTP/1 head as offsets into its raw text: no object per field and no string until one is asked for.
 * Reused for every head of a connection.
 */
export class Http1Fields implements HeaderFields {
  /** The whole head, or trailer section, as latin1; offsets count from its start. */
  raw = '';
  count = 0;
  #table = new Int32Array(FIRST_CAPACITY_FIELDS * STRIDE);
  /** One bit set for each key held: most names asked for are absent, and mostly their bit says so. */
  #keyBits = 0;

  clear(): void {
    this.raw = '';
    this.count = 0;
    this.#keyBits = 0;
  }

  push(nameStart: number, nameEnd: number, valueStart: number, valueEnd: number, key: number, flags: number): void {
    const at = this.count * STRIDE;
    if (at === this.#table.length) this.#grow();
    const table = this.#table;
    table[at] = nameStart;
    table[at + NAME_END] = nameEnd;
    table[at + VALUE_START] = valueStart;
    table[at + VALUE_END] = valueEnd;
    table[at + KEY] = key;
    table[at + FLAGS] = flags;
    this.count += 1;
    this.#keyBits |= bitOfKey(key);
  }

  nameAt(index: number): string {
    return this.raw.slice(this.nameStart(index), this.#at(index, NAME_END)).toLowerCase();
  }

  valueAt(index: number): string {
    return this.raw.slice(this.valueStart(index), this.valueEnd(index));
  }

  indexOf(name: string, from = 0): number {
    const key = keyOfName(name);
    if ((this.#keyBits & bitOfKey(key)) === 0) return -1;
    const table = this.#table;
    for (let index = from; index < this.count; index += 1) {
      if (table[index * STRIDE + KEY] === key && this.#isNamed(index, name)) return index;
    }
    return -1;
  }

  get(name: string): string | undefined {
    const index = this.indexOf(name);
    return index < 0 ? undefined : this.valueAt(index);
  }

  isHopByHop(index: number): boolean {
    return (this.flagsAt(index) & HOP_BY_HOP) !== 0;
  }

  flagsAt(index: number): number {
    return this.#at(index, FLAGS);
  }

  addFlags(index: number, flags: number): void {
    this.#table[index * STRIDE + FLAGS] = this.flagsAt(index) | flags;
  }

  /** Where the line begins in `raw`. */
  nameStart(index: number): number {
    return this.#at(index, 0);
  }

  valueStart(index: number): number {
    return this.#at(index, VALUE_START);
  }

  valueEnd(index: number): number {
    return this.#at(index, VALUE_END);
  }

  /** Drops the fields for which `isUnwanted` answers true; order is kept. */
  dropWhere(isUnwanted: (name: string) => boolean): void {
    let kept = 0;
    for (let index = 0; index < this.count; index += 1) {
      if (isUnwanted(this.nameAt(index))) continue;
      if (kept !== index) this.#table.copyWithin(kept * STRIDE, index * STRIDE, (index + 1) * STRIDE);
      kept += 1;
    }
    this.count = kept;
  }

  #at(index: number, column: number): number {
    return this.#table[index * STRIDE + column] as number;
  }

  #isNamed(index: number, name: string): boolean {
    const start = this.nameStart(index);
    for (let offset = 0; offset < name.length; offset += 1) {
      if (LOWER[this.raw.charCodeAt(start + offset)] !== name.charCodeAt(offset)) return false;
    }
    return true;
  }

  #grow(): void {
    const larger = new Int32Array(this.#table.length * 2);
    larger.set(this.#table);
    this.#table = larger;
  }
}
