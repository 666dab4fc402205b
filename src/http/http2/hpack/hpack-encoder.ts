import type { Http2Output } from '../output.ts';
import { MAX_TABLE_BYTES } from './decoder-table.ts';
import { EncoderTable } from './encoder-table.ts';
import { isSensitive } from './field-kind.ts';
import { HeaderField } from './header-field.ts';
import { huffmanEncode, huffmanLength } from './huffman-encode.ts';
import { fieldOf, STATIC_TABLE_SIZE } from './static-table.ts';

const INDEXED = 0x80;
const INCREMENTAL = 0x40;
const SIZE_UPDATE = 0x20;
const NEVER = 0x10;
const LITERAL = 0x00;
const HUFFMAN = 0x80;

/** Prefix bytes, and two integers of at most five bytes each. */
const MOST_OVERHEAD_BYTES = 16;
/** Larger fields would push everything else out of the table. */
const LARGEST_INDEXED_BYTES = 1024;
const RECENT_SLOTS = 64;
/** Above this the native copy is faster than a loop. */
const LONGEST_LOOPED_TEXT = 16;

/** Fields of which it is remembered where in the table they are, by their ids. */
const REMEMBERED_FIELDS = 64;
const NO_FIELD = new HeaderField('', '', 0);

/** A name whose values never come again, and the entry that lends it to each. */
interface UniqueName {
  readonly name: string;
  sequence: number;
}

const MAX_UNIQUE_NAMES = 8;
const NEVER_INSERTED = Number.NEGATIVE_INFINITY;

/**
 * Encodes fields into the output (RFC 7541). A field enters the table when it is met the second time, so that values which
 * never return (trace ids, lengths) do not push out those that do. Only what enters the table is Huffman-coded: coding the
 * rest costs more time than its few bytes are worth between neighbours.
 */
export class HpackEncoder {
  readonly #table = new EncoderTable();
  readonly #ownLimit: number;
  #smallestSize = MAX_TABLE_BYTES;
  #announcesSize = false;
  /** Fields met once, by a cheap hash. */
  readonly #recentNames: string[] = new Array<string>(RECENT_SLOTS).fill('');
  readonly #recentValues: string[] = new Array<string>(RECENT_SLOTS).fill('');
  readonly #remembered: HeaderField[] = new Array<HeaderField>(REMEMBERED_FIELDS).fill(NO_FIELD);
  readonly #sequences: number[] = new Array<number>(REMEMBERED_FIELDS).fill(0);
  /** The last field of each place. */
  readonly #places: HeaderField[] = [];
  readonly #uniqueNames: UniqueName[] = [];

  constructor(ownLimitBytes: number) {
    this.#ownLimit = Math.min(ownLimitBytes, MAX_TABLE_BYTES);
    this.limitTable(MAX_TABLE_BYTES);
  }

