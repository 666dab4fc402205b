import type { ByteBudget } from '../../base/byte-budget.ts';
import { ClosedStreams, RESET_BY_US } from './closed-streams.ts';
import { ConnectionDeadlines } from './connection-deadlines.ts';
import { NO_ERROR } from './error-code.ts';
import { CONNECTION_FAULTS, type Http2Fault, STREAM_FAULTS } from './faults.ts';
import { FloodGuard } from './flood-guard.ts';
import { FIRST_WINDOW_BYTES, MAX_WINDOW_BYTES } from './frame.ts';
import { HpackEncoder } from './hpack/hpack-encoder.ts';
import type { Http2Limits } from './limits.ts';
import type { Http2Output } from './output.ts';
import { ReceiveWindow } from './receive-window.ts';
import { PeerSettings } from './settings.ts';
import type { Http2Stream, StreamHost } from './stream.ts';
import type { Http2Reset } from './stream-sink.ts';
import { StreamTable } from './stream-table.ts';
import { WindowGrowth } from './window-growth.ts';
import { writeTrailers } from './write-head.ts';

/** Whoever owns a connection. */
export interface Http2ConnectionSink {
  /** What the windows of all its connections may grow by together; none: each may by its own limit. */
  readonly windowGrowth?: ByteBudget;
  /** The connection has failed and every stream has been told. GOAWAY is in the output: write it, then close. */
  onConnectionFault(fault: Http2Fault): void;
  /** Draining is over: no stream is open and none will come. Close. */
  onDrained(): void;
  /** A frame was answered with RST_STREAM on a stream that nobody owns: no head was told of it, or it is over. */
  onStreamRefused(fault: Http2Fault): void;
  /** A ping of ours came back. */
  onPingAcknowledged(): void;
}

/**
 *     open ──drain()──► draining ──finishDrain()──► closing ──last stream ends──► drained        any ──fault──► failed
 *
 * What both ends of a connection keep: its streams, both windows, the output, and how it ends.
 */
export abstract class ConnectionCore implements StreamHost {
  readonly limits: Http2Limits;
  readonly output: Http2Output;
  readonly guard: FloodGuard;
  readonly encoder: HpackEncoder;
  /** Why the connection was ended by this side. */
  fault: Http2Fault | undefined = undefined;
  sendWindow = FIRST_WINDOW_BYTES;
  backlogBytes = 0;
  protected nowMs: number;
  protected readonly streams = new StreamTable<Http2Stream>();
  protected readonly closedStreams = new ClosedStreams();
  protected readonly peer: PeerSettings;
  protected readonly deadlines: ConnectionDeadlines;
  protected readonly receiveWindow: ReceiveWindow;
  protected isClosing = false;
  readonly #sink: Http2ConnectionSink;
  /** Streams whose bytes wait for a window or the socket, in turn. */
  readonly #waiting = new Set<Http2Stream>();
  readonly #growth: WindowGrowth;
  #isBackedUp = false;
  #isDrainedTold = false;

  protected constructor(
    sink: Http2ConnectionSink,
    output: Http2Output,
    limits: Http2Limits,
    nowMs: number,
    peerIsServer: boolean,
  ) {
    this.#sink = sink;
    this.output = output;
    this.limits = limits;
    this.nowMs = nowMs;
    this.guard = new FloodGuard(limits);
    this.encoder = new HpackEncoder(limits.headerTableBytes);
    this.peer = new PeerSettings(peerIsServer);
    this.deadlines = new ConnectionDeadlines(limits, nowMs);
    const windowBytes = Math.max(limits.connectionWindowBytes, FIRST_WINDOW_BYTES);
    this.receiveWindow = new ReceiveWindow(windowBytes, windowBytes / 2);
    this.#growth = new WindowGrowth(limits.maxWindowGrowthBytes, sink.windowGrowth);
  }

  /** Streams that are open on the wire. */
  get openStreams(): number {
    return this.streams.size;
  }

  get isSendBlocked(): boolean {
    return this.#isBackedUp || this.output.length >= this.limits.maxOutputBytes;
  }

  /** Unsent bytes of the connection's receive window: for accounting and tests. */
  get receiveCredit(): ReceiveWindow {
    return this.receiveWindow;
  }

