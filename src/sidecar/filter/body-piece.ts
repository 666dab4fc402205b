import type { HeaderFields } from '../../http/header-fields.ts';

const NO_BYTES = Buffer.alloc(0);

/** Bytes of a body on their way through the filters, lent until the call returns. */
export class BodyPiece {
  buffer: Buffer = NO_BYTES;
  start = 0;
  end = 0;

  get length(): number {
    return this.end - this.start;
  }

  set(buffer: Buffer, start: number, end: number): void {
    this.buffer = buffer;
    this.start = start;
    this.end = end;
  }

  /** Puts other bytes in their place. */
  replace(bytes: Buffer): void {
    this.set(bytes, 0, bytes.length);
  }

  /** Nothing of it goes on: a filter has kept it or did not want it. */
  drop(): void {
    this.set(NO_BYTES, 0, 0);
  }

  view(): Buffer {
    return this.buffer.subarray(this.start, this.end);
  }
}

/** The end of a body: what a filter still has to say before it, and the trailers behind it. */
export class BodyEnding {
  trailers: HeaderFields | undefined = undefined;
  #added: Buffer = NO_BYTES;

  /** Bytes that go out before the end. */
  append(bytes: Buffer): void {
    this.#added = this.#added.length === 0 ? bytes : Buffer.concat([this.#added, bytes]);
  }

  takeAdded(): Buffer {
    const added = this.#added;
    this.#added = NO_BYTES;
    return added;
  }
}
