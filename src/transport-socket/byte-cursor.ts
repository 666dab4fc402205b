import { latin1Text } from './latin1.ts';

/**
 * Reads big-endian fields from a slice of bytes and never past its end: a read that would is answered with zero or nothing and
 * leaves `isBroken` set, so that a parser asks once at the end of each structure instead of before each field.
 */
export class ByteCursor {
  readonly #bytes: Buffer;
  readonly #end: number;
  #position: number;
  isBroken = false;

  constructor(bytes: Buffer, start = 0, end: number = bytes.length) {
    this.#bytes = bytes;
    this.#position = start;
    this.#end = end;
  }

  get remaining(): number {
    return this.#end - this.#position;
  }

  /** Everything was read, and nothing that was not there. */
  get isSpent(): boolean {
    return !this.isBroken && this.#position === this.#end;
  }

  uint8(): number {
    const at = this.#advance(1);
    return at < 0 ? 0 : this.#bytes.readUInt8(at);
  }

  uint16(): number {
    const at = this.#advance(2);
    return at < 0 ? 0 : this.#bytes.readUInt16BE(at);
  }

  skip(bytes: number): void {
    this.#advance(bytes);
  }

  /** The next `bytes` bytes as a cursor of their own. */
  slice(bytes: number): ByteCursor {
    const at = this.#advance(bytes);
    return at < 0 ? new ByteCursor(this.#bytes, this.#end, this.#end) : new ByteCursor(this.#bytes, at, at + bytes);
  }

  latin1(bytes: number): string {
    const at = this.#advance(bytes);
    return at < 0 ? '' : latin1Text(this.#bytes, at, at + bytes);
  }

  #advance(bytes: number): number {
    const at = this.#position;
    if (this.isBroken || bytes > this.#end - at) {
      this.isBroken = true;
      return -1;
    }
    this.#position += bytes;
    return at;
  }
}
