import type { RequestHead } from '../head.ts';
import { RESET_BY_US } from './closed-streams.ts';
import { Http2Connection } from './connection.ts';
import type { Http2ConnectionSink } from './connection-core.ts';
import { NO_ERROR } from './error-code.ts';
import { CONNECTION_FAULTS, type Http2Fault, STREAM_FAULTS } from './faults.ts';
import { CLIENT_PREFACE, FIRST_WINDOW_BYTES, MAX_STREAM_ID } from './frame.ts';
import { HeadMemo } from './head-memo.ts';
import { Http2RequestHead } from './http2-heads.ts';
import { interpretRequest } from './interpret-request.ts';
import type { Http2Limits } from './limits.ts';
import type { Http2Output } from './output.ts';
import { Http2ServerStream, type ServerStreamHost } from './server-stream.ts';
import { serverSettings } from './settings.ts';
import type { Http2StreamSink } from './stream-sink.ts';

/** Whoever serves a connection's requests. */
export interface Http2ServerSink extends Http2ConnectionSink {
  /**
   * A request begins; the answer is who takes its body, end or reset. The stream may be answered at once. The owner calls
   * `stream.release` exactly once, whatever happens to the stream.
   */
  onRequestHead(stream: Http2ServerStream, head: RequestHead): Http2StreamSink;
}

/** Takes nothing: what a stream has before its owner has said who does. */
const NOBODY: Http2StreamSink = {
  onBody() {},
  onTrailers() {},
  onEnd() {},
  onReset() {},
  onWritable() {},
};

/**
 * The server's end of one HTTP/2 connection: bytes in through `receive`, frames out through the output, no sockets and no
 * clock. Everything a client may do to it is bounded by `limits`.
 */
export class Http2ServerConnection extends Http2Connection implements ServerStreamHost {
  readonly #sink: Http2ServerSink;
  readonly #scheme: 'http' | 'https';
  readonly #memo = new HeadMemo<Http2RequestHead>();
  #prefaceBytes = 0;
  #lastStreamId = 0;
  /** Streams whose work has not ended, here or upstream. */
  #activeStreams = 0;
  #isDraining = false;
  /** Above this, requests are none of ours any more. */
  #lastServedId = MAX_STREAM_ID;
  #finishDrainAtMs = Number.POSITIVE_INFINITY;

  /** `scheme` is what the connection itself is, not what a client's :scheme claims. */
  constructor(
    sink: Http2ServerSink,
    output: Http2Output,
    limits: Http2Limits,
    nowMs: number,
    scheme: 'http' | 'https' = 'http',
  ) {
    super(sink, output, limits, nowMs, false);
    this.#sink = sink;
    this.#scheme = scheme;
    output.settings(serverSettings(limits));
    const wider = limits.connectionWindowBytes - FIRST_WINDOW_BYTES;
    if (wider > 0) output.windowUpdate(0, wider);
  }

  /** Streams that count against `maxConcurrentStreams`. */
  get activeStreams(): number {
    return this.#activeStreams;
  }

  get isDraining(): boolean {
    return this.#isDraining;
  }

