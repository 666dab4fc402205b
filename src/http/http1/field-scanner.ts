import { isBlank } from './blank.ts';
import { COLON, CR, DEL, LF, SP, TAB, TOKEN, UNDERSCORE_BIT } from './byte-class.ts';
import type { Http1Fault, Http1Limits } from './contract.ts';
import { FAULTS } from './faults.ts';
import { HOP_BY_HOP, type Http1Fields, keyOfBytes, REWRITE } from './field-table.ts';
import { KNOWN, knownField, NEVER_COPIED } from './known-field.ts';
import { aliasesKnownName } from './protected-names.ts';

type Phase = 0 | 1 | 2 | 3 | 4 | 5;
const LINE_START = 0;
const NAME = 1;
const BEFORE_VALUE = 2;
const VALUE = 3;
const LINE_FEED = 4;
const LAST_LINE_FEED = 5;

/**
 * Reads field lines up to and including the empty line, one byte once, resumable at any byte:
 *
 *     LINE_START ─► NAME ─:─► BEFORE_VALUE ─► VALUE ─CR─► LINE_FEED ─LF─► LINE_START
 *         └─CR─► LAST_LINE_FEED ─LF─► done
 */
export class FieldScanner {
  fault: Http1Fault | undefined = undefined;
  isDone = false;
  /** Bits of KNOWN that occurred, and those that occurred again. */
  seen = 0;
  repeated = 0;
  hostIndex = 0;
  contentLengthIndex = 0;
  transferEncodingIndex = 0;
  /** The first of possibly several. */
  connectionIndex = 0;
  readonly fields: Http1Fields;
  readonly #maxFields: number;
  readonly #underscores: Http1Limits['headersWithUnderscores'];
  #phase: Phase = LINE_START;
  #linesRead = 0;
  #nameStart = 0;
  #nameEnd = 0;
  #nameClass = 0;
  #valueStart = 0;

  constructor(fields: Http1Fields, limits: Http1Limits) {
    this.fields = fields;
    this.#maxFields = limits.maxFields;
    this.#underscores = limits.headersWithUnderscores;
  }

  begin(): void {
    this.fields.clear();
    this.fault = undefined;
    this.isDone = false;
    this.seen = 0;
    this.repeated = 0;
    this.#phase = LINE_START;
    this.#linesRead = 0;
  }

  /** Scans [from, to) of a section that begins at `base`; answers where it stopped. */
  scan(bytes: Uint8Array, base: number, from: number, to: number): number {
    let position = from;
    while (position < to) {
      switch (this.#phase) {
        case LINE_START:
          position = this.#scanPlainLines(bytes, base, position, to);
          if (position === to) return position;
          if (bytes[position] === CR) {
            this.#phase = LAST_LINE_FEED;
            position += 1;
            break;
          }
          if (!this.#beginLine(bytes[position] as number, position - base)) return position;
          break;
        case NAME:
          position = this.#scanName(bytes, base, position, to);
          break;
        case BEFORE_VALUE: {
          const byte = bytes[position] as number;
          if (byte === SP || byte === TAB) {
            position += 1;
            break;
          }
          this.#valueStart = position - base;
          this.#phase = VALUE;
          break;
        }
        case VALUE:
          position = this.#scanValue(bytes, base, position, to);
          break;
        case LINE_FEED:
          if (bytes[position] !== LF) return this.#refuse(FAULTS.bareCr, position);
          position += 1;
          this.#phase = LINE_START;
          break;
        case LAST_LINE_FEED:
          if (bytes[position] !== LF) return this.#refuse(FAULTS.bareCr, position);
          this.isDone = true;
          return position + 1;
      }
      if (this.fault !== undefined) return position;
    }
    return position;
  }

  /**
   * The short way for whole lines of the form we write, `name: value`, which nearly all are. It stops before the first line
   * that is anything else, which the states then read from its start: they alone refuse.
   */
  #scanPlainLines(bytes: Uint8Array, base: number, from: number, to: number): number {
    let lineStart = from;
    while (this.#linesRead < this.#maxFields) {
      let position = lineStart;
      while (position < to && TOKEN[bytes[position] as number] === 1) position += 1;
      const nameEnd = position;
      if (nameEnd === lineStart || nameEnd + 2 >= to || bytes[nameEnd] !== COLON || bytes[nameEnd + 1] !== SP) break;
      const valueStart = nameEnd + 2;
      position = valueStart;
      while (position < to) {
        const byte = bytes[position] as number;
        if (byte < SP || byte === DEL) break;
        position += 1;
      }
      if (position + 1 >= to || bytes[position] !== CR || bytes[position + 1] !== LF) break;
      if (bytes[valueStart] === SP || (bytes[position - 1] === SP && position > valueStart)) break;
      this.#linesRead += 1;
      this.#addField(bytes, base, lineStart, nameEnd, valueStart, position, 0);
      lineStart = position + 2;
    }
    return lineStart;
  }

