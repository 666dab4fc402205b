import type { RequestHead } from '../../../src/http/head.ts';
import { HeaderEdits } from '../../../src/http/header-edits.ts';
import { FrameTranscript } from '../../../src/http/http2/frame-transcript.ts';
import {
  DEFAULT_HTTP2_LIMITS,
  Http2ClientConnection,
  type Http2ClientStream,
  type Http2Fault,
  Http2Output,
  type Http2ResponseSink,
  Http2ServerConnection,
  type Http2ServerStream,
  type Http2StreamSink,
} from '../../../src/http/http2/http2.ts';
import { requestHead } from '../../../src/http/http2/recorded-client.ts';

/** One end of a connection whose owner does the same for the same frames, and keeps book of what it is told. */

const CANCEL = 8;
/** More than any window that a peer is given at first. */
const LARGE_BODY = Buffer.alloc(100_000, 'l');
const SMALL_BODY = Buffer.from('small');
const LINE = { method: 'GET', scheme: 'http', authority: 'a.test', path: '/', upgrade: '' } as const;

type OwnedStream = Http2ServerStream | Http2ClientStream;

export abstract class DrivenCodec {
  /** What the owner was told; neighbouring pieces of a body are one. */
  readonly events: string[] = [];
  /** Contracts that the codec broke. */
  readonly broken: string[] = [];
  readonly output = new Http2Output(() => {});
  readonly #transcript = new FrameTranscript();
  readonly #streams: OwnedStream[] = [];
  readonly #sent: string[] = [];
  abstract readonly connection: Http2ServerConnection | Http2ClientConnection;

  /** Whether body bytes are given back at once, or only in the end. */
  readonly creditsAtOnce: boolean;

  constructor(creditsAtOnce: boolean) {
    this.creditsAtOnce = creditsAtOnce;
  }

  /** What was sent but for WINDOW_UPDATE, whose number and size depend on how reads were cut. */
  get sent(): readonly string[] {
    return this.#sent.filter((line) => !line.startsWith('WINDOW_UPDATE'));
  }

  /** Hands a read over, in a buffer that is overwritten behind it: nothing lent may be kept. */
  receive(bytes: Buffer): void {
    const lent = Buffer.from(bytes);
    this.connection.receive(lent, 0, lent.length, 0);
    lent.fill(0xaa);
  }

  /** The socket takes everything. */
  flush(): void {
    for (let isFirst = true; isFirst || this.output.length > 0; isFirst = false) {
      const bytes = Buffer.from(this.output.bytes.subarray(0, this.output.length));
      this.connection.outputTaken(false);
      this.#sent.push(...this.#transcript.describe(bytes));
    }
    if (this.connection.sendWindow < 0) this.broken.push('more was sent than the peer allows');
  }

  /** The owner gives everything up; answers what is left where nothing should be. */
  finish(): readonly string[] {
    const { connection } = this;
    const left: string[] = [];
    for (const stream of this.#streams) {
      if (stream.isReset && stream.uncreditedBytes > 0)
        left.push(`window that stream ${stream.id} holds after a reset`);
      stream.reset(CANCEL);
      stream.release();
    }
    this.flush();
    const expectNone = (what: string, count: number): void => {
      if (count !== 0) left.push(`${count} ${what}`);
    };
    expectNone('open streams', connection.openStreams);
    expectNone('bytes of backlog', connection.backlogBytes);
    if (connection instanceof Http2ServerConnection) expectNone('active streams', connection.activeStreams);
    connection.lost();
    if (connection.nextDeadlineMs !== Number.POSITIVE_INFINITY) left.push('a deadline');
    return left;
  }

  /** What has left the connection's receive window and not come back. */
  get missingCreditBytes(): number {
    const { available, owed } = this.connection.receiveCredit;
    return DEFAULT_HTTP2_LIMITS.connectionWindowBytes - available - owed;
  }

  onConnectionFault(fault: Http2Fault): void {
    this.events.push(`fault ${fault.reason}`);
  }

  onStreamRefused(fault: Http2Fault): void {
    this.events.push(`refused ${fault.reason}`);
  }

  onDrained(): void {
    this.events.push('drained');
  }

  onPingAcknowledged(): void {
    this.events.push('ping acknowledged');
  }

  protected own(stream: OwnedStream): void {
    this.#streams.push(stream);
  }

  protected tell(event: string): void {
    if (this.connection.fault !== undefined && !event.includes(' reset ')) {
      this.broken.push(`${event} after the connection had failed`);
    }
    const [, head = '', text = ''] = /^(\d+ body )(.*)$/s.exec(event) ?? [];
    const last = this.events.at(-1);
    if (head !== '' && last?.startsWith(head)) this.events[this.events.length - 1] = last + text;
    else this.events.push(event);
  }

