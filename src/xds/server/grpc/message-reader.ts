import { type CallStatus, GrpcStatus } from './grpc-status.ts';

/** Takes what a {@link MessageReader} finds. */
export interface MessageSink {
  /** Read on only while this is true: a message may have changed it. */
  readonly isReading: boolean;
  /** Lent until the call returns. */
  onMessage(bytes: Buffer): void;
  /** The bytes are no messages, or none that we take. Nothing more is read. */
  onFault(status: CallStatus): void;
}

const PREFIX_BYTES = 5;
const COMPRESSED = 1;
const FIRST_ROOM_BYTES = 1024;
const NO_BYTES = Buffer.alloc(0);

/**
 *     prefix ──5 bytes──► body ──last byte──► prefix        any ──fault──► failed
 *
 * Cuts the bytes of one direction of a call into messages (grpc: PROTOCOL-HTTP2.md, Length-Prefixed-Message). A message that
 * lies whole in what was read is lent from there; one that does not is gathered, in room that grows with what has come and
 * not with what was announced.
 */
export class MessageReader {
  readonly #sink: MessageSink;
  readonly #maxMessageBytes: number;
  readonly #prefix = Buffer.alloc(PREFIX_BYTES);
  #prefixBytes = 0;
  #length = 0;
  #gathered: Buffer = NO_BYTES;
  #gatheredBytes = 0;
  #hasFailed = false;

  constructor(sink: MessageSink, maxMessageBytes: number) {
    this.#sink = sink;
    this.#maxMessageBytes = maxMessageBytes;
  }

  /** A message has begun and is not whole. */
  get isInside(): boolean {
    return this.#prefixBytes > 0;
  }

  /** Takes bytes [start, end), and answers how far it came: less than all where the sink has stopped reading. */
  read(buffer: Buffer, start: number, end: number): number {
    let at = start;
    while (at < end && this.#sink.isReading && !this.#hasFailed) {
      at = this.#prefixBytes < PREFIX_BYTES ? this.#readPrefix(buffer, at, end) : this.#readBody(buffer, at, end);
    }
    return this.#hasFailed ? end : at;
  }

  #readPrefix(buffer: Buffer, start: number, end: number): number {
    if (this.#prefixBytes === 0 && end - start >= PREFIX_BYTES) {
      this.#takePrefix(buffer, start);
      return start + PREFIX_BYTES;
    }
    const taken = Math.min(PREFIX_BYTES - this.#prefixBytes, end - start);
    buffer.copy(this.#prefix, this.#prefixBytes, start, start + taken);
    this.#prefixBytes += taken;
    if (this.#prefixBytes === PREFIX_BYTES) this.#takePrefix(this.#prefix, 0);
    return start + taken;
  }

  #takePrefix(bytes: Buffer, at: number): void {
    this.#prefixBytes = PREFIX_BYTES;
    this.#length = bytes.readUInt32BE(at + 1);
    const fault = this.#faultOf(bytes[at] ?? 0);
    if (fault !== undefined) this.#fail(fault);
    else if (this.#length === 0) this.#deliver(NO_BYTES);
  }

  #faultOf(flags: number): CallStatus | undefined {
    if (flags === COMPRESSED) {
      const details = 'compressed messages are not taken: send them as they are (grpc-encoding: identity)';
      return { code: GrpcStatus.UNIMPLEMENTED, details };
    }
    if (flags !== 0) return { code: GrpcStatus.INTERNAL, details: `a message begins with flags ${flags}` };
    if (this.#length <= this.#maxMessageBytes) return undefined;
    const details = `a message of ${this.#length} bytes, at most ${this.#maxMessageBytes} are taken`;
    return { code: GrpcStatus.RESOURCE_EXHAUSTED, details };
  }

  #readBody(buffer: Buffer, start: number, end: number): number {
    const missing = this.#length - this.#gatheredBytes;
    if (this.#gatheredBytes === 0 && end - start >= missing) {
      this.#deliver(buffer.subarray(start, start + missing));
      return start + missing;
    }
    const taken = Math.min(missing, end - start);
    this.#makeRoom(this.#gatheredBytes + taken);
    buffer.copy(this.#gathered, this.#gatheredBytes, start, start + taken);
    this.#gatheredBytes += taken;
    if (this.#gatheredBytes === this.#length) {
      const message = this.#gathered.subarray(0, this.#length);
      this.#gathered = NO_BYTES;
      this.#gatheredBytes = 0;
      this.#deliver(message);
    }
    return start + taken;
  }

  #deliver(message: Buffer): void {
    this.#prefixBytes = 0;
    this.#sink.onMessage(message);
  }

  #makeRoom(bytes: number): void {
    if (bytes <= this.#gathered.length) return;
    const room = Math.min(this.#length, Math.max(FIRST_ROOM_BYTES, bytes, this.#gathered.length * 2));
    const wider = Buffer.allocUnsafeSlow(room);
    this.#gathered.copy(wider, 0, 0, this.#gatheredBytes);
    this.#gathered = wider;
  }

  #fail(fault: CallStatus): void {
    this.#hasFailed = true;
    this.#gathered = NO_BYTES;
    this.#sink.onFault(fault);
  }
}
