import type { HeaderFields } from '../header-fields.ts';
import { ENDED, RESET_BY_PEER, RESET_BY_US } from './closed-streams.ts';
import { REFUSED_STREAM } from './error-code.ts';
import { type Http2Fault, STREAM_FAULTS } from './faults.ts';
import type { FloodGuard } from './flood-guard.ts';
import { FIRST_WINDOW_BYTES, MAX_WINDOW_BYTES } from './frame.ts';
import type { Http2Limits } from './limits.ts';
import type { Http2Output } from './output.ts';
import { ReceiveWindow } from './receive-window.ts';
import type { Http2Reset, Http2StreamSink } from './stream-sink.ts';
import { StreamWriter } from './stream-writer.ts';
import { checkPairs } from './write-head.ts';

/** The connection as its streams see it. */
export interface StreamHost {
  readonly limits: Http2Limits;
  readonly output: Http2Output;
  readonly guard: FloodGuard;
  /** What the peer lets us send on all streams together. */
  sendWindow: number;
  backlogBytes: number;
  /** The socket is backed up, or this turn's output is long enough. */
  readonly isSendBlocked: boolean;
  creditConnection(bytes: number): void;
  /** Whether a stream's window may become so much wider; the connection's has then. */
  tryGrowWindow(bytes: number): boolean;
  returnWindowGrowth(bytes: number): void;
  /** Writes trailers and answers where the frame begins. */
  writeTrailers(streamId: number, pairs: readonly string[]): number;
  /** The stream has bytes that wait, or none any more. */
  setWaiting(stream: Http2Stream, isWaiting: boolean): void;
  /** The stream has closed; its sink has not been told yet. */
  onStreamClosed(stream: Http2Stream, kind: number): void;
  /** And now it has, where it had to be. */
  onStreamGone(): void;
}

/** A body is long once it has filled its window so many times. */
const WINDOWS_BEFORE_GROWTH = 4;

export type Http2StreamState = 'open' | 'halfClosedLocal' | 'halfClosedRemote' | 'closed';

/**
 * One exchange (RFC 9113 §5.1; `idle` has no object, `reserved` never comes about since push is refused):
 *
 *     idle ──HEADERS──► open ──END_STREAM sent──────► halfClosedLocal ──END_STREAM received─► closed
 *                         └────END_STREAM received──► halfClosedRemote ─END_STREAM sent─────► closed
 *     open, halfClosedLocal, halfClosedRemote ──RST_STREAM sent or received, connection lost─► closed
 *
 * Nothing is sent once END_STREAM has been asked for, although it may wait behind the body.
 */
export abstract class Http2Stream {
  readonly id: number;
  protected readonly host: StreamHost;
  protected sink: Http2StreamSink;
  protected readonly writer: StreamWriter;
  #state: Http2StreamState = 'open';
  #isReset = false;
  /** Made when the first body byte comes: most requests have none. */
  #window: ReceiveWindow | undefined = undefined;
  /** Bytes lent to the sink and not credited. */
  #uncredited = 0;
  #overheadBytes = 0;
  /** By how much the window has grown. */
  #growthBytes = 0;
  /** Since the last update the sink has kept bytes instead of crediting them as they came. */
  #hasLagged = false;
  /** Declared by the head, or −1. */
  protected declaredBytes = -1;
  #receivedBytes = 0;

  protected constructor(id: number, host: StreamHost, sink: Http2StreamSink, sendWindow: number) {
    this.id = id;
    this.host = host;
    this.sink = sink;
    this.writer = new StreamWriter(this, host, sendWindow);
  }

  get state(): Http2StreamState {
    return this.#state;
  }

  get isClosed(): boolean {
    return this.#state === 'closed';
  }

  /** Closed by a reset, ours or the peer's, or with its connection. */
  get isReset(): boolean {
    return this.#isReset;
  }

  /** Whether the peer has sent all of its message. */
  get isRemoteEnded(): boolean {
    return this.#state === 'halfClosedRemote' || this.#state === 'closed';
  }

  /** Body bytes wait for the peer or the socket: stop feeding until `onWritable`. */
  get isBackedUp(): boolean {
    return this.writer.isWaiting;
  }

  /** Whether a byte of body would leave at once, as far as windows and socket go. */
  get canSendNow(): boolean {
    return this.writer.canSendNow;
  }

