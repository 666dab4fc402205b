/** A whole read buffer and the head or chunk framing around it; and the same for reads of a crowded worker. */
const LARGE_BYTES = 65_536 + 4_096;
const SMALL_BYTES = 16_384 + 512;
const MAX_KEPT = 16;

/** Copies that readers have not taken, in one worker; above this its reads and copies become small. */
const CROWDED_BYTES = 32 * 1024 * 1024;

/**
 * Large pieces are copied out of the shared read buffer before they are written, since a reader that is slow would let the
 * next read overwrite them. The copies are nearly always written at once, so a few buffers serve a whole worker.
 */
export class CopyBuffers {
  readonly #large: Buffer[] = [];
  readonly #small: Buffer[] = [];
  #heldBytes = 0;

  /** Bytes of buffers that hold unsent output now. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** So much is held for stuck readers that what each of them may hold has to be less. */
  get isCrowded(): boolean {
    return this.#heldBytes > CROWDED_BYTES;
  }

  /** A buffer of at least that many bytes, contents undefined. */
  take(bytes: number): Buffer {
    if (bytes <= SMALL_BYTES && (this.isCrowded || this.#large.length === 0)) {
      return this.#small.pop() ?? Buffer.allocUnsafeSlow(SMALL_BYTES);
    }
    if (bytes > LARGE_BYTES) return Buffer.allocUnsafeSlow(bytes);
    return this.#large.pop() ?? Buffer.allocUnsafeSlow(LARGE_BYTES);
  }

  /** Only once nothing reads from it any more. */
  giveBack(buffer: Buffer): void {
    const kept = buffer.length === LARGE_BYTES ? this.#large : buffer.length === SMALL_BYTES ? this.#small : undefined;
    if (kept !== undefined && kept.length < MAX_KEPT) kept.push(buffer);
  }

  /** The kernel did not take all of it: it stays with its socket. */
  hold(buffer: Buffer): void {
    this.#heldBytes += buffer.length;
  }

  /** It was taken after all, or its socket is gone. */
  release(buffer: Buffer): void {
    this.#heldBytes -= buffer.length;
  }
}

/** The copies that one socket has queued and the kernel has not taken yet. */
export class UnsentCopies {
  readonly #buffers: CopyBuffers;
  #copies: Buffer[] = NO_COPIES;

  constructor(buffers: CopyBuffers) {
    this.#buffers = buffers;
  }

  hold(copy: Buffer): void {
    if (this.#copies === NO_COPIES) this.#copies = [copy];
    else this.#copies.push(copy);
    this.#buffers.hold(copy);
  }

  /** The kernel has taken them all. */
  giveBack(): void {
    if (this.#copies === NO_COPIES) return;
    for (const copy of this.#copies) {
      this.#buffers.release(copy);
      this.#buffers.giveBack(copy);
    }
    this.#copies = NO_COPIES;
  }

  /** What the kernel never took is left to the collector: nobody knows who still looks at it. */
  abandon(): void {
    for (const copy of this.#copies) this.#buffers.release(copy);
    this.#copies = NO_COPIES;
  }
}

const NO_COPIES: Buffer[] = [];
