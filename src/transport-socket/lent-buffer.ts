/** What one read may take at most while too much unsent output is held for readers that are stuck. */
const CROWDED_READ_BYTES = 16_384;

/**
 * The one buffer that all sockets of a worker read into, as `onread.buffer` wants it: large reads make large bodies cheap,
 * and whatever a reader does not take of one read has to be held. So reads become small while much is held. Told to a socket
 * only when it changes: Node asks after each read, and `undefined` leaves that socket's buffer as it is.
 */
export class LentBuffer {
  readonly whole: Buffer;
  readonly #part: Buffer;
  readonly #isCrowded: () => boolean;
  /** What the socket whose read has just been taken was lent; undefined while none has. */
  #lent: Uint8Array | undefined = undefined;

  constructor(whole: Buffer, isCrowded: () => boolean) {
    this.whole = whole;
    this.#part = whole.subarray(0, CROWDED_READ_BYTES);
    this.#isCrowded = isCrowded;
  }

  /** Where the next read is to go. */
  get wanted(): Buffer {
    return this.#isCrowded() ? this.#part : this.whole;
  }

  /** To be said last in each read's callback; Node's question comes right behind it. */
  taken(lent: Uint8Array): void {
    this.#lent = lent;
  }

  /** The next read's buffer, or undefined for the same again. A new socket asks before any read and always gets one. */
  readonly next = (): Buffer | undefined => {
    const { wanted } = this;
    const known = this.#lent;
    this.#lent = undefined;
    return known === wanted ? undefined : wanted;
  };
}
