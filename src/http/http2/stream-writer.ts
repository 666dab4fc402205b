import type { FloodGuard } from './flood-guard.ts';
import { DATA, FLAG_END_STREAM, FRAME_HEADER_BYTES, MAX_FRAME_BYTES } from './frame.ts';
import type { Http2Limits } from './limits.ts';
import type { Http2Output } from './output.ts';
import { SendQueue } from './send-queue.ts';

/** The connection as a writer sees it. */
export interface WriterHost<S> {
  readonly limits: Http2Limits;
  readonly output: Http2Output;
  readonly guard: FloodGuard;
  sendWindow: number;
  /** Body bytes of all streams that wait. */
  backlogBytes: number;
  readonly isSendBlocked: boolean;
  writeTrailers(streamId: number, pairs: readonly string[]): number;
  setWaiting(stream: S, isWaiting: boolean): void;
}

export interface WriterStream {
  readonly id: number;
  /** END_STREAM has been written. */
  onLocalEnd(): void;
  /** What waited has been written. */
  onDrained(): void;
}

/** How many bytes must go before a stalled stream counts as moving: a peer that takes one now and then does not. */
const STALL_PROGRESS_BYTES = 4096;

/**
 *     flowing ⇄ waiting (for a window or the socket) ──► ended        flowing, waiting ──end asked──► ending ──► ended
 *
 * The sending half of a stream: DATA within both windows, the rest queued, then END_STREAM.
 */
export class StreamWriter<S extends WriterStream = WriterStream> {
  sendWindow: number;
  readonly #stream: S;
  readonly #host: WriterHost<S>;
  /** Made when first something waits. */
  #queue: SendQueue | undefined = undefined;
  /** Nothing more may be handed to this writer. */
  isEnding = false;
  #trailers: readonly string[] | undefined = undefined;
  /** The last frame of this stream, for as long as the output still holds it. */
  #frameAt = -1;
  #frameEpoch = -1;
  #frameEnd = -1;
  #stalledSinceMs = Number.NaN;
  #sentSinceStall = 0;

  constructor(stream: S, host: WriterHost<S>, sendWindow: number) {
    this.#stream = stream;
    this.#host = host;
    this.sendWindow = sendWindow;
  }

  /** Whether a byte handed over now would leave now. */
  get canSendNow(): boolean {
    return !this.isWaiting && this.#room(1) > 0;
  }

  get isWaiting(): boolean {
    return this.#queue !== undefined && this.#queue.byteLength > 0;
  }

  /** HEADERS of this stream begin at `frameAt` in the output. */
  noteHead(frameAt: number): void {
    this.#frameAt = frameAt;
    this.#frameEpoch = this.#host.output.epoch;
    this.#frameEnd = -1;
  }

  /** False where more waits than may. */
  sendBody(buffer: Buffer, start: number, end: number): boolean {
    let at = start;
    if (!this.isWaiting) {
      for (let room = this.#room(end - at); at < end && room > 0; room = this.#room(end - at)) {
        const into = this.#openData(room);
        buffer.copy(this.#host.output.bytes, into, at, at + room);
        at += room;
      }
    }
    if (at === end) return true;
    if (!this.isWaiting) this.#host.setWaiting(this.#stream, true);
    this.#queue ??= new SendQueue();
    this.#queue.push(buffer, at, end);
    this.#host.backlogBytes += end - at;
    return this.#queue.byteLength <= this.#host.limits.maxSendBufferBytes;
  }

  end(): void {
    this.isEnding = true;
    if (!this.isWaiting) this.#writeEnd();
  }

  endWithTrailers(pairs: readonly string[]): void {
    this.#trailers = [...pairs];
    this.end();
  }

  /** Sends at most one frame of what waits; answers whether anything went. */
  sendSome(): boolean {
    const queue = this.#queue;
    const room = queue === undefined ? 0 : this.#room(queue.byteLength);
    if (queue === undefined || room === 0) return false;
    const into = this.#openData(room);
    queue.take(room, this.#host.output.bytes, into);
    this.#host.backlogBytes -= room;
    this.#noteProgress(room);
    if (!this.isWaiting) this.#drained();
    return true;
  }

  /** When the bytes that wait have waited too long; counted from the first call that sees them wait. */
  stallDeadlineMs(nowMs: number): number {
    if (Number.isNaN(this.#stalledSinceMs)) this.#stalledSinceMs = nowMs;
    return this.#stalledSinceMs + this.#host.limits.sendStallTimeoutMs;
  }

  discard(): void {
    this.isEnding = true;
    if (this.#queue !== undefined && this.isWaiting) {
      this.#host.backlogBytes -= this.#queue.byteLength;
      this.#host.setWaiting(this.#stream, false);
    }
    this.#queue = undefined;
    this.#trailers = undefined;
  }

  /** How many of `wanted` bytes may go in the next frame. */
  #room(wanted: number): number {
    if (this.#host.isSendBlocked) return 0;
    return Math.max(0, Math.min(wanted, this.sendWindow, this.#host.sendWindow, MAX_FRAME_BYTES));
  }

  /** Makes room for `count` bytes of DATA, in the frame before where nothing has come between; answers where they go. */
  #openData(count: number): number {
    const { output, guard } = this.#host;
    this.sendWindow -= count;
    this.#host.sendWindow -= count;
    output.reserve(FRAME_HEADER_BYTES + count);
    const isLast = this.#frameEpoch === output.epoch && this.#frameEnd === output.length;
    if (!isLast || output.length - this.#frameAt - FRAME_HEADER_BYTES + count > MAX_FRAME_BYTES) {
      this.#frameAt = output.frameHeader(0, DATA, 0, this.#stream.id);
      this.#frameEpoch = output.epoch;
      guard.dataFramesSent += 1;
    }
    const into = output.length;
    output.length += count;
    output.patchLength(this.#frameAt);
    this.#frameEnd = output.length;
    return into;
  }

  #noteProgress(bytes: number): void {
    this.#sentSinceStall += bytes;
    if (this.isWaiting && this.#sentSinceStall < STALL_PROGRESS_BYTES) return;
    this.#sentSinceStall = 0;
    this.#stalledSinceMs = Number.NaN;
  }

  #drained(): void {
    this.#host.setWaiting(this.#stream, false);
    if (this.isEnding) this.#writeEnd();
    else this.#stream.onDrained();
  }

  #writeEnd(): void {
    const { output } = this.#host;
    if (this.#trailers !== undefined) {
      output.setEndStream(this.#host.writeTrailers(this.#stream.id, this.#trailers));
    } else if (this.#frameEpoch === output.epoch) {
      output.setEndStream(this.#frameAt);
    } else {
      output.reserve(FRAME_HEADER_BYTES);
      output.frameHeader(0, DATA, FLAG_END_STREAM, this.#stream.id);
    }
    this.#stream.onLocalEnd();
  }
}
