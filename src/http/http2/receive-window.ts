/**
 * What the peer may still send on a stream or connection (RFC 9113 §6.9). Bytes leave it when they arrive and come back
 * when whoever consumes them says so.
 */
export class ReceiveWindow {
  #updateAtBytes: number;
  #available: number;
  #owed = 0;

  /** Updates wait until `updateAtBytes` are owed, so that few frames carry them. */
  constructor(size: number, updateAtBytes: number) {
    this.#available = size;
    this.#updateAtBytes = updateAtBytes;
  }

  /** Bytes the peer may send as far as it knows. */
  get available(): number {
    return this.#available;
  }

  /** Consumed bytes not yet announced. */
  get owed(): number {
    return this.#owed;
  }

  /** False where the peer sent more than it was allowed. */
  take(bytes: number): boolean {
    if (bytes > this.#available) return false;
    this.#available -= bytes;
    return true;
  }

  /** Gives bytes back; answers the increment to announce now, or 0. */
  credit(bytes: number): number {
    this.#owed += bytes;
    if (this.#owed < this.#updateAtBytes) return 0;
    const increment = this.#owed;
    this.#owed = 0;
    this.#available += increment;
    return increment;
  }

  /** The peer has been told that it may send so many more; updates wait for more, too. */
  widen(bytes: number): void {
    this.#available += bytes;
    this.#updateAtBytes += bytes / 2;
  }

  /** Takes back what was given beyond the size: the next credits are not announced until it is made up for. */
  withhold(bytes: number): void {
    this.#owed -= bytes;
  }
}
