import type { RequestHead, ResponseHead } from '../head.ts';
import { HeaderEdits } from '../header-edits.ts';
import type { HeaderFields } from '../header-fields.ts';
import { Http2ClientConnection, type Http2ClientSink } from './client-connection.ts';
import type { Http2ClientStream } from './client-stream.ts';
import type { Http2Fault } from './faults.ts';
import { SERVER_HELLO } from './frame-script.ts';
import { FrameTranscript } from './frame-transcript.ts';
import { HeaderField } from './hpack/header-field.ts';
import { Http2Fields } from './http2-fields.ts';
import { Http2RequestHead } from './http2-heads.ts';
import { DEFAULT_HTTP2_LIMITS, type Http2Limits } from './limits.ts';
import { Http2Output } from './output.ts';
import type { Http2Reset, Http2ResponseSink } from './stream-sink.ts';

const LINE = { method: 'GET', scheme: 'http', authority: 'a.test', path: '/', upgrade: '' } as const;

/** A head with the given fields, as another connection would have received it. */
export function requestHead(pairs: readonly (readonly [string, string])[] = []): RequestHead {
  const fields = new Http2Fields();
  for (const [name, value] of pairs) fields.push(new HeaderField(name, value, 0));
  return new Http2RequestHead(LINE, fields, 0, false);
}

/** A client connection whose calls and frames a test can read. */
export class RecordedClient implements Http2ClientSink {
  readonly events: string[] = [];
  readonly resets: Http2Reset[] = [];
  readonly heads: ResponseHead[] = [];
  readonly connection: Http2ClientConnection;
  readonly output = new Http2Output(() => {});
  readonly #transcript = new FrameTranscript();
  nowMs = 0;

  constructor(limits: Partial<Http2Limits> = {}) {
    this.connection = new Http2ClientConnection(this, this.output, { ...DEFAULT_HTTP2_LIMITS, ...limits }, 0);
  }

  static greeted(limits: Partial<Http2Limits> = {}): RecordedClient {
    const client = new RecordedClient(limits);
    client.receive(SERVER_HELLO);
    client.sentBytes();
    client.events.length = 0;
    return client;
  }

  get fault(): string {
    return this.connection.fault?.reason ?? '';
  }

  /** Opens a stream; `end` unless the method has a body. */
  open(method = 'GET', upgrade = ''): Http2ClientStream {
    const isEnded = method === 'GET' || method === 'HEAD';
    const line = { ...LINE, method, upgrade };
    const bodyLength = isEnded && upgrade === '' ? 0 : -1;
    let stream: Http2ClientStream | undefined;
    const sink = this.#sinkFor(() => stream);
    stream = this.connection.open(requestHead(), new HeaderEdits(), line, bodyLength, sink);
    if (bodyLength === 0) stream.end();
    return stream;
  }

  receive(...pieces: readonly Buffer[]): this {
    const bytes = Buffer.concat(pieces);
    this.connection.receive(bytes, 0, bytes.length, this.nowMs);
    return this;
  }

  sentBytes(isBackedUp = false): Buffer {
    const bytes = Buffer.from(this.output.bytes.subarray(0, this.output.length));
    this.connection.outputTaken(isBackedUp);
    return bytes;
  }

  sent(): string[] {
    return this.#transcript.describe(this.sentBytes());
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

  onCapacity(): void {
    this.events.push('capacity');
  }

  onPeerDraining(code: number): void {
    this.events.push(`peer draining ${code}`);
  }

  #sinkFor(streamOf: () => Http2ClientStream | undefined): Http2ResponseSink {
    const record = (event: string): void => {
      this.events.push(`${streamOf()?.id ?? '?'} ${event}`);
    };
    return {
      onInformational: (head) => record(`informational ${head.status}`),
      onResponseHead: (head) => {
        this.heads.push(head);
        record(`head ${head.status}`);
      },
      onBody: (buffer, start, end) => {
        record(`body ${buffer.toString('latin1', start, end)}`);
        streamOf()?.credit(end - start);
      },
      onTrailers: (fields: HeaderFields) => record(`trailers ${fields.count}`),
      onEnd: () => record('end'),
      onReset: (reset) => {
        this.resets.push(reset);
        record(`reset ${reset.reason}`);
      },
      onWritable: () => record('writable'),
    };
  }
}
