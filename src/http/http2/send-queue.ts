/** Body bytes of one stream that wait for a window: copies, in order. Its bound is the stream's business. */
export class SendQueue {
  byteLength = 0;
  readonly #chunks: Buffer[] = [];
  /** Bytes of the first chunk that have gone. */
  #offset = 0;

  push(buffer: Buffer, start: number, end: number): void {
    this.#chunks.push(Buffer.from(buffer.subarray(start, end)));
    this.byteLength += end - start;
  }

  /** Copies the next `count` bytes to `target`; there are at least as many. */
  take(count: number, target: Buffer, at: number): void {
    let copied = 0;
    while (copied < count) {
      const chunk = this.#chunks[0] as Buffer;
      const taken = Math.min(count - copied, chunk.length - this.#offset);
      chunk.copy(target, at + copied, this.#offset, this.#offset + taken);
      copied += taken;
      this.#offset += taken;
      if (this.#offset === chunk.length) {
        this.#chunks.shift();
        this.#offset = 0;
      }
    }
    this.byteLength -= count;
  }
}
