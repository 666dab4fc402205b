/** RFC 9113 §6. */
const DATA = 0;
const HEADERS = 1;
const SETTINGS = 4;
const WINDOW_UPDATE = 8;
const END_STREAM = 1;
const END_HEADERS = 4;
const STREAM_ID_AT = 5;
const SETTINGS_PAYLOAD = settingsPayload();
const WIDEST_INCREMENT = Buffer.from('7fff0000', 'hex');
/** RFC 7541: the first index of the dynamic table, and a field by its index. */
const FIRST_DYNAMIC = 62;
const INDEXED = 0x80;
const INCREMENTAL = 0x40;

export type Fields = readonly (readonly [name: string, value: string])[];

interface Read {
  readonly bytes: Buffer;
  /** Where the stream ids of each message stand. */
  readonly idsAt: readonly (readonly number[])[];
}

/** The other end of a connection: says one message on one stream after the other. */
export class Http2Peer {
  readonly #fields: Fields;
  readonly #body: Buffer;
  readonly #reads = new Map<number, Read>();
  #nextId = 1;

  constructor(fields: Fields, body: Buffer) {
    this.#fields = fields;
    this.#body = body;
  }

  /** Settings that hold nobody up. */
  static hello(preface: Uint8Array): Buffer {
    return Buffer.concat([preface, frame(SETTINGS, 0, SETTINGS_PAYLOAD), frame(WINDOW_UPDATE, 0, WIDEST_INCREMENT)]);
  }

  /** The first message, which puts all its fields into the table. */
  first(): Buffer {
    const fields = this.#fields.map(([name, value]) =>
      Buffer.concat([Buffer.of(INCREMENTAL), text(name), text(value)]),
    );
    return this.#numbered(readOf([this.#message(Buffer.concat(fields))]));
  }

  /** The next messages in one read, every field by its index. It is overwritten by the next call for as many. */
  next(count: number): Buffer {
    const known = this.#reads.get(count);
    if (known !== undefined) return this.#numbered(known);
    const newest = FIRST_DYNAMIC + this.#fields.length - 1;
    const block = Buffer.from(this.#fields.map((_, index) => INDEXED | (newest - index)));
    const read = readOf(Array.from({ length: count }, () => this.#message(block)));
    this.#reads.set(count, read);
    return this.#numbered(read);
  }

  #message(block: Buffer): readonly Buffer[] {
    if (this.#body.length === 0) return [frame(HEADERS, END_HEADERS | END_STREAM, block)];
    return [frame(HEADERS, END_HEADERS, block), frame(DATA, END_STREAM, this.#body)];
  }

  #numbered({ bytes, idsAt }: Read): Buffer {
    for (const places of idsAt) {
      for (const at of places) bytes.writeUInt32BE(this.#nextId, at);
      this.#nextId += 2;
    }
    return bytes;
  }
}

function readOf(messages: readonly (readonly Buffer[])[]): Read {
  let at = 0;
  const idsAt = messages.map((frames) =>
    frames.map(({ length }) => {
      at += length;
      return at - length + STREAM_ID_AT;
    }),
  );
  return { bytes: Buffer.concat(messages.flat()), idsAt };
}

/** On stream 0. */
function frame(type: number, flags: number, payload: Buffer): Buffer {
  const header = Buffer.alloc(9);
  header.writeUIntBE(payload.length, 0, 3);
  header[3] = type;
  header[4] = flags;
  return Buffer.concat([header, payload]);
}

/** RFC 7541 §5.2, for texts shorter than 127 bytes. */
function text(value: string): Buffer {
  return Buffer.concat([Buffer.of(value.length), Buffer.from(value, 'latin1')]);
}

/** MAX_CONCURRENT_STREAMS and INITIAL_WINDOW_SIZE. */
function settingsPayload(): Buffer {
  const payload = Buffer.alloc(12);
  payload.writeUInt16BE(3, 0);
  payload.writeUInt32BE(1_000, 2);
  payload.writeUInt16BE(4, 6);
  payload.writeUInt32BE(2 ** 24, 8);
  return payload;
}
