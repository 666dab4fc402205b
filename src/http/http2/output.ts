import {
  CONTINUATION,
  FLAG_ACK,
  FLAG_END_HEADERS,
  FLAG_END_STREAM,
  FRAME_HEADER_BYTES,
  GOAWAY,
  GOAWAY_BYTES,
  HEADERS,
  MAX_FRAME_BYTES,
  PING,
  PING_BYTES,
  RST_STREAM,
  RST_STREAM_BYTES,
  SETTING_BYTES,
  SETTINGS,
  WINDOW_UPDATE,
  WINDOW_UPDATE_BYTES,
} from './frame.ts';

/** Every connection's own, for the little that most turns write. */
const OWN_BYTES = 1024;
const MEDIUM_BYTES = 20 * 1024;
/** One read of 64 KiB passed on, with its frame headers, and some heads; and all that `maxOutputBytes` lets bodies fill. */
const LARGE_BYTES = 96 * 1024;
/** Outputs are full for one turn each, so a few larger buffers serve every connection of a worker. */
const MAX_SPARE = 8;
const spareMedium: Buffer[] = [];
const spareLarge: Buffer[] = [];

/** A buffer of at least so many bytes, to be given back. */
function borrow(bytes: number): Buffer {
  if (bytes <= MEDIUM_BYTES) return spareMedium.pop() ?? Buffer.allocUnsafeSlow(MEDIUM_BYTES);
  if (bytes <= LARGE_BYTES) return spareLarge.pop() ?? Buffer.allocUnsafeSlow(LARGE_BYTES);
  return Buffer.allocUnsafeSlow(bytes);
}

function giveBack(buffer: Buffer): void {
  if (buffer.length === MEDIUM_BYTES && spareMedium.length < MAX_SPARE) spareMedium.push(buffer);
  else if (buffer.length === LARGE_BYTES && spareLarge.length < MAX_SPARE) spareLarge.push(buffer);
}

const FLAGS_OFFSET = 4;

/**
 * All frames of one turn, gathered for one write. Whoever owns the socket is told when the first byte comes, and when there
 * are so many that they had better leave soon (and must not write there and then), takes `bytes` from 0 to `length` when the turn ends, and calls the connection's
 * `outputTaken`.
 */
export class Http2Output {
  readonly #own = Buffer.allocUnsafeSlow(OWN_BYTES);
  /** Our own, or a larger one that is borrowed until its bytes have been taken. */
  bytes: Buffer = this.#own;
  length = 0;
  /** Counts the clearings: a frame can be amended only in the epoch that wrote it. */
  epoch = 0;
  /** Since the kernel last took everything: control frames, all frames, and bytes handed over. */
  controlFrames = 0;
  frames = 0;
  queuedBytes = 0;
  readonly #onFirstByte: () => void;
  readonly #onFull: () => void;

  constructor(onFirstByte: () => void, onFull: () => void = () => undefined) {
    this.#onFirstByte = onFirstByte;
    this.#onFull = onFull;
  }

  /** The bytes have been written or copied. */
  clear(): void {
    this.queuedBytes += this.length;
    this.length = 0;
    this.epoch += 1;
    giveBack(this.bytes);
    this.bytes = this.#own;
  }

  /** Whoever was handed the bytes, more than fit into our own, keeps them. `clear` follows. */
  giveAway(): void {
    this.bytes = this.#own;
  }

  /** The kernel has taken everything. */
  settle(): void {
    this.controlFrames = 0;
    this.frames = 0;
    this.queuedBytes = 0;
  }

  /** Makes room for `count` more bytes at `length`. */
  reserve(count: number): void {
    if (this.length === 0) this.#onFirstByte();
    const needed = this.length + count;
    if (needed > this.bytes.length) this.#grow(needed);
  }

