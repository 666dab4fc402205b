import { latin1 } from '../../http1/latin1.ts';
import { DecoderTable, MAX_TABLE_BYTES } from './decoder-table.ts';
import { INVALID_VALUE, isFieldValue, judgedName, NEVER_INDEXED } from './field-kind.ts';
import { HeaderField, sharedField } from './header-field.ts';
import { huffmanDecode, longestDecoded } from './huffman-decode.ts';
import { STATIC_FIELDS, STATIC_TABLE_SIZE } from './static-table.ts';

/** Takes the fields of a block in order. */
export interface FieldReceiver {
  onField(field: HeaderField): void;
}

/** RFC 7541 §4.2 lets an encoder say the smallest and the final size, no more. */
const MAX_SIZE_UPDATES_PER_BLOCK = 2;
/** Five bytes of continuation hold more than any length or index we accept. */
const MAX_INTEGER_SHIFT = 28;

const INDEXED = 0x80;
const INCREMENTAL = 0x40;
const SIZE_UPDATE = 0x20;
const NEVER = 0x10;
const HUFFMAN = 0x80;

let scratch = Buffer.allocUnsafeSlow(1024);

/**
 * Decodes header blocks of one connection (RFC 7541). Texts become strings once, when they arrive as literals, and are
 * checked then; what comes by index is handed on as it is. A block must be decoded even where nobody wants its fields.
 */
export class HpackDecoder {
  readonly table = new DecoderTable();
  #maxTableBytes = MAX_TABLE_BYTES;
  #mustShrink = false;
  #at = 0;
  #failed = false;

  /** The peer has acknowledged our SETTINGS_HEADER_TABLE_SIZE. It now has to say that it obeys (RFC 7541 §4.2). */
  limitTable(maxBytes: number): void {
    this.#maxTableBytes = Math.min(maxBytes, MAX_TABLE_BYTES);
    this.table.version += 1;
    this.#mustShrink = this.table.maxBytes > this.#maxTableBytes;
  }

  /** False where the block is wrong: the connection cannot go on (COMPRESSION_ERROR). */
  decode(bytes: Buffer, start: number, end: number, receiver: FieldReceiver): boolean {
    this.#at = start;
    this.#failed = false;
    if (!this.#readSizeUpdates(bytes, end)) return false;
    while (this.#at < end) {
      const first = bytes[this.#at] as number;
      if ((first & INDEXED) !== 0) this.#readIndexed(bytes, end, receiver);
      else if ((first & INCREMENTAL) !== 0) this.#readLiteral(bytes, end, receiver, 6, first);
      else if ((first & SIZE_UPDATE) !== 0) return false;
      else this.#readLiteral(bytes, end, receiver, 4, first);
      if (this.#failed) return false;
    }
    return true;
  }

  #readSizeUpdates(bytes: Buffer, end: number): boolean {
    for (let updates = 0; this.#at < end && ((bytes[this.#at] as number) & 0xe0) === SIZE_UPDATE; updates += 1) {
      const size = this.#readInteger(bytes, end, 5);
      if (this.#failed || size > this.#maxTableBytes || updates === MAX_SIZE_UPDATES_PER_BLOCK) return false;
      this.table.resize(size);
      this.#mustShrink = false;
    }
    return !this.#mustShrink;
  }

  #readIndexed(bytes: Buffer, end: number, receiver: FieldReceiver): void {
    const index = this.#readInteger(bytes, end, 7);
    if (index > 0 && index <= STATIC_TABLE_SIZE) {
      receiver.onField(STATIC_FIELDS[index] as HeaderField);
      return;
    }
    const position = index - STATIC_TABLE_SIZE - 1;
    if (index === 0 || position >= this.table.count) this.#failed = true;
    else receiver.onField(this.table.fieldAt(position));
  }

  #readLiteral(bytes: Buffer, end: number, receiver: FieldReceiver, prefixBits: number, first: number): void {
    const index = this.#readInteger(bytes, end, prefixBits);
    const position = index - STATIC_TABLE_SIZE - 1;
    let name: string;
    let kind: number;
    if (index === 0) {
      const judged = judgedName(this.#readText(bytes, end));
      name = judged.name;
      kind = judged.kind;
    } else if (index <= STATIC_TABLE_SIZE) {
      ({ name, kind } = STATIC_FIELDS[index] as HeaderField);
    } else if (position < this.table.count) {
      ({ name, kind } = this.table.fieldAt(position));
      kind &= ~INVALID_VALUE;
    } else {
      this.#failed = true;
      return;
    }
    const value = this.#readText(bytes, end);
    if (this.#failed) return;
    // Of a name the codec refuses or acts on itself, the text is looked at where its meaning is.
    if (!isFieldValue(value)) kind |= INVALID_VALUE;
    if (prefixBits !== 6) {
      if ((first & NEVER) !== 0) kind |= NEVER_INDEXED;
      receiver.onField(new HeaderField(name, value, kind));
      return;
    }
    const field = sharedField(name, value, kind);
    this.table.insert(field);
    receiver.onField(field);
  }

  /** RFC 7541 §5.1. */
  #readInteger(bytes: Buffer, end: number, prefixBits: number): number {
    const mask = (1 << prefixBits) - 1;
    let value = (bytes[this.#at++] as number) & mask;
    if (value < mask) return value;
    for (let shift = 0; this.#at < end && shift < MAX_INTEGER_SHIFT; shift += 7) {
      const byte = bytes[this.#at++] as number;
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    this.#failed = true;
    return 0;
  }

  /** RFC 7541 §5.2. */
  #readText(bytes: Buffer, end: number): string {
    if (this.#failed || this.#at >= end) {
      this.#failed = true;
      return '';
    }
    const isHuffman = ((bytes[this.#at] as number) & HUFFMAN) !== 0;
    const length = this.#readInteger(bytes, end, 7);
    const start = this.#at;
    if (this.#failed || length > end - start) {
      this.#failed = true;
      return '';
    }
    this.#at = start + length;
    return isHuffman ? this.#huffmanText(bytes, start) : latin1(bytes, start, start + length);
  }

  #huffmanText(bytes: Buffer, start: number): string {
    const needed = longestDecoded(this.#at - start);
    if (scratch.length < needed) scratch = Buffer.allocUnsafeSlow(needed);
    const length = huffmanDecode(bytes, start, this.#at, scratch);
    if (length >= 0) return latin1(scratch, 0, length);
    this.#failed = true;
    return '';
  }
}
