import { type RequestHead, type ResponseHead, UNKNOWN_LENGTH } from '../../http/head.ts';
import type { HeaderEdits } from '../../http/header-edits.ts';
import type { HeaderFields } from '../../http/header-fields.ts';
import { NonCanonicalHeadError } from '../../http/http1/http1.ts';
import {
  Http2ErrorCode,
  type Http2Reset,
  type Http2ResponseFraming,
  type Http2ServerStream,
  type Http2StreamSink,
} from '../../http/http2/http2.ts';
import { type DownstreamPeer, LOCAL_REPLIES } from '../filter/filter.ts';
import type { DownstreamWriter } from './downstream-writer.ts';
import type { Listed } from './exchange-list.ts';
import type { ChainSlot, ManagerContext } from './http-chain.ts';
import { HttpStream } from './http-stream.ts';
import { removeUpgradeProof, upgradeHead } from './websocket-bridge.ts';

/** The connection as its exchanges see it. */
export interface ExchangeOwner {
  /** The exchange's stream object is over. Its HTTP/2 stream may be open still. */
  exchangeEnded(exchange: Http2Exchange): void;
  /** Bytes of an answer wait for the client. */
  exchangeBackedUp(): void;
}

/** How the response under way is told to the codec; one per exchange, reused. */
class Framing implements Http2ResponseFraming {
  status = 0;
  bodyLength = 0;
  requestMethod = '';
}

const SWITCHING_PROTOCOLS = 101;
/** The codec's word for a socket that is gone, whoever closed it. */
const CONNECTION_LOST = 'connection-lost';

/**
 *     resting ──begin──► serving ──answered, cut or cancelled──► ended ──HTTP/2 stream closed──► resting
 *
 * One HTTP/2 stream and the stream object that serves it. What the upstream has not taken is not credited to the client, so
 * that no more than one window of a request is ever held. Reused by its connection once both sides are done with it.
 */
export class Http2Exchange implements DownstreamWriter, Http2StreamSink, Listed {
  place = -1;
  readonly #context: ManagerContext;
  readonly #slot: ChainSlot;
  readonly #owner: ExchangeOwner;
  readonly #http: HttpStream;
  readonly #framing = new Framing();
  #stream: Http2ServerStream | undefined = undefined;
  #isServing = false;
  #isTunnel = false;
  #isHeld = false;
  /** Request bytes passed on and not credited. */
  #owedBytes = 0;
  #trailers: string[] | undefined = undefined;
  /** Of an upgrade that nobody has granted yet: bytes that came too early, not credited, so at most a window. */
  #early: Buffer[] = [];

  constructor(context: ManagerContext, slot: ChainSlot, owner: ExchangeOwner, peer: DownstreamPeer, head: RequestHead) {
    this.#context = context;
    this.#slot = slot;
    this.#owner = owner;
    this.#http = new HttpStream(context, slot.current, this, peer, head);
  }

  get isBackedUp(): boolean {
    return this.#stream?.isBackedUp === true;
  }

  /** Nothing of this exchange is left on the wire. */
  get isSettled(): boolean {
    return !this.#isServing && this.#stream?.isClosed !== false;
  }