  get receivedBytes(): number {
    return this.#receivedBytes;
  }

  get receiveWindow(): ReceiveWindow {
    if (this.#window === undefined) {
      const { streamWindowBytes } = this.host.limits;
      // Until the peer has acknowledged a smaller window it may count on the one everybody starts with.
      this.#window = new ReceiveWindow(Math.max(streamWindowBytes, FIRST_WINDOW_BYTES), streamWindowBytes / 2);
    }
    return this.#window;
  }

  get uncreditedBytes(): number {
    return this.#uncredited;
  }

  /** Sends body bytes, lent; what no window admits is copied and waits. */
  sendBody(buffer: Buffer, start: number, end: number): void {
    if (this.canSend) this.#checkQueue(this.writer.sendBody(buffer, start, end));
  }

  /** As sendBody, for latin1 text. */
  sendBodyText(text: string): void {
    const bytes = Buffer.from(text, 'latin1');
    this.sendBody(bytes, 0, bytes.length);
  }

  /** Ends our message. The flag goes onto the last frame where that has not left yet. */
  end(): void {
    if (this.canSend) this.writer.end();
  }

  /** Ends our message with trailers: `pairs` is flat, lower-case name, value, … and copied. */
  sendTrailers(pairs: readonly string[]): void {
    checkPairs(pairs);
    if (this.canSend) this.writer.endWithTrailers(pairs);
  }

  /** Ends our message with trailers received from elsewhere. */
  forwardTrailers(fields: HeaderFields): void {
    const pairs: string[] = [];
    for (let index = 0; index < fields.count; index += 1) pairs.push(fields.nameAt(index), fields.valueAt(index));
    this.sendTrailers(pairs);
  }