  /** The peer's SETTINGS_HEADER_TABLE_SIZE. */
  limitTable(maxBytes: number): void {
    const size = Math.min(maxBytes, this.#ownLimit);
    if (size === this.#table.maxBytes) return;
    this.#smallestSize = Math.min(this.#smallestSize, size);
    this.#announcesSize = true;
    this.#table.resize(size);
  }

  /** Begins a block. */
  begin(output: Http2Output): void {
    if (!this.#announcesSize) return;
    const size = this.#table.maxBytes;
    output.reserve(2 * MOST_OVERHEAD_BYTES);
    if (this.#smallestSize < size) writeInteger(output, SIZE_UPDATE, 5, this.#smallestSize);
    writeInteger(output, SIZE_UPDATE, 5, size);
    this.#smallestSize = size;
    this.#announcesSize = false;
  }

  /** `name` and `value` are checked, latin1. A sensitive field is never indexed, here or further on (RFC 7541 §7.1.3). */
  field(output: Http2Output, name: string, value: string, isSecret: boolean): void {
    this.#write(output, name, value, isSecret);
  }

  /** The same for a field that may have been written before, and is then found without looking at its text. */
  known(output: Http2Output, field: HeaderField): void {
    if (field.staticIndex > 0) {
      output.reserve(1);
      output.bytes[output.length++] = INDEXED | field.staticIndex;
      return;
    }
    const slot = field.id & (REMEMBERED_FIELDS - 1);
    const index = this.#remembered[slot] === field ? this.#table.indexOf(this.#sequences[slot] as number) : 0;
    if (index > 0) {
      output.reserve(MOST_OVERHEAD_BYTES);
      writeInteger(output, INDEXED, 7, index);
      return;
    }
    const found = this.#write(output, field.name, field.value, isSensitive(field.kind));
    if (found <= STATIC_TABLE_SIZE) return;
    this.#remembered[slot] = field;
    this.#sequences[slot] = this.#table.sequenceAt(found);
  }

  /**
   * The same for what we say ourselves: `place` is a small number, and what it was given for the head before is mostly what
   * it is given for this one.
   */
  placed(output: Http2Output, place: number, name: string, value: string): void {
    let field = this.#places[place];
    if (field === undefined || field.value !== value || field.name !== name) {
      field = fieldOf(name, value);
      this.#places[place] = field;
    }
    this.known(output, field);
  }

  /** A field whose value never comes again: only its name is looked for, and put into the table if it is not there. */
  unique(output: Http2Output, name: string, value: string): void {
    output.reserve(name.length + value.length + MOST_OVERHEAD_BYTES);
    const known = this.#uniqueName(name);
    const index = known === undefined ? 0 : this.#table.indexOf(known.sequence);
    if (known === undefined || index > 0 || this.#table.maxBytes === 0) {
      writeLiteral(output, LITERAL, 4, index, name, value, false);
      return;
    }
    writeLiteral(output, INCREMENTAL, 6, 0, name, value, false);
    if (this.#table.insert(name, value)) known.sequence = this.#table.sequenceAt(STATIC_TABLE_SIZE + 1);
  }

  #uniqueName(name: string): UniqueName | undefined {
    const names = this.#uniqueNames;
    for (let at = 0; at < names.length; at += 1) if (names[at]?.name === name) return names[at];
    if (names.length === MAX_UNIQUE_NAMES) return undefined;
    const fresh = { name, sequence: NEVER_INSERTED };
    names.push(fresh);
    return fresh;
  }

  /** Answers the index under which the table has the field now; 0 or less where it has not. */
  #write(output: Http2Output, name: string, value: string, isSecret: boolean): number {
    output.reserve(name.length + value.length + MOST_OVERHEAD_BYTES);
    const found = this.#table.find(name, value);
    if (isSecret) {
      writeLiteral(output, NEVER, 4, Math.abs(found), name, value, false);
      return 0;
    }
    if (found > 0) {
      writeInteger(output, INDEXED, 7, found);
      return found;
    }
    if (!this.#isWorthIndexing(name, value)) {
      writeLiteral(output, LITERAL, 4, -found, name, value, false);
      return 0;
    }
    writeLiteral(output, INCREMENTAL, 6, -found, name, value, true);
    return this.#table.insert(name, value) ? STATIC_TABLE_SIZE + 1 : 0;
  }

  #isWorthIndexing(name: string, value: string): boolean {
    if (name.length + value.length > LARGEST_INDEXED_BYTES || this.#table.maxBytes === 0) return false;
    const slot = recentSlot(name, value);
    if (this.#recentNames[slot] === name && this.#recentValues[slot] === value) return true;
    this.#recentNames[slot] = name;
    this.#recentValues[slot] = value;
    return false;
  }
}

function recentSlot(name: string, value: string): number {
  const { length } = value;
  let hash = name.length * 31 + name.charCodeAt(name.length - 1) + length * 7;
  if (length > 0) hash += value.charCodeAt(length - 1) * 5 + value.charCodeAt(length >> 1) * 3;
  return hash & (RECENT_SLOTS - 1);
}

function writeLiteral(
  output: Http2Output,
  pattern: number,
  prefixBits: number,
  nameIndex: number,
  name: string,
  value: string,
  isHuffman: boolean,
): void {
  writeInteger(output, pattern, prefixBits, nameIndex);
  if (nameIndex === 0) writeText(output, name, isHuffman);
  writeText(output, value, isHuffman);
}

function writeText(output: Http2Output, text: string, isHuffman: boolean): void {
  if (isHuffman) {
    const coded = huffmanLength(text);
    if (coded < text.length) {
      writeInteger(output, HUFFMAN, 7, coded);
      output.length = huffmanEncode(text, output.bytes, output.length);
      return;
    }
  }
  writeInteger(output, 0, 7, text.length);
  if (text.length > LONGEST_LOOPED_TEXT) {
    output.length += output.bytes.write(text, output.length, 'latin1');
    return;
  }
  const { bytes } = output;
  let at = output.length;
  for (let index = 0; index < text.length; index += 1) bytes[at++] = text.charCodeAt(index);
  output.length = at;
}

/** RFC 7541 §5.1. */
function writeInteger(output: Http2Output, pattern: number, prefixBits: number, value: number): void {
  const { bytes } = output;
  const mask = (1 << prefixBits) - 1;
  if (value < mask) {
    bytes[output.length++] = pattern | value;
    return;
  }
  bytes[output.length++] = pattern | mask;
  let rest = value - mask;
  while (rest >= 0x80) {
    bytes[output.length++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  bytes[output.length++] = rest;
}
