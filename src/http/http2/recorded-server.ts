import type { ByteBudget } from '../../base/byte-budget.ts';
import type { RequestHead } from '../head.ts';
import type { HeaderFields } from '../header-fields.ts';
import type { Http2Fault } from './faults.ts';
import { CLIENT_HELLO } from './frame-script.ts';
import { FrameTranscript, type SentFrame } from './frame-transcript.ts';
import { DEFAULT_HTTP2_LIMITS, type Http2Limits } from './limits.ts';
import { Http2Output } from './output.ts';
import { Http2ServerConnection, type Http2ServerSink } from './server-connection.ts';
import type { Http2ServerStream } from './server-stream.ts';
import type { Http2Reset, Http2StreamSink } from './stream-sink.ts';

/** How the test's owner treats its streams. */
export interface OwnerHabits {
  /** Gives body bytes back at once. */
  readonly credits: boolean;
  /** Lets go of a stream as soon as it is over: without it, upstream work seems to go on for ever. */
  readonly releases: boolean;
  /** Shared with other servers. */
  readonly windowGrowth?: ByteBudget;
}

const KIND_OWNER: OwnerHabits = { credits: true, releases: true };

/** A server connection whose calls and frames a test can read. Nothing is answered but by the test. */
export class RecordedServer implements Http2ServerSink {
  readonly events: string[] = [];
  readonly streams = new Map<number, Http2ServerStream>();
  readonly heads = new Map<number, RequestHead>();
  readonly windowGrowth?: ByteBudget;
  readonly connection: Http2ServerConnection;
  readonly output = new Http2Output(() => {});
  readonly #transcript = new FrameTranscript();
  readonly #habits: OwnerHabits;
  bodyBytes = 0;
  nowMs = 0;

  constructor(limits: Partial<Http2Limits> = {}, habits: Partial<OwnerHabits> = {}) {
    this.#habits = { ...KIND_OWNER, ...habits };
    if (habits.windowGrowth !== undefined) this.windowGrowth = habits.windowGrowth;
    this.connection = new Http2ServerConnection(this, this.output, { ...DEFAULT_HTTP2_LIMITS, ...limits }, 0);
  }

  /** A server that has shaken hands with its client; its own first frames are out of the way. */
  static greeted(limits: Partial<Http2Limits> = {}, habits: Partial<OwnerHabits> = {}): RecordedServer {
    const server = new RecordedServer(limits, habits);
    server.receive(CLIENT_HELLO);
    server.sent();
    return server;
  }

  get fault(): string {
    return this.connection.fault?.reason ?? '';
  }

  receive(...pieces: readonly Buffer[]): this {
    const bytes = Buffer.concat(pieces);
    this.connection.receive(bytes, 0, bytes.length, this.nowMs);
    return this;
  }

  /** What has been written since the last call; the socket takes all of it unless `isBackedUp`. */
  sentBytes(isBackedUp = false): Buffer {
    const bytes = Buffer.from(this.output.bytes.subarray(0, this.output.length));
    this.connection.outputTaken(isBackedUp);
    return bytes;
  }

  sent(isBackedUp = false): string[] {
    return this.#transcript.describe(this.sentBytes(isBackedUp));
  }

  sentFrames(): SentFrame[] {
    return this.#transcript.parse(this.sentBytes());
  }

  stream(id: number): Http2ServerStream {
    const stream = this.streams.get(id);
    if (stream === undefined) throw new Error(`no request came on stream ${id}`);
    return stream;
  }

  onRequestHead(stream: Http2ServerStream, head: RequestHead): Http2StreamSink {
    this.streams.set(stream.id, stream);
    this.heads.set(stream.id, head);
    this.events.push(`${stream.id} head ${head.method} ${head.path}`);
    return new RecordedStream(this, stream, this.#habits);
  }

  onConnectionFault(fault: Http2Fault): void {
    this.events.push(`fault ${fault.reason}`);
  }

  onStreamRefused(_fault: Http2Fault): void {
    // The frame that says so is in the output.
  }

  onDrained(): void {
    this.events.push('drained');
  }

  onPingAcknowledged(): void {
    this.events.push('ping acknowledged');
  }
}

class RecordedStream implements Http2StreamSink {
  readonly #server: RecordedServer;
  readonly #stream: Http2ServerStream;
  readonly #habits: OwnerHabits;

  constructor(server: RecordedServer, stream: Http2ServerStream, habits: OwnerHabits) {
    this.#server = server;
    this.#stream = stream;
    this.#habits = habits;
  }

  onBody(buffer: Buffer, start: number, end: number): void {
    this.#server.bodyBytes += end - start;
    this.#record(`body ${buffer.toString('latin1', start, end)}`);
    if (this.#habits.credits) this.#stream.credit(end - start);
  }

  onTrailers(fields: HeaderFields): void {
    const pairs = Array.from(
      { length: fields.count },
      (_, index) => `${fields.nameAt(index)}=${fields.valueAt(index)}`,
    );
    this.#record(`trailers ${pairs.join(' ')}`);
  }

  onEnd(): void {
    this.#record('end');
    if (this.#habits.releases) this.#stream.release();
  }

  onReset(reset: Http2Reset): void {
    this.#record(`reset ${reset.reason}`);
    if (this.#habits.releases) this.#stream.release();
  }

  onWritable(): void {
    this.#record('writable');
  }

  #record(event: string): void {
    this.#server.events.push(`${this.#stream.id} ${event}`);
  }
}