  /**
   * The owner has written or copied the output. `isBackedUp`: the socket did not take all of it, so bodies wait until
   * `onSocketDrained`.
   */
  outputTaken(isBackedUp: boolean): void {
    this.output.clear();
    this.#isBackedUp = isBackedUp;
    if (!isBackedUp) this.onSocketDrained();
    else if (this.#hasQueuedTooMuch()) this.fail(CONNECTION_FAULTS.outboundFlood);
  }

  /** The socket has taken everything. */
  onSocketDrained(): void {
    this.#isBackedUp = false;
    this.output.settle();
    this.sendWaiting();
  }

  /** When `advance` should next be called; may come closer with every call that sends or receives. */
  get nextDeadlineMs(): number {
    let next = this.fault === undefined ? this.deadlines.nextMs : Number.POSITIVE_INFINITY;
    if (this.#waiting.size === 0) return next;
    for (const stream of this.#waiting) next = Math.min(next, stream.stallDeadlineMs(this.nowMs));
    return next;
  }

  /** Ends what has taken too long. */
  advance(nowMs: number): void {
    if (this.fault !== undefined) return;
    this.nowMs = nowMs;
    const fault = this.deadlines.missed(nowMs);
    if (fault !== undefined) this.fail(fault);
    for (const stream of this.#waiting) {
      if (nowMs >= stream.stallDeadlineMs(nowMs)) stream.fail(STREAM_FAULTS.sendStalled);
    }
  }

  /** Ends the connection now: GOAWAY goes out, every stream is told. */
  fail(fault: Http2Fault): void {
    if (this.fault !== undefined) return;
    this.fault = fault;
    this.stopReading();
    this.output.goAway(this.lastPeerStreamId, fault.code, fault.reason);
    this.#abandonAll({ code: fault.code, reason: fault.reason, isByPeer: false, isUnprocessed: false });
    this.#sink.onConnectionFault(fault);
  }

  /** Ends the connection in good order but now, with GOAWAY(NO_ERROR): streams under way are lost. */
  close(): void {
    if (this.fault !== undefined) return;
    this.output.goAway(this.lastPeerStreamId, NO_ERROR, '');
    this.#end(false);
  }

  /** The socket is gone. Every stream is told. */
  lost(): void {
    if (this.fault === undefined) this.#end(true);
  }

  creditConnection(bytes: number): void {
    const increment = this.receiveWindow.credit(bytes);
    if (increment === 0) return;
    this.#growth.settle();
    if (this.fault === undefined) this.output.windowUpdate(0, increment);
  }

  tryGrowWindow(bytes: number): boolean {
    if (!this.#growth.tryGrow(bytes)) return false;
    this.creditConnection(bytes);
    return true;
  }

  returnWindowGrowth(bytes: number): void {
    this.#growth.shrink(bytes);
    this.receiveWindow.withhold(bytes);
  }

  writeTrailers(streamId: number, pairs: readonly string[]): number {
    return writeTrailers(this.encoder, this.output, streamId, pairs);
  }

  setWaiting(stream: Http2Stream, isWaiting: boolean): void {
    if (isWaiting) this.#waiting.add(stream);
    else this.#waiting.delete(stream);
  }

  onStreamClosed(stream: Http2Stream, kind: number): void {
    this.streams.delete(stream.id);
    this.closedStreams.close(stream.id, kind);
  }

  onStreamGone(): void {
    this.tellIfDrained();
  }

  protected abstract get lastPeerStreamId(): number;

  protected abstract stopReading(): void;

  /** Sends what waits, a frame of each stream in turn, as far as windows and socket allow. */
  protected sendWaiting(): void {
    if (this.#waiting.size === 0) return;
    for (let hasMoved = true; hasMoved && !this.isSendBlocked && this.sendWindow > 0; ) {
      hasMoved = false;
      for (const stream of this.#waiting) {
        if (stream.sendSome()) hasMoved = true;
        if (this.sendWindow <= 0) break;
      }
    }
  }

  /** RFC 9113 §6.9.1: false where the window would pass 2^31−1. */
  protected widenSendWindow(bytes: number): boolean {
    if (this.sendWindow + bytes > MAX_WINDOW_BYTES) return false;
    this.sendWindow += bytes;
    return true;
  }

  protected glitch(): void {
    const fault = this.guard.glitch(this.nowMs);
    if (fault !== undefined) this.fail(fault);
  }

  /** The peer has broken a stream: it is reset, and that counts (CVE-2025-8671). */
  protected failStream(stream: Http2Stream, fault: Http2Fault): void {
    stream.fail(fault);
    this.#countFault(fault);
  }

  /** The same where the stream has no object, or never got one. */
  protected refuse(streamId: number, fault: Http2Fault): void {
    this.output.resetStream(streamId, fault.code);
    this.closedStreams.close(streamId, RESET_BY_US);
    this.#sink.onStreamRefused(fault);
    this.#countFault(fault);
  }

  protected tellIfDrained(): void {
    if (!this.isClosing || this.streams.size > 0 || this.#isDrainedTold || this.fault !== undefined) return;
    this.#isDrainedTold = true;
    this.#sink.onDrained();
  }

  protected tellPingAcknowledged(): void {
    this.#sink.onPingAcknowledged();
  }

  #countFault(fault: Http2Fault): void {
    if (fault.isMalformed && this.limits.malformedEndsConnection) this.fail({ ...fault, scope: 'connection' });
    else this.glitch();
  }

  /** Bodies wait for the socket; heads and control frames do not, and a peer that reads nothing can ask for many. */
  #hasQueuedTooMuch(): boolean {
    const { frames, queuedBytes } = this.output;
    return frames > this.limits.maxQueuedFrames || queuedBytes > this.limits.maxQueuedBytes;
  }

  #end(isByPeer: boolean): void {
    this.fault = CONNECTION_FAULTS.lost;
    this.stopReading();
    const { code, reason } = STREAM_FAULTS.connectionLost;
    this.#abandonAll({ code, reason, isByPeer, isUnprocessed: false });
  }

  #abandonAll(reset: Http2Reset): void {
    for (const stream of this.streams.snapshot()) stream.abandon(reset);
    this.#growth.settle();
  }
}
