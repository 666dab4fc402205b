import { CR, HEX_VALUE, LF, SEMICOLON } from './byte-class.ts';
import { ChunkExtensionChecker } from './chunk-extension.ts';
import type { Http1Fault, Http1Limits } from './contract.ts';
import { FAULTS } from './faults.ts';

type Phase = 0 | 1 | 2 | 3 | 4 | 5;
const SIZE = 0;
const EXTENSION = 1;
const SIZE_LINE_FEED = 2;
const DATA = 3;
const DATA_CR = 4;
const DATA_LINE_FEED = 5;

const NOT_HEX = 255;
/** Leading zeros count: 13 hexadecimal digits hold 2^52, and no peer sends more. */
const MAX_SIZE_DIGITS = 13;

/** Reads chunk framing (RFC 9112 §7.1), resumable at any byte, up to the end of the last chunk's line; trailers come after. */
export class ChunkScanner {
  fault: Http1Fault | undefined = undefined;
  /** The zero chunk's line has been read. */
  isLast = false;
  /** Body bytes found by the last `step`; equal where there were none. */
  dataStart = 0;
  dataEnd = 0;
  readonly #maxExtensionBytes: number;
  readonly #maxExtensionBytesPerBody: number;
  readonly #extension = new ChunkExtensionChecker();
  #phase: Phase = SIZE;
  #digits = 0;
  #remaining = 0;
  #extensionBytes = 0;
  #extensionBytesOfBody = 0;

  constructor(limits: Http1Limits) {
    this.#maxExtensionBytes = limits.maxChunkExtensionBytes;
    this.#maxExtensionBytesPerBody = limits.maxChunkExtensionBytesPerBody;
  }

  begin(): void {
    this.fault = undefined;
    this.isLast = false;
    this.#phase = SIZE;
    this.#digits = 0;
    this.#remaining = 0;
    this.#extensionBytes = 0;
    this.#extensionBytesOfBody = 0;
  }

  /** Reads framing until body bytes, the last chunk, a fault or the end of the input; answers where it stopped. */
  step(buffer: Buffer, start: number, end: number): number {
    let position = start;
    this.dataStart = this.dataEnd = position;
    while (position < end) {
      if (this.#phase === DATA) return this.#takeData(position, end);
      if (!this.#accept(buffer[position] as number)) return position;
      position += 1;
      if (this.isLast) break;
    }
    this.dataStart = this.dataEnd = position;
    return position;
  }

  #takeData(position: number, end: number): number {
    const taken = Math.min(this.#remaining, end - position);
    this.dataStart = position;
    this.dataEnd = position + taken;
    this.#remaining -= taken;
    if (this.#remaining === 0) this.#phase = DATA_CR;
    return this.dataEnd;
  }

  #accept(byte: number): boolean {
    switch (this.#phase) {
      case SIZE:
        return this.#acceptSize(byte);
      case EXTENSION:
        return this.#acceptExtension(byte);
      case SIZE_LINE_FEED:
        if (byte !== LF) return this.#refuse(FAULTS.chunkLine);
        this.#endSizeLine();
        return true;
      case DATA_CR:
        if (byte !== CR) return this.#refuse(FAULTS.chunkData);
        this.#phase = DATA_LINE_FEED;
        return true;
      case DATA_LINE_FEED:
        if (byte !== LF) return this.#refuse(FAULTS.chunkData);
        this.#phase = SIZE;
        return true;
      case DATA:
        return true;
    }
  }

  #acceptSize(byte: number): boolean {
    const digit = HEX_VALUE[byte] as number;
    if (digit !== NOT_HEX) {
      this.#digits += 1;
      if (this.#digits > MAX_SIZE_DIGITS) return this.#refuse(FAULTS.chunkSizeRange);
      this.#remaining = this.#remaining * 16 + digit;
      return true;
    }
    if (this.#digits === 0) return this.#refuse(FAULTS.chunkSize);
    if (byte === CR) {
      this.#phase = SIZE_LINE_FEED;
      return true;
    }
    if (byte !== SEMICOLON) return this.#refuse(byte === LF ? FAULTS.chunkLine : FAULTS.chunkSize);
    this.#phase = EXTENSION;
    this.#extensionBytes = 0;
    this.#extension.begin();
    return this.#countExtensionByte();
  }

  #acceptExtension(byte: number): boolean {
    if (byte === CR && this.#extension.mayEnd) {
      this.#phase = SIZE_LINE_FEED;
      return true;
    }
    if (!this.#extension.accepts(byte)) return this.#refuse(FAULTS.chunkExtension);
    return this.#countExtensionByte();
  }

  #countExtensionByte(): boolean {
    this.#extensionBytes += 1;
    this.#extensionBytesOfBody += 1;
    if (
      this.#extensionBytes <= this.#maxExtensionBytes &&
      this.#extensionBytesOfBody <= this.#maxExtensionBytesPerBody
    ) {
      return true;
    }
    return this.#refuse(FAULTS.chunkExtensionSize);
  }

  #endSizeLine(): void {
    this.#digits = 0;
    if (this.#remaining === 0) this.isLast = true;
    else this.#phase = DATA;
  }

  #refuse(fault: Http1Fault): false {
    this.fault = fault;
    return false;
  }
}