  #beginLine(byte: number, offset: number): boolean {
    if (byte === SP || byte === TAB) {
      this.fault = this.#linesRead === 0 ? FAULTS.leadingWhitespace : FAULTS.obsFold;
      return false;
    }
    if (this.#linesRead === this.#maxFields) {
      this.fault = FAULTS.tooManyFields;
      return false;
    }
    this.#linesRead += 1;
    this.#nameStart = offset;
    this.#nameClass = 0;
    this.#phase = NAME;
    return true;
  }

  #scanName(bytes: Uint8Array, base: number, from: number, to: number): number {
    let position = from;
    let nameClass = this.#nameClass;
    while (position < to) {
      const byteClass = TOKEN[bytes[position] as number] as number;
      if (byteClass === 0) break;
      nameClass |= byteClass;
      position += 1;
    }
    this.#nameClass = nameClass;
    if (position === to) return position;
    this.#nameEnd = position - base;
    const byte = bytes[position] as number;
    if (byte !== COLON) return this.#refuse(faultOfNameEnd(byte), position);
    if (this.#nameEnd === this.#nameStart) return this.#refuse(FAULTS.fieldName, position);
    this.#phase = BEFORE_VALUE;
    return position + 1;
  }

  #scanValue(bytes: Uint8Array, base: number, from: number, to: number): number {
    let position = from;
    while (position < to) {
      const byte = bytes[position] as number;
      if ((byte < SP && byte !== TAB) || byte === DEL) break;
      position += 1;
    }
    if (position === to) return position;
    const byte = bytes[position] as number;
    if (byte !== CR) return this.#refuse(byte === LF ? FAULTS.bareLf : FAULTS.fieldValue, position);
    this.#endField(bytes, base, position);
    this.#phase = LINE_FEED;
    return position + 1;
  }

  #endField(bytes: Uint8Array, base: number, lineEnd: number): void {
    const valueStart = this.#valueStart;
    let valueEnd = lineEnd;
    while (valueEnd - base > valueStart && isBlank(bytes[valueEnd - 1] as number)) valueEnd -= 1;
    const nameStart = base + this.#nameStart;
    const nameEnd = base + this.#nameEnd;
    if ((this.#nameClass & UNDERSCORE_BIT) !== 0 && !this.#acceptsUnderscore(bytes, nameStart, nameEnd)) return;
    // The one form we write is `name: value`; `name:value` reads the same everywhere too. All else is written anew.
    const gap = valueStart - this.#nameEnd;
    const isPlain = valueEnd === lineEnd && gap <= 2 && (gap !== 2 || bytes[nameEnd + 1] === SP);
    this.#addField(bytes, base, nameStart, nameEnd, base + valueStart, valueEnd, isPlain ? 0 : REWRITE);
  }

  /** All positions are of `bytes`; the table holds offsets from `base`. */
  #addField(
    bytes: Uint8Array,
    base: number,
    nameStart: number,
    nameEnd: number,
    valueStart: number,
    valueEnd: number,
    lineFlags: number,
  ): void {
    const key = keyOfBytes(bytes, nameStart, nameEnd);
    const known = knownField(bytes, nameStart, key);
    let flags = lineFlags;
    if (known !== KNOWN.none) {
      this.#noteKnown(known);
      if ((known & NEVER_COPIED) !== 0) flags |= HOP_BY_HOP;
    }
    this.fields.push(nameStart - base, nameEnd - base, valueStart - base, valueEnd - base, key, flags);
  }

  #noteKnown(known: number): void {
    const index = this.fields.count;
    if ((this.seen & known) !== 0) this.repeated |= known;
    else if (known === KNOWN.connection) this.connectionIndex = index;
    this.seen |= known;
    if (known === KNOWN.host) this.hostIndex = index;
    else if (known === KNOWN.contentLength) this.contentLengthIndex = index;
    else if (known === KNOWN.transferEncoding) this.transferEncodingIndex = index;
  }

  #acceptsUnderscore(bytes: Uint8Array, nameStart: number, nameEnd: number): boolean {
    if (this.#underscores === 'drop') return false;
    const name = String.fromCharCode(...bytes.subarray(nameStart, Math.min(nameEnd, nameStart + 64))).toLowerCase();
    if (this.#underscores === 'allow' && !aliasesKnownName(name)) return true;
    this.fault = FAULTS.underscore;
    return false;
  }

  #refuse(fault: Http1Fault, position: number): number {
    this.fault = fault;
    return position;
  }
}

function faultOfNameEnd(byte: number): Http1Fault {
  if (isBlank(byte)) return FAULTS.spaceInName;
  if (byte === CR) return FAULTS.noColon;
  return byte === LF ? FAULTS.bareLf : FAULTS.fieldName;
}
