import { CR, LF, METHOD, SP, TARGET, TOKEN } from './byte-class.ts';
import type { Http1Fault, Http1Limits } from './contract.ts';
import { FAULTS } from './faults.ts';

type Phase = 0 | 1 | 2 | 3;
const IN_METHOD = 0;
const IN_TARGET = 1;
const IN_VERSION = 2;
const LINE_FEED = 3;

const MAX_METHOD_BYTES = 32;
const VERSION_BYTES = 'HTTP/1.1'.length;

/** Reads `method SP target SP HTTP/1.x CRLF` (RFC 9112 §3), resumable at any byte. Offsets count from the head's start. */
export class RequestLineScanner {
  fault: Http1Fault | undefined = undefined;
  isDone = false;
  methodEnd = 0;
  /** The target begins one byte after the method's end. */
  targetEnd = 0;
  version: 10 | 11 = 11;
  readonly #maxTargetBytes: number;
  readonly #acceptHttp10: boolean;
  #phase: Phase = IN_METHOD;

  constructor(limits: Http1Limits) {
    this.#maxTargetBytes = limits.maxTargetBytes;
    this.#acceptHttp10 = limits.acceptHttp10;
  }

  begin(): void {
    this.fault = undefined;
    this.isDone = false;
    this.#phase = IN_METHOD;
  }

  scan(bytes: Uint8Array, base: number, from: number, to: number): number {
    let position = from;
    while (position < to && !this.isDone && this.fault === undefined) {
      if (this.#phase === IN_METHOD) position = this.#scanMethod(bytes, base, position, to);
      else if (this.#phase === IN_TARGET) position = this.#scanTarget(bytes, base, position, to);
      else if (this.#phase === IN_VERSION) position = this.#scanVersion(bytes, base, position, to);
      else position = this.#scanLineFeed(bytes, position);
    }
    return position;
  }

  #scanMethod(bytes: Uint8Array, base: number, from: number, to: number): number {
    let position = from;
    const limit = Math.min(to, base + MAX_METHOD_BYTES + 1);
    while (position < limit && METHOD[bytes[position] as number] === 1) position += 1;
    if (position - base > MAX_METHOD_BYTES) return this.#refuse(FAULTS.methodTooLong, position);
    if (position === to) return position;
    const byte = bytes[position] as number;
    if (byte !== SP || position === base) {
      const isToken = (TOKEN[byte] as number) !== 0;
      return this.#refuse(isToken ? FAULTS.methodUnknown : faultOfByte(byte, FAULTS.method), position);
    }
    this.methodEnd = position - base;
    if (!isLetter(bytes[base] as number)) return this.#refuse(FAULTS.methodUnknown, position);
    if (this.methodEnd === 3 && bytes[base] === 0x50 && bytes[base + 1] === 0x52 && bytes[base + 2] === 0x49) {
      return this.#refuse(FAULTS.http2Preface, position);
    }
    this.#phase = IN_TARGET;
    return position + 1;
  }

  #scanTarget(bytes: Uint8Array, base: number, from: number, to: number): number {
    let position = from;
    const limit = Math.min(to, base + this.methodEnd + 1 + this.#maxTargetBytes + 1);
    while (position < limit && TARGET[bytes[position] as number] === 1) position += 1;
    const length = position - base - this.methodEnd - 1;
    if (length > this.#maxTargetBytes) return this.#refuse(FAULTS.targetTooLong, position);
    if (position === to) return position;
    const byte = bytes[position] as number;
    if (byte === CR && length > 0) return this.#refuse(FAULTS.versionSyntax, position);
    if (byte !== SP) return this.#refuse(faultOfByte(byte, FAULTS.target), position);
    if (length === 0) return this.#refuse(FAULTS.requestLine, position);
    this.targetEnd = position - base;
    this.#phase = IN_VERSION;
    return position + 1;
  }

  #scanVersion(bytes: Uint8Array, base: number, from: number, to: number): number {
    const start = base + this.targetEnd + 1;
    let position = from;
    const limit = Math.min(to, start + VERSION_BYTES);
    while (position < limit && TARGET[bytes[position] as number] === 1) position += 1;
    if (position === to && position < start + VERSION_BYTES) return position;
    if (position < start + VERSION_BYTES) {
      const byte = bytes[position] as number;
      if (byte === SP) return this.#refuse(FAULTS.requestLine, position);
      if (byte === LF) return this.#refuse(FAULTS.bareLf, position);
      return this.#refuse(versionFault(bytes, base + this.methodEnd + 1, start, position), position);
    }
    if (!this.#readVersion(bytes, base + this.methodEnd + 1, start)) return position;
    if (position === to) return position;
    if (bytes[position] !== CR) {
      return this.#refuse(faultOfByte(bytes[position] as number, FAULTS.versionSyntax), position);
    }
    this.#phase = LINE_FEED;
    return position + 1;
  }

  #readVersion(bytes: Uint8Array, target: number, start: number): boolean {
    const major = bytes[start + 5] as number;
    const minor = bytes[start + 7] as number;
    const isHttp =
      bytes[start] === 0x48 &&
      bytes[start + 1] === 0x54 &&
      bytes[start + 2] === 0x54 &&
      bytes[start + 3] === 0x50 &&
      bytes[start + 4] === 0x2f &&
      bytes[start + 6] === 0x2e &&
      isDigit(major) &&
      isDigit(minor);
    if (!isHttp) this.fault = versionFault(bytes, target, start, start + VERSION_BYTES);
    else if (major !== 0x31 || minor > 0x31) this.fault = FAULTS.versionUnsupported;
    else if (minor === 0x30 && !this.#acceptHttp10) this.fault = FAULTS.http10;
    else this.version = minor === 0x31 ? 11 : 10;
    return this.fault === undefined;
  }

  #scanLineFeed(bytes: Uint8Array, position: number): number {
    if (bytes[position] !== LF) return this.#refuse(FAULTS.bareCr, position);
    this.isDone = true;
    return position + 1;
  }

  #refuse(fault: Http1Fault, position: number): number {
    this.fault = fault;
    return position;
  }
}

const HTTP_SLASH = [0x48, 0x54, 0x54, 0x50, 0x2f];
const LOWER_CASE_BIT = 0x20;
const SLASH = 0x2f;
const ASTERISK = 0x2a;

/** A version that is not written as it must be; or three words of which none was meant to be HTTP. */
function versionFault(bytes: Uint8Array, target: number, start: number, end: number): Http1Fault {
  const first = bytes[target] as number;
  if (first === SLASH || first === ASTERISK || end === start) return FAULTS.versionSyntax;
  for (let index = 0; index < HTTP_SLASH.length && start + index < end; index += 1) {
    const byte = (bytes[start + index] as number) | LOWER_CASE_BIT;
    if (byte !== ((HTTP_SLASH[index] as number) | LOWER_CASE_BIT)) return FAULTS.notHttp;
  }
  return FAULTS.versionSyntax;
}

function isLetter(byte: number): boolean {
  return byte >= 0x41 && byte <= 0x5a;
}

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39;
}

function faultOfByte(byte: number, otherwise: Http1Fault): Http1Fault {
  if (byte === LF) return FAULTS.bareLf;
  return byte === CR ? FAULTS.requestLine : otherwise;
}
