import { type CopyBuffers, GATHERED_BYTES } from './copy-buffers.ts';
import { latin1Text, writeLatin1 } from './latin1.ts';

/**
 * What one stream has to send when the turn ends: latin1 text or, once bytes came, a borrowed buffer with the text that came
 * before them. Made into text, a body would be turned into a string, joined to its head, flattened and copied out once more.
 */
export class TurnOutput {
  readonly #copies: CopyBuffers;
  /** Stands behind what is in the buffer. */
  #text = '';
  #buffer: Buffer | undefined = undefined;
  #bufferedBytes = 0;

  constructor(copies: CopyBuffers) {
    this.#copies = copies;
  }

  get isEmpty(): boolean {
    return this.#text === '' && this.#buffer === undefined;
  }

  get length(): number {
    return this.#bufferedBytes + this.#text.length;
  }

  addText(text: string): void {
    this.#text = this.#text === '' ? text : this.#text + text;
  }

  /** Copies lent bytes, and `suffix` behind them; into a buffer, where one may be had that holds all there is so far. */
  addBytes(bytes: Buffer, start: number, end: number, suffix: string, mayBorrow: boolean): void {
    const room = GATHERED_BYTES - this.length - suffix.length;
    if (mayBorrow && end - start <= room) this.#buffer ??= this.#copies.takeForTurn();
    if (this.#buffer === undefined || end - start > room) {
      this.#becomeText();
      this.addText(latin1Text(bytes, start, end) + suffix);
      return;
    }
    this.#moveText(this.#buffer);
    bytes.copy(this.#buffer, this.#bufferedBytes, start, end);
    this.#bufferedBytes += end - start;
    this.#text = suffix;
  }

  /** All of it as text, or '' where it is in a buffer. */
  takeText(): string {
    if (this.#buffer !== undefined) {
      if (this.length <= GATHERED_BYTES) {
        this.#moveText(this.#buffer);
        return '';
      }
      this.#becomeText();
    }
    const text = this.#text;
    this.#text = '';
    return text;
  }

  /** Behind takeText: the buffer with all of it, which is the caller's from here on. `length` is to be asked before. */
  takeBuffer(): Buffer | undefined {
    const buffer = this.#buffer;
    this.#buffer = undefined;
    this.#bufferedBytes = 0;
    return buffer;
  }

  clear(): void {
    this.#text = '';
    const buffer = this.takeBuffer();
    if (buffer !== undefined) this.#copies.giveBack(buffer);
  }

  /** Writes all of it to the front of `target`. */
  moveTo(target: Buffer): void {
    this.#buffer?.copy(target, 0, 0, this.#bufferedBytes);
    if (this.#text !== '') writeLatin1(target, this.#text, this.#bufferedBytes);
    this.clear();
  }

  #moveText(buffer: Buffer): void {
    if (this.#text === '') return;
    writeLatin1(buffer, this.#text, this.#bufferedBytes);
    this.#bufferedBytes += this.#text.length;
    this.#text = '';
  }

  #becomeText(): void {
    const buffer = this.#buffer;
    if (buffer === undefined) return;
    const text = latin1Text(buffer, 0, this.#bufferedBytes) + this.#text;
    this.clear();
    this.#text = text;
  }
}