  /** A stream's sink; it watches that nothing comes behind the end of the message or of the stream. */
  protected sink(id: number, streamOf: () => OwnedStream | undefined): Http2StreamSink {
    let state: 'open' | 'ended' | 'reset' = 'open';
    const take = (event: string): void => {
      if (state !== 'open') this.broken.push(`${id} ${event} after it was ${state}`);
      this.tell(`${id} ${event}`);
    };
    return {
      onBody: (buffer, start, end) => {
        take(`body ${buffer.toString('latin1', start, end)}`);
        if (this.creditsAtOnce) streamOf()?.credit(end - start);
      },
      onTrailers: (fields) => take(`trailers ${fields.count}`),
      onEnd: () => {
        take('end');
        state = 'ended';
      },
      onReset: (reset) => {
        if (state === 'reset') this.broken.push(`${id} was reset twice`);
        state = 'reset';
        this.tell(`${id} reset ${reset.reason} ${reset.isUnprocessed}`);
      },
      onWritable: () => {
        if (state === 'reset') this.broken.push(`${id} is writable after a reset`);
      },
    };
  }
}

/** A server that answers by the number of the stream: little, much, with a reset at once, or at the first byte of body. */
export class DrivenServer extends DrivenCodec {
  override readonly connection = new Http2ServerConnection(this, this.output, DEFAULT_HTTP2_LIMITS, 0);

  onRequestHead(stream: Http2ServerStream, head: RequestHead): Http2StreamSink {
    this.own(stream);
    this.tell(`${stream.id} head ${head.method} ${head.path} ${head.fields.count}`);
    switch (stream.id % 8) {
      case 1:
        answer(stream, SMALL_BODY);
        break;
      case 3:
        answer(stream, LARGE_BODY);
        break;
      case 5:
        stream.reset(CANCEL);
        break;
      default:
        return this.#resetAtBody(stream);
    }
    return this.sink(stream.id, () => stream);
  }

  /** How much of the body comes before the reset depends on the cut, so that it is not noted. */
  #resetAtBody(stream: Http2ServerStream): Http2StreamSink {
    return { ...this.sink(stream.id, () => stream), onBody: () => stream.reset(CANCEL) };
  }
}

function answer(stream: Http2ServerStream, body: Buffer): void {
  stream.sendLocalHead(200, [], body.length);
  stream.sendBody(body, 0, body.length);
  if (stream.id % 16 < 8) stream.end();
  else stream.sendTrailers(['x-done', '1']);
}

/** A client with requests under way: without a body, with a small one, with one that no window admits, and one unended. */
export class DrivenClient extends DrivenCodec {
  override readonly connection = new Http2ClientConnection(this, this.output, DEFAULT_HTTP2_LIMITS, 0);

  /** Past the preface, which is no frame; then its requests. */
  open(count: number): void {
    this.output.clear();
    for (let index = 0; index < count; index += 1) this.#open(index);
  }

  onCapacity(): void {
    if (this.connection.fault !== undefined) this.broken.push('capacity after the connection had failed');
  }

  onPeerDraining(code: number): void {
    this.events.push(`peer draining ${code}`);
  }

  #open(index: number): void {
    const method = (['GET', 'POST', 'POST', 'HEAD', 'POST'] as const)[index % 5] ?? 'GET';
    const hasBody = method === 'POST';
    let stream: Http2ClientStream | undefined;
    const id = 2 * index + 1;
    const sink = this.#responseSink(id, () => stream);
    stream = this.connection.open(requestHead(), new HeaderEdits(), { ...LINE, method }, hasBody ? -1 : 0, sink);
    this.own(stream);
    if (hasBody) {
      const body = index % 5 === 2 ? LARGE_BODY : SMALL_BODY;
      stream.sendBody(body, 0, body.length);
    }
    if (index % 5 !== 4) stream.end();
  }

  #responseSink(id: number, streamOf: () => Http2ClientStream | undefined): Http2ResponseSink {
    const sink = this.sink(id, streamOf);
    let hasHead = false;
    return {
      ...sink,
      onInformational: (head) => this.tell(`${id} informational ${head.status}`),
      onResponseHead: (head) => {
        if (hasHead) this.broken.push(`${id} has two heads`);
        hasHead = true;
        this.tell(`${id} head ${head.status} ${head.fields.count}`);
      },
    };
  }
}