  #grow(needed: number): void {
    if (needed > MEDIUM_BYTES && this.bytes.length <= MEDIUM_BYTES) this.#onFull();
    const outgrown = this.bytes;
    this.bytes = borrow(needed <= LARGE_BYTES ? needed : Math.max(needed, outgrown.length * 2));
    outgrown.copy(this.bytes, 0, 0, this.length);
    giveBack(outgrown);
  }

  /** Begins a frame and answers where; its payload follows from `length` on. The caller has reserved room. */
  frameHeader(payloadBytes: number, type: number, flags: number, streamId: number): number {
    const at = this.length;
    this.frames += 1;
    writeFrameHeader(this.bytes, at, payloadBytes, type, flags, streamId);
    this.length = at + FRAME_HEADER_BYTES;
    return at;
  }

  /** Sets END_STREAM on a frame of this epoch. */
  setEndStream(frameAt: number): void {
    const at = frameAt + FLAGS_OFFSET;
    this.bytes[at] = (this.bytes[at] as number) | FLAG_END_STREAM;
  }

  /** Sets the length of a frame to what has been written since. */
  patchLength(frameAt: number): void {
    const payloadBytes = this.length - frameAt - FRAME_HEADER_BYTES;
    const { bytes } = this;
    bytes[frameAt] = payloadBytes >>> 16;
    bytes[frameAt + 1] = payloadBytes >>> 8;
    bytes[frameAt + 2] = payloadBytes;
  }

  /** Ends a header block written since `frameAt`: what one frame cannot hold moves to CONTINUATION frames. */
  endHeaderBlock(frameAt: number, streamId: number): void {
    const blockBytes = this.length - frameAt - FRAME_HEADER_BYTES;
    if (blockBytes <= MAX_FRAME_BYTES) this.patchLength(frameAt);
    else this.#splitHeaderBlock(frameAt, streamId, blockBytes);
  }

  raw(source: Uint8Array): void {
    this.reserve(source.length);
    this.bytes.set(source, this.length);
    this.length += source.length;
  }

  /** `pairs`: identifier, value, identifier, value … */
  settings(pairs: readonly number[]): void {
    const payloadBytes = (pairs.length / 2) * SETTING_BYTES;
    this.#beginControl(payloadBytes, SETTINGS, 0, 0);
    for (let pair = 0; pair < pairs.length; pair += 2) {
      this.length = this.bytes.writeUInt16BE(pairs[pair] as number, this.length);
      this.length = this.bytes.writeUInt32BE(pairs[pair + 1] as number, this.length);
    }
  }

  settingsAck(): void {
    this.#beginControl(0, SETTINGS, FLAG_ACK, 0);
  }

  /** `payload` is eight bytes at `at`. */
  ping(flags: number, payload: Uint8Array, at: number): void {
    this.#beginControl(PING_BYTES, PING, flags, 0);
    for (let index = 0; index < PING_BYTES; index += 1) this.bytes[this.length++] = payload[at + index] as number;
  }

  resetStream(streamId: number, code: number): void {
    this.#beginControl(RST_STREAM_BYTES, RST_STREAM, 0, streamId);
    this.length = this.bytes.writeUInt32BE(code, this.length);
  }

  windowUpdate(streamId: number, increment: number): void {
    this.#beginControl(WINDOW_UPDATE_BYTES, WINDOW_UPDATE, 0, streamId);
    this.length = this.bytes.writeUInt32BE(increment, this.length);
  }

  goAway(lastStreamId: number, code: number, debug: string): void {
    this.#beginControl(GOAWAY_BYTES + debug.length, GOAWAY, 0, 0);
    this.length = this.bytes.writeUInt32BE(lastStreamId, this.length);
    this.length = this.bytes.writeUInt32BE(code, this.length);
    this.length += this.bytes.write(debug, this.length, 'latin1');
  }

  #beginControl(payloadBytes: number, type: number, flags: number, streamId: number): void {
    this.controlFrames += 1;
    this.reserve(FRAME_HEADER_BYTES + payloadBytes);
    this.frameHeader(payloadBytes, type, flags, streamId);
  }

  #splitHeaderBlock(frameAt: number, streamId: number, blockBytes: number): void {
    const block = Buffer.from(this.bytes.subarray(frameAt + FRAME_HEADER_BYTES, this.length));
    const endStream = (this.bytes[frameAt + FLAGS_OFFSET] as number) & FLAG_END_STREAM;
    this.length = frameAt;
    this.reserve(blockBytes + FRAME_HEADER_BYTES * Math.ceil(blockBytes / MAX_FRAME_BYTES));
    for (let start = 0; start < blockBytes; start += MAX_FRAME_BYTES) {
      const end = Math.min(blockBytes, start + MAX_FRAME_BYTES);
      const flags = (start === 0 ? endStream : 0) | (end === blockBytes ? FLAG_END_HEADERS : 0);
      this.frameHeader(end - start, start === 0 ? HEADERS : CONTINUATION, flags, streamId);
      block.copy(this.bytes, this.length, start, end);
      this.length += end - start;
    }
  }
}

function writeFrameHeader(
  bytes: Uint8Array,
  at: number,
  payloadBytes: number,
  type: number,
  flags: number,
  streamId: number,
): void {
  bytes[at] = payloadBytes >>> 16;
  bytes[at + 1] = payloadBytes >>> 8;
  bytes[at + 2] = payloadBytes;
  bytes[at + 3] = type;
  bytes[at + FLAGS_OFFSET] = flags;
  bytes[at + 5] = streamId >>> 24;
  bytes[at + 6] = streamId >>> 16;
  bytes[at + 7] = streamId >>> 8;
  bytes[at + 8] = streamId;
}
