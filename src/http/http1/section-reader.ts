import type { Http1Fault } from './contract.ts';
import type { FieldScanner } from './field-scanner.ts';
import { latin1 } from './latin1.ts';

/** A resumable scanner of the line a head begins with. */
export interface StartLine {
  readonly fault: Http1Fault | undefined;
  readonly isDone: boolean;
  begin(): void;
  scan(bytes: Uint8Array, base: number, from: number, to: number): number;
}

const NO_BYTES = Buffer.alloc(0);
const SMALLEST_CARRY_BYTES = 1024;
/** A carry larger than this is not kept for the next head. */
const LARGEST_KEPT_CARRY_BYTES = 4096;

/**
 * Reads one head or trailer section that may arrive in any number of pieces. A section that lies whole in the caller's
 * buffer is scanned where it lies; an unfinished one is carried in a buffer of its own, never more than `maxBytes`.
 */
export class SectionReader {
  isDone = false;
  fault: Http1Fault | undefined = undefined;
  readonly #startLine: StartLine | undefined;
  readonly #fields: FieldScanner;
  readonly #maxBytes: number;
  readonly #tooLarge: Http1Fault;
  #carry: Buffer = NO_BYTES;
  #carriedBytes = 0;

  constructor(startLine: StartLine | undefined, fields: FieldScanner, maxBytes: number, tooLarge: Http1Fault) {
    this.#startLine = startLine;
    this.#fields = fields;
    this.#maxBytes = maxBytes;
    this.#tooLarge = tooLarge;
  }

  begin(): void {
    this.isDone = false;
    this.fault = undefined;
    this.#carriedBytes = 0;
    if (this.#carry.length > LARGEST_KEPT_CARRY_BYTES) this.#carry = NO_BYTES;
    this.#startLine?.begin();
    this.#fields.begin();
  }

  /** Takes bytes of [start, end); answers the position after the last one used. On `isDone` the raw text is set. */
  read(buffer: Buffer, start: number, end: number): number {
    if (this.#carriedBytes > 0) return this.#readCarried(buffer, start, end);
    const stopped = this.#scan(buffer, start, start, end);
    if (this.isDone) this.#fields.fields.raw = latin1(buffer, start, stopped);
    else if (this.fault === undefined) this.#keep(buffer, start, end);
    return stopped;
  }

  #readCarried(buffer: Buffer, start: number, end: number): number {
    const before = this.#carriedBytes;
    const taken = Math.min(end - start, this.#maxBytes - before);
    this.#keep(buffer, start, start + taken);
    const stopped = this.#scan(this.#carry, 0, before, before + taken);
    if (this.isDone) this.#fields.fields.raw = latin1(this.#carry, 0, stopped);
    return start + stopped - before;
  }

  #scan(bytes: Buffer, base: number, from: number, to: number): number {
    const limit = Math.min(to, base + this.#maxBytes);
    let position = from;
    const startLine = this.#startLine;
    if (startLine !== undefined && !startLine.isDone) {
      position = startLine.scan(bytes, base, position, limit);
      this.fault = startLine.fault;
    }
    if (this.fault === undefined && (startLine === undefined || startLine.isDone)) {
      position = this.#fields.scan(bytes, base, position, limit);
      this.fault = this.#fields.fault;
      this.isDone = this.#fields.isDone;
    }
    if (!this.isDone && this.fault === undefined && position - base >= this.#maxBytes) this.fault = this.#tooLarge;
    return position;
  }

  #keep(buffer: Buffer, start: number, end: number): void {
    const needed = this.#carriedBytes + end - start;
    if (needed > this.#carry.length) {
      const doubled = Math.max(needed, this.#carry.length * 2, SMALLEST_CARRY_BYTES);
      const larger = Buffer.allocUnsafeSlow(Math.min(doubled, Math.max(needed, this.#maxBytes)));
      this.#carry.copy(larger, 0, 0, this.#carriedBytes);
      this.#carry = larger;
    }
    buffer.copy(this.#carry, this.#carriedBytes, start, end);
    this.#carriedBytes = needed;
  }
}
