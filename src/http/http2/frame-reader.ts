import type { Http2Fault } from './faults.ts';
import { CONNECTION_FAULTS } from './faults.ts';
import { DATA, FLAG_PADDED, FRAME_HEADER_BYTES, MAX_FRAME_BYTES, readUint31 } from './frame.ts';

/** Called in wire order. Buffers are lent until the call returns. */
export interface FrameSink {
  /** A whole frame other than DATA. */
  onFrame(type: number, flags: number, streamId: number, buffer: Buffer, start: number, end: number): void;
  /** A DATA frame begins: `dataBytes` of its `frameBytes` are content, the rest is padding. */
  onDataFrame(flags: number, streamId: number, frameBytes: number, dataBytes: number): void;
  onDataBytes(buffer: Buffer, start: number, end: number): void;
  onDataFrameEnd(): void;
  onFrameFault(fault: Http2Fault): void;
}

const NO_BYTES = Buffer.alloc(0);
/** A payload buffer larger than this is given back once its frame is done. */
const KEPT_PAYLOAD_BYTES = 1024;

/**
 *     header ─9 bytes─► payload ─last byte─► header
 *        └─ DATA ─► padLength? ─► data ─► padding? ─► header        any ─stop()─► stopped
 */
type State = 'header' | 'payload' | 'padLength' | 'data' | 'padding' | 'stopped';

/**
 * Cuts the byte stream into frames (RFC 9113 §4.1). DATA passes through as it comes; other frames are lent straight from
 * the read buffer, and copied only where a read ends inside one.
 */
export class FrameReader {
  readonly #sink: FrameSink;
  readonly #header = Buffer.allocUnsafeSlow(FRAME_HEADER_BYTES);
  #payload: Buffer = NO_BYTES;
  #gathered = 0;
  #state: State = 'header';
  #length = 0;
  #type = 0;
  #flags = 0;
  #streamId = 0;
  #dataLeft = 0;
  #paddingLeft = 0;

  constructor(sink: FrameSink) {
    this.#sink = sink;
  }

  /** Type of the frame whose payload is incomplete, or −1. */
  get openType(): number {
    return this.#state === 'payload' ? this.#type : -1;
  }

  get isStopped(): boolean {
    return this.#state === 'stopped';
  }

  /** Calls the sink no more, whatever follows. */
  stop(): void {
    this.#state = 'stopped';
    this.#payload = NO_BYTES;
  }

  read(buffer: Buffer, start: number, end: number): void {
    let at = start;
    while (at < end) {
      if (this.#state === 'header') at = this.#readHeader(buffer, at, end);
      else if (this.#state === 'data') at = this.#readData(buffer, at, end);
      else if (this.#state === 'payload') at = this.#readPayload(buffer, at, end);
      else if (this.#state === 'padding') at = this.#skipPadding(at, end);
      else if (this.#state === 'padLength') at = this.#readPadLength(buffer, at);
      else return;
    }
  }

  #readHeader(buffer: Buffer, start: number, end: number): number {
    if (this.#gathered === 0 && end - start >= FRAME_HEADER_BYTES) {
      this.#takeHeader(buffer, start);
      return start + FRAME_HEADER_BYTES;
    }
    const taken = Math.min(FRAME_HEADER_BYTES - this.#gathered, end - start);
    buffer.copy(this.#header, this.#gathered, start, start + taken);
    this.#gathered += taken;
    if (this.#gathered === FRAME_HEADER_BYTES) {
      this.#gathered = 0;
      this.#takeHeader(this.#header, 0);
    }
    return start + taken;
  }

  #takeHeader(bytes: Buffer, at: number): void {
    const length = ((bytes[at] as number) << 16) | ((bytes[at + 1] as number) << 8) | (bytes[at + 2] as number);
    this.#length = length;
    this.#type = bytes[at + 3] as number;
    this.#flags = bytes[at + 4] as number;
    this.#streamId = readUint31(bytes, at + 5);
    if (length > MAX_FRAME_BYTES) this.#fail(CONNECTION_FAULTS.frameTooLarge);
    else if (this.#type === DATA) this.#beginData();
    else if (length === 0) this.#endFrame(NO_BYTES, 0, 0);
    else this.#state = 'payload';
  }

  #readPayload(buffer: Buffer, start: number, end: number): number {
    if (this.#gathered === 0 && end - start >= this.#length) {
      this.#endFrame(buffer, start, start + this.#length);
      return start + this.#length;
    }
    if (this.#payload.length < this.#length) this.#payload = Buffer.allocUnsafeSlow(this.#length);
    const taken = Math.min(this.#length - this.#gathered, end - start);
    buffer.copy(this.#payload, this.#gathered, start, start + taken);
    this.#gathered += taken;
    if (this.#gathered === this.#length) {
      this.#gathered = 0;
      this.#endFrame(this.#payload, 0, this.#length);
      if (this.#payload.length > KEPT_PAYLOAD_BYTES) this.#payload = NO_BYTES;
    }
    return start + taken;
  }

  #endFrame(buffer: Buffer, start: number, end: number): void {
    this.#state = 'header';
    this.#sink.onFrame(this.#type, this.#flags, this.#streamId, buffer, start, end);
  }

  #beginData(): void {
    if ((this.#flags & FLAG_PADDED) === 0) this.#startData(0, this.#length);
    else if (this.#length === 0) this.#fail(CONNECTION_FAULTS.frameSize);
    else this.#state = 'padLength';
  }

  #readPadLength(buffer: Buffer, at: number): number {
    const padding = buffer[at] as number;
    if (padding >= this.#length) this.#fail(CONNECTION_FAULTS.padding);
    else this.#startData(padding, this.#length - 1 - padding);
    return at + 1;
  }

  #startData(padding: number, dataBytes: number): void {
    this.#paddingLeft = padding;
    this.#dataLeft = dataBytes;
    this.#state = 'data';
    this.#sink.onDataFrame(this.#flags, this.#streamId, this.#length, dataBytes);
    if (dataBytes === 0) this.#endData();
  }

  #readData(buffer: Buffer, start: number, end: number): number {
    const taken = Math.min(this.#dataLeft, end - start);
    this.#dataLeft -= taken;
    this.#sink.onDataBytes(buffer, start, start + taken);
    if (this.#dataLeft === 0) this.#endData();
    return start + taken;
  }

  #endData(): void {
    if (this.isStopped) return;
    if (this.#paddingLeft > 0) this.#state = 'padding';
    else this.#endDataFrame();
  }

  #skipPadding(start: number, end: number): number {
    const taken = Math.min(this.#paddingLeft, end - start);
    this.#paddingLeft -= taken;
    if (this.#paddingLeft === 0) this.#endDataFrame();
    return start + taken;
  }

  #endDataFrame(): void {
    this.#state = 'header';
    this.#sink.onDataFrameEnd();
  }

  #fail(fault: Http2Fault): void {
    this.stop();
    this.#sink.onFrameFault(fault);
  }
}
