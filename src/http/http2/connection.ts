import { NEVER_USED, RESET_BY_US } from './closed-streams.ts';
import { ConnectionCore, type Http2ConnectionSink } from './connection-core.ts';
import { CONNECTION_FAULTS, type Http2Fault, STREAM_FAULTS } from './faults.ts';
import {
  CONTINUATION,
  FLAG_ACK,
  FLAG_END_HEADERS,
  FLAG_END_STREAM,
  FLAG_PADDED,
  FLAG_PRIORITY,
  GOAWAY,
  GOAWAY_BYTES,
  HEADERS,
  PING,
  PING_BYTES,
  PRIORITY,
  PRIORITY_BYTES,
  PUSH_PROMISE,
  RST_STREAM,
  RST_STREAM_BYTES,
  readUint31,
  readUint32,
  SETTING_BYTES,
  SETTINGS,
  WINDOW_UPDATE,
  WINDOW_UPDATE_BYTES,
} from './frame.ts';
import { FrameReader, type FrameSink } from './frame-reader.ts';
import { type BlockPurpose, HeadDraft } from './head-draft.ts';
import { HeaderBlock } from './header-block.ts';
import { HpackDecoder } from './hpack/hpack-decoder.ts';
import { KeepAlive } from './keep-alive.ts';
import type { Http2Limits } from './limits.ts';
import type { Http2Output } from './output.ts';
import type { Http2Stream } from './stream.ts';

const OUR_PING = Buffer.from('weft ask', 'latin1');
const DRAIN_PING = Buffer.from('weft end', 'latin1');

/** What both ends do with each frame (RFC 9113 §6). What HEADERS mean is left to the end that knows. */
export abstract class Http2Connection extends ConnectionCore implements FrameSink {
  protected readonly decoder = new HpackDecoder();
  protected readonly draft: HeadDraft;
  readonly #reader: FrameReader = new FrameReader(this);
  readonly #block: HeaderBlock;
  readonly #keepAlive: KeepAlive;
  #hasSettings = false;
  #awaitsSettingsAck = true;
  #awaitsPing = false;
  #blocksCompleted = 0;
  #dataStream: Http2Stream | undefined = undefined;
  #dataEndsStream = false;

  protected constructor(
    sink: Http2ConnectionSink,
    output: Http2Output,
    limits: Http2Limits,
    nowMs: number,
    peerIsServer: boolean,
  ) {
    super(sink, output, limits, nowMs, peerIsServer);
    this.draft = new HeadDraft(limits);
    this.#block = new HeaderBlock(limits);
    this.#keepAlive = new KeepAlive(limits);
  }