  /** Body bytes have been passed on: the peer may send as many again. */
  credit(bytes: number): void {
    const credited = Math.min(bytes, this.#uncredited);
    if (credited === 0) return;
    this.#uncredited -= credited;
    if (this.#uncredited === 0) this.#returnOverhead();
    this.host.creditConnection(credited);
    this.#creditStream(credited);
  }

  /** Gives the exchange up. The sink hears nothing more. */
  reset(code: number): void {
    if (this.#state === 'closed') return;
    this.host.output.resetStream(this.id, code);
    this.#close(RESET_BY_US);
    this.host.onStreamGone();
  }

  /** The owner is done with the stream: what it still holds of the window goes back. */
  release(): void {
    this.#forgetUncredited();
  }

  // What follows is the connection's side.

  /** END_STREAM came with the head. */
  beginRemoteEnded(): void {
    this.#setState('halfClosedRemote');
  }

  /** A DATA frame begins. Answers the fault in it. */
  takeData(frameBytes: number, dataBytes: number): Http2Fault | undefined {
    if (this.isRemoteEnded) return STREAM_FAULTS.dataAfterEnd;
    if (!this.receiveWindow.take(frameBytes)) return STREAM_FAULTS.streamWindow;
    const padding = frameBytes - dataBytes;
    if (padding > 0) this.#creditStream(padding);
    if (this.declaredBytes >= 0 && this.#receivedBytes + dataBytes > this.declaredBytes)
      return STREAM_FAULTS.bodyTooLong;
    return undefined;
  }

  /** Counts what a small frame costs us for as long as it is not credited. */
  addOverhead(bytes: number): void {
    this.#overheadBytes += bytes;
  }

  receiveBody(buffer: Buffer, start: number, end: number): void {
    this.#receivedBytes += end - start;
    this.#uncredited += end - start;
    this.sink.onBody(buffer, start, end);
    if (this.#uncredited > 0) this.#hasLagged = true;
  }

  /** END_STREAM came. Answers the fault where the message is not whole. */
  receiveEnd(trailers: HeaderFields | undefined): Http2Fault | undefined {
    if (this.declaredBytes >= 0 && this.#receivedBytes !== this.declaredBytes) return STREAM_FAULTS.bodyTooShort;
    if (trailers !== undefined) this.sink.onTrailers(trailers);
    if (this.#state === 'closed') return undefined;
    const isOver = this.#state === 'halfClosedLocal';
    if (isOver) this.#close(ENDED);
    else this.#setState('halfClosedRemote');
    this.sink.onEnd();
    if (isOver) this.host.onStreamGone();
    return undefined;
  }

  /** RST_STREAM came. */
  receiveReset(code: number): void {
    const isUnprocessed = code === REFUSED_STREAM;
    this.#lose({ code, reason: STREAM_FAULTS.peerReset.reason, isByPeer: true, isUnprocessed }, RESET_BY_PEER);
  }

  /** A fault of the peer: it is told, and so is the sink. */
  fail(fault: Http2Fault): void {
    if (this.#state === 'closed') return;
    this.host.output.resetStream(this.id, fault.code);
    this.#lose({ code: fault.code, reason: fault.reason, isByPeer: false, isUnprocessed: false }, RESET_BY_US);
  }

  /** The stream is over without a frame: connection gone, or above the last stream of a GOAWAY. */
  abandon(reset: Http2Reset): void {
    this.#lose(reset, RESET_BY_PEER);
  }

  /** Moves the window we may send in; false where it would pass 2^31−1. */
  widenSendWindow(bytes: number): boolean {
    if (this.writer.sendWindow + bytes > MAX_WINDOW_BYTES) return false;
    this.writer.sendWindow += bytes;
    return true;
  }

  /** Sends what waits, at most one frame; answers whether anything went. */
  sendSome(): boolean {
    return this.#state !== 'closed' && this.writer.sendSome();
  }

  /** See Http2Connection.advance. */
  stallDeadlineMs(nowMs: number): number {
    return this.writer.stallDeadlineMs(nowMs);
  }

  /** The writer has sent END_STREAM. */
  onLocalEnd(): void {
    if (this.#state === 'halfClosedRemote') {
      this.#close(ENDED);
      this.host.onStreamGone();
    } else if (this.#state === 'open') this.#setState('halfClosedLocal');
  }

  onDrained(): void {
    this.sink.onWritable();
  }

  /** Gives the connection back what the sink will not. */
  #forgetUncredited(): void {
    const bytes = this.#uncredited;
    this.#uncredited = 0;
    this.#returnOverhead();
    if (bytes > 0) this.host.creditConnection(bytes);
  }

  protected get canSend(): boolean {
    return (this.#state === 'open' || this.#state === 'halfClosedRemote') && !this.writer.isEnding;
  }

  #checkQueue(isWithinBound: boolean): void {
    if (!isWithinBound) this.fail(STREAM_FAULTS.sendBuffer);
  }

  #creditStream(bytes: number): void {
    if (this.isRemoteEnded) return;
    const increment = this.receiveWindow.credit(bytes);
    if (increment === 0) return;
    this.host.output.windowUpdate(this.id, increment + this.#growth());
    this.#hasLagged = false;
  }

  /**
   * A long body whose sink takes all as it comes is slowed by nothing but its window: each time that one is used up, both
   * ends go to sleep and wake up. So the window doubles, as long as few bytes would be held should the sink stop.
   */
  #growth(): number {
    const { streamWindowBytes, maxStreamWindowBytes } = this.host.limits;
    const bytes = streamWindowBytes + this.#growthBytes;
    const isLong = this.#receivedBytes >= bytes * WINDOWS_BEFORE_GROWTH;
    if (this.#hasLagged || !isLong || bytes * 2 > maxStreamWindowBytes) return 0;
    if (!this.host.tryGrowWindow(bytes)) return 0;
    this.#growthBytes += bytes;
    this.receiveWindow.widen(bytes);
    return bytes;
  }

  #returnOverhead(): void {
    if (this.#overheadBytes === 0) return;
    this.host.guard.returnOverhead(this.#overheadBytes);
    this.#overheadBytes = 0;
  }

  #lose(reset: Http2Reset, kind: number): void {
    if (this.#state === 'closed') return;
    const { sink } = this;
    this.#close(kind);
    sink.onReset(reset);
    this.host.onStreamGone();
  }

  #close(kind: number): void {
    this.#setState('closed');
    this.writer.discard();
    if (this.#growthBytes > 0) this.host.returnWindowGrowth(this.#growthBytes);
    this.#growthBytes = 0;
    // After an orderly end the sink may still hold bytes and credit them; after a reset nobody will.
    if (kind !== ENDED) {
      this.#isReset = true;
      this.#forgetUncredited();
    }
    this.host.onStreamClosed(this, kind);
  }

  #setState(state: Http2StreamState): void {
    this.#state = state;
  }
}
