import { type RequestHead, type ResponseHead, UNKNOWN_LENGTH } from '../../http/head.ts';
import type { HeaderEdits } from '../../http/header-edits.ts';
import type { HeaderFields } from '../../http/header-fields.ts';
import { NonCanonicalHeadError } from '../../http/http1/http1.ts';
import {
  CONNECTION_FAULTS,
  type Http2ClientConnection,
  type Http2ClientStream,
  Http2ErrorCode,
  type Http2Reset,
  type Http2ResponseSink,
} from '../../http/http2/http2.ts';
import type { UpstreamExchange, UpstreamRequestLine } from './upstream-exchange.ts';
import type { ResetReason, UpstreamSink } from './upstream-sink.ts';

/** The connection as its exchanges see it. */
export interface Http2ExchangeOwner {
  readonly codec: Http2ClientConnection;
  readonly flushedBytes: number;
  /** Exchanges that were begun on it, this one included once it has. */
  readonly requests: number;
  exchangeStarted(): void;
  /** The host has not looked at a stream and will not (RFC 9113 §8.7): the next try is for another connection. */
  exchangeRefused(): void;
  /** A place for another stream may be free. */
  exchangeEnded(): void;
}

const SWITCHING_PROTOCOLS = 101;

/**
 *     lent ──startRequest──► open ──answered, cut or given up──► over
 *
 * One stream of an HTTP/2 connection as the router uses it. What the sink cannot take is not credited to the host.
 */
export class Http2UpstreamExchange implements UpstreamExchange, Http2ResponseSink {
  readonly #owner: Http2ExchangeOwner;
  #sink: UpstreamSink | undefined = undefined;
  #stream: Http2ClientStream | undefined = undefined;
  #isTunnel = false;
  #isHeld = false;
  #owedBytes = 0;
  #flushedBefore = 0;
  #isReused = false;
  hasReceived = false;

  constructor(owner: Http2ExchangeOwner) {
    this.#owner = owner;
  }

  get isReused(): boolean {
    return this.#isReused;
  }

  get hasRested(): boolean {
    return this.#isReused;
  }

  get hasSent(): boolean {
    return this.#owner.flushedBytes > this.#flushedBefore;
  }

  get isBackedUp(): boolean {
    return this.#stream?.isBackedUp === true;
  }

  startRequest(
    sink: UpstreamSink,
    head: RequestHead,
    edits: HeaderEdits,
    line: UpstreamRequestLine,
    _prefix: string,
  ): void {
    const { codec } = this.#owner;
    if (line.upgrade !== '') prepareUpgrade(codec, head, edits);
    const bodyLength = line.upgrade === '' ? head.bodyLength : UNKNOWN_LENGTH;
    this.#stream = codec.open(head, edits, line, bodyLength, this);
    this.#sink = sink;
    this.#isTunnel = false;
    this.#isReused = this.#owner.requests > 0;
    this.#flushedBefore = this.#owner.flushedBytes;
    this.#owner.exchangeStarted();
  }

  sendBody(buffer: Buffer, start: number, end: number): void {
    this.#stream?.sendBody(buffer, start, end);
  }

  sendBodyText(text: string): void {
    this.#stream?.sendBodyText(text);
  }

  endRequest(trailers: HeaderFields | undefined): void {
    // An upgrade has no body: what follows is its tunnel, and its end is the tunnel's.
    if (this.#stream?.form === 'upgrade') return;
    if (trailers === undefined) this.#stream?.end();
    else this.#stream?.forwardTrailers(trailers);
  }

  sendTunnelBytes(buffer: Buffer, start: number, end: number): void {
    this.#stream?.sendBody(buffer, start, end);
  }

  finishTunnel(): void {
    this.#stream?.end();
  }

  pauseReading(): void {
    this.#isHeld = true;
  }

  resumeReading(): void {
    this.#isHeld = false;
    this.#payCredit();
  }

  abort(): void {
    this.#giveUp(Http2ErrorCode.CANCEL);
  }

  discardResponse(_head: ResponseHead): void {
    this.#giveUp(Http2ErrorCode.CANCEL);
  }

  onInformational(head: ResponseHead): void {
    this.hasReceived = true;
    this.#sink?.onUpstreamInformational(head);
  }

  onResponseHead(head: ResponseHead): void {
    this.hasReceived = true;
    this.#isTunnel = head.status === SWITCHING_PROTOCOLS;
    this.#sink?.onUpstreamHead(head);
  }

  onBody(buffer: Buffer, start: number, end: number): void {
    this.#owedBytes += end - start;
    this.#sink?.onUpstreamBody(buffer, start, end);
    if (!this.#isHeld) this.#payCredit();
  }

  onTrailers(fields: HeaderFields): void {
    this.#sink?.onUpstreamTrailers(fields);
  }

  onEnd(): void {
    if (this.#isTunnel) {
      this.#sink?.onUpstreamFinished();
      return;
    }
    const sink = this.#sink;
    // RFC 9113 §8.1: the answer is whole; the rest of the request is not wanted.
    this.#giveUp(Http2ErrorCode.NO_ERROR);
    sink?.onUpstreamEnd();
  }

  onReset(reset: Http2Reset): void {
    const sink = this.#sink;
    this.#sink = undefined;
    if (reset.isUnprocessed) this.#owner.exchangeRefused();
    this.#owner.exchangeEnded();
    sink?.onUpstreamReset(reasonOf(reset), detailOf(reset));
  }

  onWritable(): void {
    this.#sink?.onUpstreamWritable();
  }

  /** The sink hears nothing more; what is open of the stream is reset. */
  #giveUp(code: number): void {
    const stream = this.#stream;
    this.#sink = undefined;
    this.#isHeld = false;
    this.#payCredit();
    this.#stream = undefined;
    stream?.reset(code);
    stream?.release();
    this.#owner.exchangeEnded();
  }

  #payCredit(): void {
    const bytes = this.#owedBytes;
    this.#owedBytes = 0;
    if (bytes > 0) this.#stream?.credit(bytes);
  }
}

/** RFC 8441 §5: the key that HTTP/1.1 proves itself with means nothing here. */
function prepareUpgrade(codec: Http2ClientConnection, head: RequestHead, edits: HeaderEdits): void {
  if (!codec.allowsExtendedConnect) {
    throw new NonCanonicalHeadError(
      `upgrade to ${head.upgrade}: the HTTP/2 host offers no extended CONNECT (RFC 8441)`,
    );
  }
  edits.remove(head.fields, 'sec-websocket-key');
}

function reasonOf(reset: Http2Reset): ResetReason {
  if (reset.isUnprocessed) return 'unprocessed';
  const isLost = reset.reason === 'connection-lost' || reset.reason === CONNECTION_FAULTS.pingTimeout.reason;
  return reset.isByPeer || isLost ? 'connectionTermination' : 'protocolError';
}

function detailOf(reset: Http2Reset): string {
  if (reset.reason === 'connection-lost') return 'remote_close';
  return reset.isByPeer ? 'http2.remote_reset' : `http2.${reset.reason}`;
}
