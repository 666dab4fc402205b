/** A whole read buffer and the head or chunk framing around it; and the same for reads of a crowded worker. */
const LARGE_BYTES = 65_536 + 4_096;
const SMALL_BYTES = 16_384 + 512;
const MAX_KEPT = 16;
/** A head and a short body, gathered until the turn ends; as many streams at once as one poll may find ready. */
export const GATHERED_BYTES = 4_096;
const MAX_GATHERED = 256;

/** Below this a body is sent together with its head when the turn ends; above it bytes are copied and written at once. */
export const LARGEST_JOINED_BYTES = 8_192;
/**
 * Output that a socket keeps before it says stop. As small as the smallest copy, so that each copy which the kernel does not
 * take is one that 'drain' is told of afterwards, and can then be given back.
 */
export const MAX_QUEUED_BYTES = LARGEST_JOINED_BYTES;

/** Copies that readers have not taken, in one worker; above this its reads and copies become small. */
const CROWDED_BYTES = 32 * 1024 * 1024;

/**
 * Large pieces are copied out of the shared read buffer before they are written, since a reader that is slow would let the
 * next read overwrite them. The copies are nearly always written at once, so a few buffers serve a whole worker.
 */
export class CopyBuffers {
  readonly #large: Buffer[] = [];
  readonly #small: Buffer[] = [];
  readonly #gathered: Buffer[] = [];
  #gatheredMade = 0;
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

  /** A buffer of GATHERED_BYTES for what is sent when the turn ends; undefined where too many are out. */
  takeForTurn(): Buffer | undefined {
    const known = this.#gathered.pop();
    if (known !== undefined || this.#gatheredMade === MAX_GATHERED) return known;
    this.#gatheredMade++;
    return Buffer.allocUnsafeSlow(GATHERED_BYTES);
  }

  /** Only once nothing reads from it any more. */
  giveBack(buffer: Buffer): void {
    if (buffer.length === GATHERED_BYTES) this.#gathered.push(buffer);
    else if (buffer.length === LARGE_BYTES) keep(this.#large, buffer);
    else if (buffer.length === SMALL_BYTES) keep(this.#small, buffer);
  }

  /** The kernel did not take all of it: it stays with its socket. */
  hold(buffer: Buffer): void {
    this.#heldBytes += buffer.length;
  }

  /** It was taken after all. */
  release(buffer: Buffer): void {
    this.#heldBytes -= buffer.length;
  }

  /** Its socket is gone, and nobody knows who still looks at it: it is left to the collector. */
  abandon(buffer: Buffer): void {
    this.release(buffer);
    if (buffer.length === GATHERED_BYTES) this.#gatheredMade--;
  }
}

function keep(kept: Buffer[], buffer: Buffer): void {
  if (kept.length < MAX_KEPT) kept.push(buffer);
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

  /** The kernel never took them. */
  abandon(): void {
    for (const copy of this.#copies) this.#buffers.abandon(copy);
    this.#copies = NO_COPIES;
  }
}

const NO_COPIES: Buffer[] = [];