  /**
   * Begins a graceful end (RFC 9113 §6.8): GOAWAY for "no more, please", and a ping. When the ping returns everything that
   * was on its way has arrived, and the final GOAWAY follows by itself; or when the client takes too long to answer; or at
   * once through `finishDrain`.
   */
  drain(): void {
    if (this.#isDraining || this.fault !== undefined) return;
    this.#isDraining = true;
    this.output.goAway(MAX_STREAM_ID, NO_ERROR, '');
    this.sendDrainPing();
    this.#finishDrainAtMs = this.nowMs + this.limits.headTimeoutMs;
  }

  /** Sends the final GOAWAY: later requests are ignored, and their clients know it is safe to send them elsewhere. */
  finishDrain(): void {
    if (this.isClosing || this.fault !== undefined) return;
    this.#isDraining = true;
    this.isClosing = true;
    this.#finishDrainAtMs = Number.POSITIVE_INFINITY;
    this.#lastServedId = this.#lastStreamId;
    this.output.goAway(this.#lastStreamId, NO_ERROR, '');
    this.tellIfDrained();
  }

  override get nextDeadlineMs(): number {
    return this.fault === undefined ? Math.min(super.nextDeadlineMs, this.#finishDrainAtMs) : super.nextDeadlineMs;
  }

  override advance(nowMs: number): void {
    super.advance(nowMs);
    if (nowMs >= this.#finishDrainAtMs) this.finishDrain();
  }

  onStreamReleased(): void {
    this.#activeStreams -= 1;
  }

  override onStreamClosed(stream: Http2ServerStream, kind: number): void {
    super.onStreamClosed(stream, kind);
    stream.onWireClosed();
  }

  protected override get lastPeerStreamId(): number {
    return Math.min(this.#lastStreamId, this.#lastServedId);
  }

  protected override readPreface(buffer: Buffer, start: number, end: number): number {
    let at = start;
    while (at < end && this.#prefaceBytes < CLIENT_PREFACE.length) {
      if (buffer[at] !== CLIENT_PREFACE[this.#prefaceBytes]) {
        this.fail(CONNECTION_FAULTS.preface);
        return end;
      }
      this.#prefaceBytes += 1;
      at += 1;
    }
    return at;
  }

  protected override isIdle(streamId: number): boolean {
    return isEven(streamId) || streamId > this.#lastStreamId;
  }

  protected override takeGoAway(_lastStreamId: number, _code: number): void {
    // The client will open nothing more. What it has open is served; it closes the connection itself.
  }

  protected override notePeerReset(): void {
    this.glitch();
  }

  protected override faultOfData(): undefined {
    return undefined;
  }

  protected override onDrainPingAcknowledged(): void {
    if (this.#isDraining) this.finishDrain();
  }

  protected override takeBlock(
    streamId: number,
    endStream: boolean,
    dependsOnItself: boolean,
    buffer: Buffer,
    start: number,
    end: number,
  ): void {
    if (streamId > this.#lastStreamId && !isEven(streamId)) {
      this.#takeRequest(streamId, endStream, dependsOnItself, buffer, start, end);
      return;
    }
    const stream = this.streams.get(streamId);
    if (stream !== undefined) this.takeTrailers(stream, endStream, buffer, start, end);
    else if (isEven(streamId)) this.fail(CONNECTION_FAULTS.streamId);
    else this.takeBlockOfClosed(streamId, buffer, start, end);
  }

  #takeRequest(
    streamId: number,
    endStream: boolean,
    dependsOnItself: boolean,
    buffer: Buffer,
    start: number,
    end: number,
  ): void {
    this.#lastStreamId = streamId;
    this.closedStreams.open(streamId);
    this.guard.streamsOpened += 1;
    if (streamId > this.#lastServedId) {
      this.#ignore(streamId, buffer, start, end);
      return;
    }
    if (this.#activeStreams >= this.limits.maxConcurrentStreams) {
      if (this.decodeBlock('unwanted', buffer, start, end)) this.refuse(streamId, STREAM_FAULTS.refused);
      return;
    }
    const head = this.#readHead(endStream, buffer, start, end);
    if (head === undefined) return;
    const fault = head instanceof Http2RequestHead ? undefined : head;
    if (dependsOnItself || fault !== undefined) this.refuse(streamId, fault ?? STREAM_FAULTS.selfDependency);
    else if (head instanceof Http2RequestHead) this.#open(streamId, endStream, head);
  }

  /** Undefined where the connection has failed. */
  #readHead(endStream: boolean, buffer: Buffer, start: number, end: number): Http2RequestHead | Http2Fault | undefined {
    const { table } = this.decoder;
    const { version } = table;
    const variant = endStream ? 1 : 0;
    const known = this.#memo.find(buffer, start, end, variant, version);
    if (known !== undefined) return known;
    if (!this.decodeBlock('request', buffer, start, end)) return undefined;
    const head = interpretRequest(this.draft, endStream, this.#scheme, this.limits);
    if (head instanceof Http2RequestHead && table.version === version) {
      this.#memo.remember(buffer, start, end, variant, version, head);
    }
    return head;
  }

  #open(streamId: number, endStream: boolean, head: Http2RequestHead): void {
    const stream = new Http2ServerStream(streamId, this, NOBODY, this.peer.initialWindowBytes, head, head.bodyLength);
    if (endStream) stream.beginRemoteEnded();
    this.streams.add(stream);
    this.#activeStreams += 1;
    const sink = this.#sink.onRequestHead(stream, head);
    stream.attach(sink);
    if (endStream && !stream.isReset) sink.onEnd();
    const { maxRequestsPerConnection } = this.limits;
    if (maxRequestsPerConnection > 0 && this.guard.streamsOpened >= maxRequestsPerConnection) this.drain();
  }

  /** RFC 9113 §6.8: above the last stream of our GOAWAY. */
  #ignore(streamId: number, buffer: Buffer, start: number, end: number): void {
    if (!this.decodeBlock('unwanted', buffer, start, end)) return;
    this.closedStreams.close(streamId, RESET_BY_US);
    this.glitch();
  }
}

function isEven(streamId: number): boolean {
  return (streamId & 1) === 0;
}
