import type { Http2Output } from '../output.ts';
import { MAX_TABLE_BYTES } from './decoder-table.ts';
import { EncoderTable } from './encoder-table.ts';
import { huffmanEncode, huffmanLength } from './huffman-encode.ts';

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
const LONGEST_LOOPED_TEXT = 48;

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
  field(output: Http2Output, name: string, value: string, isSensitive: boolean): void {
    output.reserve(name.length + value.length + MOST_OVERHEAD_BYTES);
    const found = this.#table.find(name, value);
    if (found > 0) {
      writeInteger(output, INDEXED, 7, found);
    } else if (isSensitive) {
      writeLiteral(output, NEVER, 4, -found, name, value, false);
    } else if (this.#isWorthIndexing(name, value)) {
      writeLiteral(output, INCREMENTAL, 6, -found, name, value, true);
      this.#table.insert(name, value);
    } else {
      writeLiteral(output, LITERAL, 4, -found, name, value, false);
    }
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
