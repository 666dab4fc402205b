import type { HeaderFields } from './header-fields.ts';

/** Bits of an integer. */
const FIELDS_BY_BIT = 32;

const UNCHECKED = 0;
/** It needs no check before it is written. */
const CHECKED = 1;
/** Nor will the same value ever come again. */
const UNIQUE = 2;

/**
 * Changes to a head between receiving and sending it. One object per stream, reset and reused: the head itself is never
 * copied or altered. Writers skip removed fields and append the added pairs in order.
 */
export class HeaderEdits {
  /** Names at even, values at odd places; what lies at or beyond `#length` is left over from an earlier head. */
  readonly #pairs: string[] = [];
  #length = 0;
  /** By pair: the whole line where it was made beforehand, else ''. */
  readonly #lines: string[] = [];
  /** By pair: what its writers need not do. */
  #checked = new Uint8Array(16);
  /** One bit for each of the first fields; few heads have more. */
  #removed = 0;
  /** The removed ones of those behind. */
  #removedBehind: Set<number> | undefined = undefined;

  /** Keeps its storage: emptying an array gives its memory away, to be fetched again by the next head. */
  reset(): void {
    this.#length = 0;
    this.#removed = 0;
    this.#removedBehind = undefined;
  }

  get isEmpty(): boolean {
    return this.#length === 0 && this.#removed === 0 && this.#removedBehind === undefined;
  }

  /** Flat pairs: lower-case name, value, name, value … Valid until the next change. */
  get added(): readonly string[] {
    if (this.#pairs.length !== this.#length) this.#pairs.length = this.#length;
    return this.#pairs;
  }

  /** The same pair by pair, for writers that run for every message. */
  get addedCount(): number {
    return this.#length >> 1;
  }

  addedName(pair: number): string {
    return this.#pairs[pair * 2] as string;
  }

  addedValue(pair: number): string {
    return this.#pairs[pair * 2 + 1] as string;
  }

  isAddedChecked(pair: number): boolean {
    return this.#checked[pair] !== UNCHECKED;
  }

  /** Nothing is gained from remembering the value: it was made for this message alone. */
  isAddedUnique(pair: number): boolean {
    return this.#checked[pair] === UNIQUE;
  }

  /** The pair as HTTP/1 writes it, line end included, or '' where it is still to be put together. */
  addedLine(pair: number): string {
    return this.#lines[pair] as string;
  }

  add(name: string, value: string): void {
    this.#append(name, value, UNCHECKED, '');
  }

  /**
   * Adds a field that writers need not look at again: an end-to-end name in lower case that is a constant of ours, and a
   * value that is one too, was made here, or has been checked before. `line` is the same as `lineOf` gives it, where that
   * was at hand.
   */
  addChecked(name: string, value: string, line = ''): void {
    this.#append(name, value, CHECKED, line);
  }

  /** The same for a value that was made for this message alone, as identifiers are. */
  addUnique(name: string, value: string, line = ''): void {
    this.#append(name, value, UNIQUE, line);
  }

  removeAt(index: number): void {
    if (index < FIELDS_BY_BIT) this.#removed |= 1 << index;
    else {
      this.#removedBehind ??= new Set();
      this.#removedBehind.add(index);
    }
  }

  /** Removes every field of that name, received or added. */
  remove(fields: HeaderFields, name: string): void {
    for (let index = fields.indexOf(name); index >= 0; index = fields.indexOf(name, index + 1)) this.removeAt(index);
    for (let at = this.#length - 2; at >= 0; at -= 2) if (this.#pairs[at] === name) this.#dropPair(at >> 1);
  }

  /** Replaces every field of that name with one. */
  set(fields: HeaderFields, name: string, value: string): void {
    this.remove(fields, name);
    this.#append(name, value, UNCHECKED, '');
  }

  /** As `set`, for a pair as `addChecked` takes it. */
  setChecked(fields: HeaderFields, name: string, value: string): void {
    this.remove(fields, name);
    this.#append(name, value, CHECKED, '');
  }

  /** As `set`, for a pair as `addUnique` takes it. */
  setUnique(fields: HeaderFields, name: string, value: string): void {
    this.remove(fields, name);
    this.#append(name, value, UNIQUE, '');
  }

  isRemoved(index: number): boolean {
    if (index < FIELDS_BY_BIT) return (this.#removed & (1 << index)) !== 0;
    return this.#removedBehind?.has(index) === true;
  }

  #append(name: string, value: string, checked: number, line: string): void {
    const at = this.#length;
    if (at === this.#pairs.length) this.#pairs.push(name, value);
    else {
      this.#pairs[at] = name;
      this.#pairs[at + 1] = value;
    }
    const pair = at >> 1;
    this.#lines[pair] = line;
    if (pair >= this.#checked.length) this.#checked = larger(this.#checked, pair);
    this.#checked[pair] = checked;
    this.#length = at + 2;
  }

  #dropPair(pair: number): void {
    this.#pairs.splice(pair * 2, 2);
    this.#lines.splice(pair, 1);
    this.#checked.copyWithin(pair, pair + 1, this.#length >> 1);
    this.#length -= 2;
  }
}

/** A field as HTTP/1 writes it. */
export function lineOf(name: string, value: string): string {
  return `${name}: ${value}\r\n`;
}

/** A copy that reaches at least as far as `index`. */
function larger(flags: Uint8Array<ArrayBuffer>, index: number): Uint8Array<ArrayBuffer> {
  const grown = new Uint8Array(Math.max(index + 1, flags.length * 2));
  grown.set(flags);
  return grown;
}