  begin(stream: Http2ServerStream, head: RequestHead): void {
    this.#stream = stream;
    this.#isServing = true;
    this.#isTunnel = false;
    this.#isHeld = false;
    this.#owedBytes = 0;
    this.#trailers = undefined;
    const openStreams = ++this.#slot.openStreams;
    if (head.upgrade === '') this.#http.begin(this.#slot.current, head, openStreams);
    else {
      this.#http.begin(this.#slot.current, upgradeHead(head, this.#context.random), openStreams);
      if (this.#http.isOpen) this.#http.onRequestEnd();
    }
  }

  /** RFC 9113 §8.1: the answer is complete and has left; the client may stop sending the rest of its request. */
  stopRequest(): void {
    const stream = this.#stream;
    if (stream !== undefined && !this.#isServing && !stream.isBackedUp) stream.reset(Http2ErrorCode.NO_ERROR);
  }

  /** Lets go of timers and upstream: the connection ends. */
  destroy(): void {
    const wasServing = this.#isServing;
    this.#http.destroy();
    if (wasServing) this.#finish();
  }

  onBody(buffer: Buffer, start: number, end: number): void {
    if (!this.#isServing) {
      this.#stream?.credit(end - start);
      return;
    }
    this.#owedBytes += end - start;
    if (this.#isTunnel) this.#http.onTunnelBytes(buffer, start, end);
    else if (this.#stream?.head.upgrade === '') this.#http.onRequestBody(buffer, start, end);
    else {
      this.#early.push(Buffer.from(buffer.subarray(start, end)));
      return;
    }
    if (!this.#isHeld) this.#payCredit();
  }

  onTrailers(fields: HeaderFields): void {
    if (this.#isServing) this.#http.onRequestTrailers(fields);
  }

  onEnd(): void {
    if (!this.#isServing) return;
    if (this.#isTunnel) {
      this.#http.onTunnelFinished();
      this.#endClosedTunnel();
    } else if (this.#stream?.head.upgrade === '') this.#http.onRequestEnd();
  }

  onReset(reset: Http2Reset): void {
    this.#slot.current.counters.http2Reset(reset.reason);
    if (!this.#isServing) return;
    if (reset.isByPeer || reset.reason === CONNECTION_LOST) this.#http.cancel('DC', detailsOf(reset));
    else this.#http.cancel('DPE', `http2.${reset.reason}`);
    this.#finish();
  }

  /** Where the connection has too much unsent, an answer is not even begun that could not leave. */
  holdAnswer(isCrowded: boolean): void {
    if (!this.#isServing || this.isBackedUp) return;
    if (isCrowded && this.#stream?.canSendNow === false) this.#http.onDownstreamBackedUp();
    else this.#http.onDownstreamWritable();
  }

  onWritable(): void {
    if (this.#isServing) this.#http.onDownstreamWritable();
  }

  writeInformational(head: ResponseHead, edits: HeaderEdits): void {
    try {
      this.#stream?.sendInformational(head, edits);
    } catch (error) {
      this.#refuse(error);
    }
  }

  writeHead(head: ResponseHead, edits: HeaderEdits): void {
    const framing = this.#framing;
    framing.status = head.status;
    framing.requestMethod = this.#http.head.method;
    // An empty body that nobody declared needs no declaration here: END_STREAM says it.
    const isUndeclared = head.bodyLength === 0 && head.fields.indexOf('content-length') < 0;
    framing.bodyLength = isUndeclared ? UNKNOWN_LENGTH : head.bodyLength;
    if (head.status === SWITCHING_PROTOCOLS) removeUpgradeProof(head, edits);
    try {
      this.#stream?.sendHead(head, edits, framing);
    } catch (error) {
      this.#refuse(error);
    }
    if (head.status === SWITCHING_PROTOCOLS) this.#beginTunnel();
  }

  writeBody(buffer: Buffer, start: number, end: number): void {
    const stream = this.#stream;
    if (stream === undefined) return;
    stream.sendBody(buffer, start, end);
    if (stream.isBackedUp) this.#owner.exchangeBackedUp();
  }

  writeTrailers(fields: HeaderFields): void {
    const pairs: string[] = [];
    for (let index = 0; index < fields.count; index++) pairs.push(fields.nameAt(index), fields.valueAt(index));
    this.#trailers = pairs;
  }

  writeEnd(): void {
    const trailers = this.#trailers;
    try {
      if (trailers === undefined) this.#stream?.end();
      else this.#stream?.sendTrailers(trailers);
    } catch (error) {
      this.#refuse(error);
    }
    this.#finish();
  }

  abort(): void {
    // RFC 8441 §5: CANCEL is a tunnel's connection reset.
    this.#stream?.reset(this.#isTunnel ? Http2ErrorCode.CANCEL : Http2ErrorCode.INTERNAL_ERROR);
    this.#finish();
  }

  pauseRequest(): void {
    this.#isHeld = true;
  }

  resumeRequest(): void {
    if (!this.#isHeld) return;
    this.#isHeld = false;
    this.#payCredit();
  }

  finishTunnel(): void {
    this.#stream?.end();
    this.#endClosedTunnel();
  }

  /** A head or trailers that cannot be written end the stream: nothing of them is in the output. */
  #refuse(error: unknown): void {
    if (!(error instanceof NonCanonicalHeadError)) throw error;
    this.#slot.current.counters.http2Reset('response-not-canonical');
    this.#stream?.reset(Http2ErrorCode.INTERNAL_ERROR);
  }

  #beginTunnel(): void {
    this.#isTunnel = true;
    const early = this.#early;
    this.#early = [];
    for (const bytes of early) if (this.#isServing) this.#http.onTunnelBytes(bytes, 0, bytes.length);
    if (this.#isServing && !this.#isHeld) this.#payCredit();
    if (this.#stream?.isRemoteEnded === true) this.onEnd();
  }

  /** Both directions have ended: nobody else will say so. */
  #endClosedTunnel(): void {
    if (!this.#isServing || this.#stream?.isClosed !== true) return;
    this.#http.cancel('', '');
    this.#finish();
  }

  #payCredit(): void {
    const bytes = this.#owedBytes;
    this.#owedBytes = 0;
    if (bytes > 0) this.#stream?.credit(bytes);
  }

  #finish(): void {
    if (!this.#isServing) return;
    this.#isServing = false;
    this.#early = [];
    this.#owedBytes = 0;
    this.#slot.openStreams--;
    this.#stream?.release();
    this.#owner.exchangeEnded(this);
  }
}

function detailsOf(reset: Http2Reset): string {
  const { details } = LOCAL_REPLIES.downstreamDisconnect;
  return reset.reason === CONNECTION_LOST ? details : 'http2.remote_reset';
}
