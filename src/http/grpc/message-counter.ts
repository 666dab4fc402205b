const PREFIX_BYTES = 5;

/**
 * Counts messages of one direction of a call as their bytes pass (grpc: PROTOCOL-HTTP2.md, Length-Prefixed-Message).
 * Nothing is kept of them but where the next one begins.
 */
export class GrpcMessageCounter {
  messages = 0;
  /** Of the message whose prefix came last. */
  messageBytes = 0;
  largestMessageBytes = 0;
  #prefixBytes = 0;
  #length = 0;
  #leftBytes = 0;

  add(buffer: Buffer, start: number, end: number): void {
    let at = start;
    while (at < end) {
      if (this.#leftBytes > 0) {
        const taken = Math.min(this.#leftBytes, end - at);
        this.#leftBytes -= taken;
        at += taken;
      } else this.#addPrefixByte(buffer[at++] ?? 0);
    }
  }

  #addPrefixByte(byte: number): void {
    // The first one says whether the message is compressed.
    this.#length = this.#prefixBytes === 0 ? 0 : this.#length * 256 + byte;
    this.#prefixBytes++;
    if (this.#prefixBytes < PREFIX_BYTES) return;
    this.#prefixBytes = 0;
    this.#leftBytes = this.#length;
    this.messageBytes = this.#length;
    if (this.#length > this.largestMessageBytes) this.largestMessageBytes = this.#length;
    this.messages++;
  }
}