  /** Takes bytes [start, end) of `buffer`, all of them. */
  receive(buffer: Buffer, start: number, end: number, nowMs: number): void {
    if (this.fault !== undefined) return;
    this.nowMs = nowMs;
    this.#reader.read(buffer, this.readPreface(buffer, start, end), end);
    const isIncomplete = this.#block.isOpen || this.#reader.openType >= 0;
    this.deadlines.noteHead(isIncomplete, this.#blocksCompleted, nowMs);
  }

  /** Asks the peer for a sign of life; one at a time. */
  ping(nowMs = this.nowMs): void {
    if (this.#awaitsPing || this.fault !== undefined) return;
    this.#awaitsPing = true;
    this.output.ping(0, OUR_PING, 0);
    this.#keepAlive.onAsked(nowMs);
  }

  override get nextDeadlineMs(): number {
    return this.fault === undefined ? Math.min(super.nextDeadlineMs, this.#keepAlive.nextMs) : super.nextDeadlineMs;
  }

  override advance(nowMs: number): void {
    super.advance(nowMs);
    if (this.#keepAlive.isLost(nowMs)) this.fail(CONNECTION_FAULTS.pingTimeout);
    else if (this.#keepAlive.isDue(nowMs)) this.ping(nowMs);
  }

  onFrame(type: number, flags: number, streamId: number, buffer: Buffer, start: number, end: number): void {
    if (this.#block.isOpen && (type !== CONTINUATION || streamId !== this.#block.streamId)) {
      this.fail(CONNECTION_FAULTS.expectedContinuation);
    } else if (!this.#hasSettings && (type !== SETTINGS || (flags & FLAG_ACK) !== 0)) {
      this.fail(CONNECTION_FAULTS.firstFrame);
    } else {
      const fault = this.#take(type, flags, streamId, buffer, start, end);
      if (fault !== undefined) this.fail(fault);
      else if (this.output.controlFrames > this.limits.maxQueuedControlFrames) {
        this.fail(CONNECTION_FAULTS.controlFlood);
      }
    }
  }

  onDataFrame(flags: number, streamId: number, frameBytes: number, dataBytes: number): void {
    this.#dataStream = undefined;
    this.#dataEndsStream = (flags & FLAG_END_STREAM) !== 0;
    const fault = this.#takeData(streamId, frameBytes, dataBytes);
    if (fault !== undefined) this.fail(fault);
  }

  onDataBytes(buffer: Buffer, start: number, end: number): void {
    const stream = this.#dataStream;
    if (stream === undefined) return;
    if (stream.isClosed) this.creditConnection(end - start);
    else stream.receiveBody(buffer, start, end);
  }

  onDataFrameEnd(): void {
    const stream = this.#dataStream;
    this.#dataStream = undefined;
    if (stream === undefined || !this.#dataEndsStream || stream.isClosed) return;
    const fault = stream.receiveEnd(undefined);
    if (fault !== undefined) this.failStream(stream, fault);
  }

  onFrameFault(fault: Http2Fault): void {
    this.fail(fault);
  }

  /** How much of what is read is not frames; answers where frames begin. */
  protected abstract readPreface(buffer: Buffer, start: number, end: number): number;

  /** Whether no frame may come on a stream because it was never opened. */
  protected abstract isIdle(streamId: number): boolean;

  /** A whole header block. It must be decoded, whatever becomes of it. */
  protected abstract takeBlock(
    streamId: number,
    endStream: boolean,
    dependsOnItself: boolean,
    buffer: Buffer,
    start: number,
    end: number,
  ): void;

  protected abstract takeGoAway(lastStreamId: number, code: number): void;

  /** A live stream has been reset by the peer. */
  protected abstract notePeerReset(): void;

  /** Whether DATA may come on a stream now. */
  protected abstract faultOfData(stream: Http2Stream): Http2Fault | undefined;

  protected onPeerSettings(): void {}

  protected onDrainPingAcknowledged(): void {}

  protected override stopReading(): void {
    this.#reader.stop();
    this.#block.forget();
  }

  protected sendDrainPing(): void {
    this.output.ping(0, DRAIN_PING, 0);
  }

  /** Decodes a block into the draft; false where that ended the connection. */
  protected decodeBlock(purpose: BlockPurpose, buffer: Buffer, start: number, end: number): boolean {
    this.draft.begin(purpose);
    if (this.decoder.decode(buffer, start, end, this.draft)) return true;
    this.fail(CONNECTION_FAULTS.compression);
    return false;
  }

  /** Trailers of a stream under way. */
  protected takeTrailers(stream: Http2Stream, endStream: boolean, buffer: Buffer, start: number, end: number): void {
    if (!this.decodeBlock('trailers', buffer, start, end)) return;
    const early = stream.isRemoteEnded ? STREAM_FAULTS.headersAfterEnd : this.draft.fault;
    const fault = early ?? (endStream ? stream.receiveEnd(this.draft.fields) : STREAM_FAULTS.trailersWithoutEnd);
    if (fault !== undefined) this.failStream(stream, fault);
  }

  /** HEADERS on a stream that is over (RFC 9113 §5.1). */
  protected takeBlockOfClosed(streamId: number, buffer: Buffer, start: number, end: number): void {
    if (!this.decodeBlock('unwanted', buffer, start, end)) return;
    const kind = this.closedStreams.kindOf(streamId);
    if (kind === NEVER_USED) this.fail(CONNECTION_FAULTS.streamId);
    else if (kind !== RESET_BY_US) this.fail(CONNECTION_FAULTS.closedStream);
    // On its way when we reset the stream; but decoding what nobody wants is work too.
    else this.glitch();
  }

  #take(
    type: number,
    flags: number,
    streamId: number,
    buffer: Buffer,
    start: number,
    end: number,
  ): Http2Fault | undefined {
    switch (type) {
      case HEADERS:
        return this.#takeHeaders(flags, streamId, buffer, start, end);
      case CONTINUATION:
        return this.#takeContinuation(flags, buffer, start, end);
      case WINDOW_UPDATE:
        return this.#takeWindowUpdate(streamId, buffer, start, end);
      case SETTINGS:
        return this.#takeSettings(flags, streamId, buffer, start, end);
      case RST_STREAM:
        return this.#takeReset(streamId, buffer, start, end);
      case PING:
        return this.#takePing(flags, streamId, buffer, start, end);
      case PRIORITY:
        return this.#takePriority(streamId, buffer, start, end);
      case GOAWAY:
        if (streamId !== 0) return CONNECTION_FAULTS.notStreamZero;
        if (end - start < GOAWAY_BYTES) return CONNECTION_FAULTS.frameSize;
        this.takeGoAway(readUint31(buffer, start), readUint32(buffer, start + 4));
        return undefined;
      case PUSH_PROMISE:
        return CONNECTION_FAULTS.push;
      default:
        return undefined;
    }
  }

  #takeHeaders(flags: number, streamId: number, buffer: Buffer, start: number, end: number): Http2Fault | undefined {
    if (streamId === 0) return CONNECTION_FAULTS.streamZero;
    let at = start;
    let fragmentEnd = end;
    if ((flags & FLAG_PADDED) !== 0) {
      if (at === end) return CONNECTION_FAULTS.frameSize;
      fragmentEnd -= buffer[at++] as number;
    }
    let dependsOnItself = false;
    if ((flags & FLAG_PRIORITY) !== 0) {
      if (end - at < PRIORITY_BYTES) return CONNECTION_FAULTS.frameSize;
      dependsOnItself = readUint31(buffer, at) === streamId;
      at += PRIORITY_BYTES;
    }
    if (at > fragmentEnd) return CONNECTION_FAULTS.padding;
    const endStream = (flags & FLAG_END_STREAM) !== 0;
    if ((flags & FLAG_END_HEADERS) !== 0) {
      this.#blocksCompleted += 1;
      this.guard.payloadFrame(false);
      this.takeBlock(streamId, endStream, dependsOnItself, buffer, at, fragmentEnd);
      return undefined;
    }
    this.#block.begin(streamId, endStream, dependsOnItself);
    return this.guard.payloadFrame(at === fragmentEnd) ?? this.#block.append(buffer, at, fragmentEnd);
  }

  #takeContinuation(flags: number, buffer: Buffer, start: number, end: number): Http2Fault | undefined {
    const block = this.#block;
    if (!block.isOpen) return CONNECTION_FAULTS.unexpectedContinuation;
    const isLast = (flags & FLAG_END_HEADERS) !== 0;
    const fault =
      block.countContinuation() ??
      this.guard.payloadFrame(start === end && !isLast) ??
      block.append(buffer, start, end);
    if (fault !== undefined || !isLast) return fault;
    block.close();
    this.#blocksCompleted += 1;
    this.takeBlock(block.streamId, block.endStream, block.dependsOnItself, block.bytes, 0, block.length);
    block.forget();
    return undefined;
  }

  #takeData(streamId: number, frameBytes: number, dataBytes: number): Http2Fault | undefined {
    if (this.#block.isOpen) return CONNECTION_FAULTS.expectedContinuation;
    if (!this.#hasSettings) return CONNECTION_FAULTS.firstFrame;
    if (streamId === 0) return CONNECTION_FAULTS.streamZero;
    if (!this.receiveWindow.take(frameBytes)) return CONNECTION_FAULTS.connectionWindow;
    const flood = this.guard.payloadFrame(dataBytes === 0 && !this.#dataEndsStream);
    if (flood !== undefined) return flood;
    const stream = this.streams.get(streamId);
    if (stream === undefined) {
      this.creditConnection(frameBytes);
      return this.#takeDataOfMissing(streamId);
    }
    this.creditConnection(frameBytes - dataBytes);
    const fault = this.faultOfData(stream) ?? stream.takeData(frameBytes, dataBytes);
    if (fault !== undefined) {
      this.creditConnection(dataBytes);
      this.failStream(stream, fault);
      return undefined;
    }
    this.#dataStream = stream;
    return this.#dataEndsStream || dataBytes === 0 ? undefined : this.#countOverhead(stream, dataBytes);
  }

  #countOverhead(stream: Http2Stream, dataBytes: number): Http2Fault | undefined {
    const overhead = this.guard.overheadOf(dataBytes);
    if (overhead === 0) return undefined;
    stream.addOverhead(overhead);
    return this.guard.addOverhead(overhead);
  }

  #takeDataOfMissing(streamId: number): Http2Fault | undefined {
    if (this.isIdle(streamId)) return CONNECTION_FAULTS.idleStream;
    const kind = this.closedStreams.kindOf(streamId);
    // Whoever sent these did not know yet that we had reset the stream.
    if (kind === RESET_BY_US) return undefined;
    if (kind === NEVER_USED) return CONNECTION_FAULTS.streamId;
    this.refuse(streamId, STREAM_FAULTS.dataAfterEnd);
    return undefined;
  }

  #takeReset(streamId: number, buffer: Buffer, start: number, end: number): Http2Fault | undefined {
    if (streamId === 0) return CONNECTION_FAULTS.streamZero;
    if (end - start !== RST_STREAM_BYTES) return CONNECTION_FAULTS.frameSize;
    const stream = this.streams.get(streamId);
    if (stream === undefined) {
      if (this.isIdle(streamId)) return CONNECTION_FAULTS.idleStream;
      this.glitch();
      return undefined;
    }
    stream.receiveReset(readUint32(buffer, start));
    this.notePeerReset();
    return undefined;
  }

  #takeWindowUpdate(streamId: number, buffer: Buffer, start: number, end: number): Http2Fault | undefined {
    if (end - start !== WINDOW_UPDATE_BYTES) return CONNECTION_FAULTS.frameSize;
    const flood = this.guard.windowUpdate();
    if (flood !== undefined) return flood;
    const increment = readUint31(buffer, start);
    if (streamId === 0) {
      if (increment === 0) return CONNECTION_FAULTS.zeroIncrement;
      if (!this.widenSendWindow(increment)) return CONNECTION_FAULTS.windowOverflow;
      this.sendWaiting();
      return undefined;
    }
    const stream = this.streams.get(streamId);
    if (stream === undefined) return this.isIdle(streamId) ? CONNECTION_FAULTS.idleStream : undefined;
    if (increment === 0) this.failStream(stream, STREAM_FAULTS.zeroIncrement);
    else if (!stream.widenSendWindow(increment)) this.failStream(stream, STREAM_FAULTS.windowOverflow);
    else while (stream.isBackedUp && stream.sendSome());
    return undefined;
  }

  #takeSettings(flags: number, streamId: number, buffer: Buffer, start: number, end: number): Http2Fault | undefined {
    if (streamId !== 0) return CONNECTION_FAULTS.notStreamZero;
    if ((flags & FLAG_ACK) !== 0) return this.#takeSettingsAck(end - start);
    if ((end - start) % SETTING_BYTES !== 0) return CONNECTION_FAULTS.frameSize;
    if ((end - start) / SETTING_BYTES > this.limits.maxSettingsPerFrame) return CONNECTION_FAULTS.tooManySettings;
    const windowBefore = this.peer.initialWindowBytes;
    const fault = this.peer.apply(buffer, start, end, !this.#hasSettings);
    if (fault !== undefined) return fault;
    if (!this.#hasSettings) this.#keepAlive.begin(this.nowMs);
    this.#hasSettings = true;
    this.deadlines.onPreface();
    this.encoder.limitTable(this.peer.headerTableBytes);
    this.output.settingsAck();
    const change = this.peer.initialWindowBytes - windowBefore;
    if (change !== 0) {
      // RFC 9113 §6.9.2: windows of open streams move by the difference, perhaps below zero.
      for (const stream of this.streams.snapshot()) {
        if (!stream.widenSendWindow(change)) return CONNECTION_FAULTS.settingWindow;
      }
      this.sendWaiting();
    }
    this.onPeerSettings();
    return undefined;
  }

  #takeSettingsAck(bytes: number): Http2Fault | undefined {
    if (bytes !== 0) return CONNECTION_FAULTS.frameSize;
    if (!this.#awaitsSettingsAck) {
      this.glitch();
      return undefined;
    }
    this.#awaitsSettingsAck = false;
    this.deadlines.onSettingsAck();
    this.decoder.limitTable(this.limits.headerTableBytes);
    return undefined;
  }

  #takePing(flags: number, streamId: number, buffer: Buffer, start: number, end: number): Http2Fault | undefined {
    if (streamId !== 0) return CONNECTION_FAULTS.notStreamZero;
    if (end - start !== PING_BYTES) return CONNECTION_FAULTS.frameSize;
    if ((flags & FLAG_ACK) === 0) this.output.ping(FLAG_ACK, buffer, start);
    else if (DRAIN_PING.compare(buffer, start, end) === 0) this.onDrainPingAcknowledged();
    else if (this.#awaitsPing && OUR_PING.compare(buffer, start, end) === 0) {
      this.#awaitsPing = false;
      this.#keepAlive.onAnswered(this.nowMs);
      this.tellPingAcknowledged();
    } else this.glitch();
    return undefined;
  }

  /** Deprecated (RFC 9113 §5.3.2): held against its rules, then ignored. */
  #takePriority(streamId: number, buffer: Buffer, start: number, end: number): Http2Fault | undefined {
    if (streamId === 0) return CONNECTION_FAULTS.streamZero;
    const flood = this.guard.priority();
    if (flood !== undefined) return flood;
    const hasWrongSize = end - start !== PRIORITY_BYTES;
    if (!hasWrongSize && readUint31(buffer, start) !== streamId) return undefined;
    const stream = this.streams.get(streamId);
    if (stream === undefined && this.isIdle(streamId)) {
      return hasWrongSize ? CONNECTION_FAULTS.frameSize : CONNECTION_FAULTS.idlePriority;
    }
    const fault = hasWrongSize ? STREAM_FAULTS.prioritySize : STREAM_FAULTS.selfDependency;
    if (stream === undefined) this.refuse(streamId, fault);
    else this.failStream(stream, fault);
    return undefined;
  }
}
