const NO_BYTES = Buffer.alloc(0);
const QUANTUM = /^[A-Za-z0-9+/]{2}(?:[A-Za-z0-9+/]{2}|[A-Za-z0-9+/]=|==)$/;

/**
 * Base64 (RFC 4648 §4) in pieces. Senders of streams encode message by message, so padding may stand in the middle and
 * begins anew behind it.
 */
export class Base64Decoder {
  #rest = '';

  /** Everything came in whole groups of four. */
  get isComplete(): boolean {
    return this.#rest === '';
  }

  /** undefined where a character or a padding is none of Base64's. */
  decode(bytes: Buffer): Buffer | undefined {
    const text = this.#rest + bytes.toString('latin1');
    const end = text.length - (text.length % 4);
    this.#rest = text.slice(end);
    const whole = text.slice(0, end);
    if (/^[A-Za-z0-9+/]*$/.test(whole)) return Buffer.from(whole, 'base64');
    const parts: Buffer[] = [];
    for (let at = 0; at < end; at += 4) {
      const quantum = whole.slice(at, at + 4);
      if (!QUANTUM.test(quantum)) return undefined;
      parts.push(Buffer.from(quantum, 'base64'));
    }
    return Buffer.concat(parts);
  }
}

/** The other way: bytes wait until there are three of them, so that padding comes at the end only. */
export class Base64Encoder {
  #rest: Buffer = NO_BYTES;

  encode(bytes: Buffer): Buffer {
    const all = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
    const end = all.length - (all.length % 3);
    this.#rest = Buffer.from(all.subarray(end));
    return Buffer.from(all.toString('base64', 0, end), 'latin1');
  }

  end(): Buffer {
    const rest = this.#rest;
    this.#rest = NO_BYTES;
    return Buffer.from(rest.toString('base64'), 'latin1');
  }
}
