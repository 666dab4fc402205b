/** A whole read buffer and the head or chunk framing around it. */
const BUFFER_BYTES = 65_536 + 4_096;
const MAX_KEPT = 16;

/**
 * Large pieces are copied out of the shared read buffer before they are written, since a reader that is slow would let the
 * next read overwrite them. The copies are nearly always written at once, so a few buffers serve a whole worker.
 */
export class CopyBuffers {
  readonly #kept: Buffer[] = [];

  /** A buffer of at least that many bytes, contents undefined. */
  take(bytes: number): Buffer {
    if (bytes > BUFFER_BYTES) return Buffer.allocUnsafeSlow(bytes);
    return this.#kept.pop() ?? Buffer.allocUnsafeSlow(BUFFER_BYTES);
  }

  /** Only once nothing reads from it any more. */
  giveBack(buffer: Buffer): void {
    if (buffer.length === BUFFER_BYTES && this.#kept.length < MAX_KEPT) this.#kept.push(buffer);
  }
}
