import { CR, DEL, isFieldValueByte, LF, SP, ZERO } from './byte-class.ts';
import type { Http1Fault } from './contract.ts';
import { FAULTS } from './faults.ts';

const VERSION_PREFIX = 'HTTP/1.';
const MINOR_AT = VERSION_PREFIX.length;
const CODE_AT = MINOR_AT + 2;
const REASON_AT = CODE_AT + 3;
const PLAIN_PREFIX = 'HTTP/1.1 ';
const LOWEST_STATUS = 100;
const HIGHEST_STATUS = 599;

/**
 * Reads `HTTP/1.x SP 3DIGIT [SP reason] CRLF` (RFC 9112 §4), resumable at any byte. The reason phrase is checked and
 * forgotten: writers use their own.
 */
export class StatusLineScanner {
  fault: Http1Fault | undefined = undefined;
  isDone = false;
  status = 0;
  version: 10 | 11 = 11;
  #sawCr = false;

  begin(): void {
    this.fault = undefined;
    this.isDone = false;
    this.status = 0;
    this.#sawCr = false;
  }

  scan(bytes: Uint8Array, base: number, from: number, to: number): number {
    let position = from === base ? this.#scanPlain(bytes, base, to) : from;
    while (position < to && !this.isDone) {
      const byte = bytes[position] as number;
      if (this.#sawCr) {
        if (byte !== LF) return this.#refuse(FAULTS.bareCr, position);
        this.isDone = true;
      } else if (position - base < REASON_AT) {
        if (!this.#acceptsPrefixByte(byte, position - base)) return this.#refuse(FAULTS.statusLine, position);
      } else if (!this.#acceptsReasonByte(byte, position - base)) return position;
      position += 1;
    }
    return position;
  }

  /**
   * The short way for a whole HTTP/1.1 line, which nearly all are. Whatever else it may be, nothing of it counts as read, and
   * the states read it from its start.
   */
  #scanPlain(bytes: Uint8Array, base: number, to: number): number {
    if (to - base <= REASON_AT + 2) return base;
    for (let offset = 0; offset < CODE_AT; offset += 1) {
      if (bytes[base + offset] !== PLAIN_PREFIX.charCodeAt(offset)) return base;
    }
    const hundreds = (bytes[base + CODE_AT] as number) - ZERO;
    const tens = (bytes[base + CODE_AT + 1] as number) - ZERO;
    const units = (bytes[base + CODE_AT + 2] as number) - ZERO;
    if (hundreds < 1 || hundreds > 5 || tens < 0 || tens > 9 || units < 0 || units > 9) return base;
    let position = base + REASON_AT;
    if (bytes[position] !== SP) return base;
    while (position < to) {
      const byte = bytes[position] as number;
      if (byte < SP || byte === DEL) break;
      position += 1;
    }
    if (position + 1 >= to || bytes[position] !== CR || bytes[position + 1] !== LF) return base;
    this.version = 11;
    this.status = hundreds * 100 + tens * 10 + units;
    this.isDone = true;
    return position + 2;
  }

  #acceptsPrefixByte(byte: number, offset: number): boolean {
    if (offset < MINOR_AT) return byte === VERSION_PREFIX.charCodeAt(offset);
    if (offset === MINOR_AT) {
      this.version = byte === 0x30 ? 10 : 11;
      return byte === 0x30 || byte === 0x31;
    }
    if (offset < CODE_AT) return byte === SP;
    this.status = this.status * 10 + byte - 0x30;
    return byte >= 0x30 && byte <= 0x39;
  }

  #acceptsReasonByte(byte: number, offset: number): boolean {
    if (offset === REASON_AT) {
      if (this.status < LOWEST_STATUS || this.status > HIGHEST_STATUS) this.fault = FAULTS.statusRange;
      else if (byte !== SP && byte !== CR) this.fault = byte === LF ? FAULTS.bareLf : FAULTS.statusLine;
    } else if (byte !== CR && !isFieldValueByte(byte)) {
      this.fault = byte === LF ? FAULTS.bareLf : FAULTS.statusLine;
    }
    this.#sawCr = byte === CR;
    return this.fault === undefined;
  }

  #refuse(fault: Http1Fault, position: number): number {
    this.fault = fault;
    return position;
  }
}
