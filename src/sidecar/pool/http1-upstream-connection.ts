import { type RequestHead, type ResponseHead, UNKNOWN_LENGTH } from '../../http/head.ts';
import type { HeaderEdits } from '../../http/header-edits.ts';
import type { HeaderFields } from '../../http/header-fields.ts';
import {
  chunkPrefix,
  encodeRequestHead,
  encodeTrailers,
  Http1ResponseDecoder,
  type Http1ResponseSink,
  LAST_CHUNK,
} from '../../http/http1/http1.ts';
import {
  ByteStream,
  type ByteStreamUser,
  Deadline,
  type DeadlineOwner,
  type DialTarget,
  type EventTurn,
} from '../../transport-socket/transport-socket.ts';
import type { PoolCounters } from './pool-counters.ts';
import { KEEP_ALIVE_MARGIN_MS, LONGEST_SAFE_IDLE_MS, type PoolOptions, UPSTREAM_HTTP1_LIMITS } from './pool-limits.ts';
import { dialledTls, HTTP1_ALPN } from './pool-tls.ts';
import type { UpstreamExchange, UpstreamRequestLine } from './upstream-exchange.ts';
import type { ResetReason, UpstreamSink } from './upstream-sink.ts';

/** The pool that opened a connection. */
export interface ConnectionOwner {
  readonly options: PoolOptions;
  connectionReady(connection: Http1UpstreamConnection): void;
  /** Its exchange is over and it may carry another. */
  connectionFree(connection: Http1UpstreamConnection): void;
  /** Exactly once. `wasConnecting` with the reason where it never came up. */
  connectionGone(
    connection: Http1UpstreamConnection,
    wasConnecting: 'connectFailure' | 'connectTimeout' | undefined,
    detail: string,
  ): void;
}

/** What is still read of an answer that nobody wants any more. */
const LONGEST_DISCARDED_BODY_BYTES = 65_536;
const LONGEST_DISCARD_MS = 1_000;

const KEEP_ALIVE = { keepAlive: true, upgrade: '' };

/**
 *     connecting ──→ idle ⇄ lent ──→ closed
 *          │           │      └──→ tunnel ──→ closed
 *          └───────────┴──→ closed
 */
type State = 'connecting' | 'idle' | 'lent' | 'tunnel' | 'closed';

/** One HTTP/1.1 connection to a host: one exchange at a time, each lent to a sink. Bytes nobody asked for close it. */
export class Http1UpstreamConnection implements UpstreamExchange, ByteStreamUser, Http1ResponseSink, DeadlineOwner {
  readonly #turn: EventTurn;
  readonly #owner: ConnectionOwner;
  readonly #counters: PoolCounters;
  readonly #stream: ByteStream;
  readonly #decoder: Http1ResponseDecoder;
  readonly #deadline: Deadline = new Deadline(this);
  readonly #openedAtMs: number;
  #state: State = 'connecting';
  #sink: UpstreamSink | undefined = undefined;
  #requests = 0;
  #readyAtMs = 0;
  #hasRested = false;
  #isChunked = false;
  #requestFinished = false;
  #responseFinished = false;
  #mayBeKept = true;
  #announcedIdleMs = 0;
  #flushedBefore = 0;
  #receivedBefore = 0;

  /** `from`: where to dial, or a stream that is connected; then whoever gave it calls onConnected. */
  constructor(turn: EventTurn, owner: ConnectionOwner, counters: PoolCounters, from: DialTarget | ByteStream) {
    this.#turn = turn;
    this.#owner = owner;
    this.#counters = counters;
    this.#openedAtMs = turn.nowMs;
    this.#decoder = new Http1ResponseDecoder(this, UPSTREAM_HTTP1_LIMITS);
    const { connectTimeoutMs } = owner.options;
    this.#stream = from instanceof ByteStream ? from : this.#dial(from);
    this.#stream.user = this;
    turn.deadlines.schedule(this.#deadline, turn.nowMs + connectTimeoutMs);
    counters.cxTotal.increment();
    counters.cxActive.add(1);
  }

  get isConnecting(): boolean {
    return this.#state === 'connecting';
  }

  /** False for the first request on this connection. */
  get isReused(): boolean {
    return this.#requests > 1;
  }

  /** Whether it lay idle before this exchange, so that its peer may have been closing it as we wrote. */
  get hasRested(): boolean {
    return this.#hasRested;
  }

  /** Whether any byte of the current exchange has been handed to the kernel. */
  get hasSent(): boolean {
    return this.#stream.flushedBytes > this.#flushedBefore;
  }

  get hasReceived(): boolean {
    return this.#stream.receivedBytes > this.#receivedBefore;
  }

  get isBackedUp(): boolean {
    return this.#stream.isBackedUp;
  }

  /** Whether the next request may use it: asked again just before it is lent, since the peer may have left meanwhile. */
  isReusable(nowMs: number): boolean {
    if (this.#state !== 'idle' || this.#stream.isClosed || this.#stream.peerFinished) return false;
    const { maxConnectionDurationMs } = this.#owner.options;
    if (maxConnectionDurationMs === undefined || nowMs - this.#openedAtMs < maxConnectionDurationMs) return true;
    this.#counters.cxMaxDurationReached.increment();
    return false;
  }

  startRequest(
    sink: UpstreamSink,
    head: RequestHead,
    edits: HeaderEdits,
    line: UpstreamRequestLine,
    prefix: string,
  ): void {
    const { bodyLength } = head;
    const options = line.upgrade === '' ? KEEP_ALIVE : { keepAlive: true, upgrade: line.upgrade };
    const headText = encodeRequestHead(head, edits, line, bodyLength, options);
    this.#state = 'lent';
    this.#sink = sink;
    this.#requests++;
    this.#hasRested = this.#requests > 1 || this.#turn.nowMs > this.#readyAtMs;
    if (this.#requests > 1) this.#counters.cxReused.increment();
    this.#isChunked = bodyLength === UNKNOWN_LENGTH;
    this.#requestFinished = false;
    this.#responseFinished = false;
    this.#flushedBefore = this.#stream.flushedBytes;
    this.#receivedBefore = this.#stream.receivedBytes;
    this.#decoder.expect(line.method, line.upgrade);
    this.#turn.deadlines.schedule(this.#deadline, Number.POSITIVE_INFINITY);
    this.#stream.writeText(prefix === '' ? headText : prefix + headText);
  }

  sendBody(buffer: Buffer, start: number, end: number): void {
    if (this.#isChunked) {
      this.#stream.writeText(chunkPrefix(end - start));
      this.#stream.writeBytes(buffer, start, end, '\r\n');
    } else this.#stream.writeBytes(buffer, start, end);
  }

  /** As sendBody, for a body kept as latin1 text. */
  sendBodyText(text: string): void {
    this.#stream.writeText(this.#isChunked ? `${chunkPrefix(text.length)}${text}\r\n` : text);
  }

  endRequest(trailers: HeaderFields | undefined): void {
    if (this.#isChunked) this.#stream.writeText(trailers === undefined ? LAST_CHUNK : encodeTrailers(trailers));
    this.#requestFinished = true;
  }

  /** In a tunnel: bytes as they are. */
  sendTunnelBytes(buffer: Buffer, start: number, end: number): void {
    this.#stream.writeBytes(buffer, start, end);
  }

  /** In a tunnel: FIN after what is queued. */
  finishTunnel(): void {
    this.#stream.finish();
  }

  pauseReading(): void {
    this.#stream.pause();
  }

  resumeReading(): void {
    this.#stream.resume();
  }

  /** Gives the exchange up: the upstream sees an aborted message, the sink hears nothing more. */
  abort(): void {
    if (this.#state === 'closed') return;
    this.#sink = undefined;
    if (this.#state === 'lent') {
      this.#counters.cxDestroyLocalWithActiveRq.increment();
      this.#stream.reset();
    } else this.#stream.destroy();
    this.#gone(undefined, '');
  }

  /** Gives up the answer, not the connection: a short one is read and dropped so that the connection can be kept. */
  discardResponse(head: ResponseHead): void {
    const isShort = head.bodyLength >= 0 && head.bodyLength <= LONGEST_DISCARDED_BODY_BYTES;
    if (this.#state !== 'lent' || !isShort || !this.#requestFinished) {
      this.abort();
      return;
    }
    this.#sink = undefined;
    this.#turn.deadlines.schedule(this.#deadline, this.#turn.nowMs + LONGEST_DISCARD_MS);
  }

  /** Closes an idle or connecting connection now, or this one after its exchange. */
  retire(): void {
    this.#mayBeKept = false;
    if (this.#state === 'idle' || this.#state === 'connecting') this.#close();
  }

  onConnected(): void {
    this.#counters.cxConnectMs.record(this.#turn.nowMs - this.#openedAtMs);
    this.#turn.deadlines.schedule(this.#deadline, Number.POSITIVE_INFINITY);
    this.#state = 'idle';
    this.#readyAtMs = this.#turn.nowMs;
    this.#armIdle();
    this.#owner.connectionReady(this);
  }

  onBytes(buffer: Buffer, start: number, end: number): void {
    this.#counters.cxRxBytesTotal.add(end - start);
    if (this.#state === 'tunnel') {
      this.#sink?.onUpstreamBody(buffer, start, end);
      return;
    }
    if (this.#state !== 'lent') {
      // RFC 9112 §9.2: never to be matched to a later request.
      this.#counters.cxUnexpectedBytes.increment();
      this.#close();
      return;
    }
    const consumed = this.#decoder.decode(buffer, start, end);
    this.#afterDecoding(consumed < end - start);
    if (this.#isTunnel() && consumed < end - start) this.#sink?.onUpstreamBody(buffer, start + consumed, end);
  }

  onPeerFinished(): void {
    if (this.#state === 'lent') {
      this.#mayBeKept = false;
      this.#decoder.finish();
      this.#afterDecoding(false);
      if (this.#state === 'lent') this.#fail('connectionTermination', 'remote_close');
    } else if (this.#state === 'tunnel') this.#sink?.onUpstreamFinished();
    else this.#close();
  }

  onWritable(): void {
    this.#sink?.onUpstreamWritable();
  }

  onClosed(errorCode: string): void {
    if (this.#state === 'connecting') {
      this.#counters.cxConnectFail.increment();
      this.#gone('connectFailure', errorCode);
    } else if (this.#state === 'lent' || this.#state === 'tunnel') {
      this.#fail('connectionTermination', errorCode === '' ? 'remote_close' : errorCode);
    } else this.#gone(undefined, errorCode);
  }

  onDeadline(): void {
    if (this.#state === 'connecting') {
      this.#counters.cxConnectFail.increment();
      this.#counters.cxConnectTimeout.increment();
      this.#stream.destroy();
      this.#gone('connectTimeout', 'connect_timeout');
    } else if (this.#state === 'idle') {
      this.#counters.cxIdleTimeout.increment();
      this.#close();
    } else if (this.#state === 'lent' && this.#sink === undefined) this.abort();
  }

  onInformational(head: ResponseHead): void {
    this.#sink?.onUpstreamInformational(head);
  }

  onResponseHead(head: ResponseHead): void {
    this.#mayBeKept &&= head.keepAlive;
    if (head.keepAliveTimeoutMs > 0) this.#announcedIdleMs = head.keepAliveTimeoutMs;
    if (head.status === 101) this.#state = 'tunnel';
    this.#sink?.onUpstreamHead(head);
  }

  onResponseBody(buffer: Buffer, start: number, end: number): void {
    this.#sink?.onUpstreamBody(buffer, start, end);
  }

  onResponseTrailers(fields: HeaderFields): void {
    this.#sink?.onUpstreamTrailers(fields);
  }

  /** Told to the sink only when the decoder has let go of the bytes: surplus must be seen before anyone reuses us. */
  onResponseEnd(): void {
    this.#responseFinished = true;
  }

  #dial(target: DialTarget): ByteStream {
    const { highWaterMarkBytes, tls } = this.#owner.options;
    const secured = dialledTls(tls, HTTP1_ALPN);
    return ByteStream.connect(this.#turn, { target, highWaterMarkBytes, tls: secured }, this);
  }

  #afterDecoding(hasSurplus: boolean): void {
    if (this.#state !== 'lent') return;
    if (this.#responseFinished) {
      const hasFault = hasSurplus || this.#decoder.fault !== undefined;
      if (hasFault) this.#counters.cxUnexpectedBytes.increment();
      this.#endExchange(this.#mayBeKept && !hasFault && this.#requestFinished);
    } else if (this.#decoder.fault !== undefined) {
      const { reason } = this.#decoder.fault;
      if (reason === 'closed-before-response' || reason === 'truncated-body' || reason === 'truncated-head') {
        this.#fail('connectionTermination', 'remote_close');
      } else {
        this.#counters.cxProtocolError.increment();
        this.#fail('protocolError', `http1.${reason}`);
      }
    }
  }

  #endExchange(isReusable: boolean): void {
    const sink = this.#sink;
    this.#sink = undefined;
    if (isReusable && !this.#reachedMaxRequests()) {
      this.#state = 'idle';
      this.#stream.resume();
      this.#armIdle();
      this.#owner.connectionFree(this);
    } else this.#close();
    sink?.onUpstreamEnd();
  }

  #reachedMaxRequests(): boolean {
    const { isSingleUse, maxRequestsPerConnection } = this.#owner.options;
    if (isSingleUse) return true;
    if (maxRequestsPerConnection === 0 || this.#requests < maxRequestsPerConnection) return false;
    this.#counters.cxMaxRequests.increment();
    return true;
  }

  #armIdle(): void {
    const { idleTimeoutMs } = this.#owner.options;
    const announced = this.#announcedIdleMs;
    const safeMs = announced === 0 ? LONGEST_SAFE_IDLE_MS : Math.max(announced / 2, announced - KEEP_ALIVE_MARGIN_MS);
    const idleMs = idleTimeoutMs === 0 ? safeMs : Math.min(idleTimeoutMs, safeMs);
    this.#turn.deadlines.schedule(this.#deadline, this.#turn.nowMs + idleMs);
  }

  #fail(reason: ResetReason, detail: string): void {
    const sink = this.#sink;
    this.#sink = undefined;
    this.#counters.cxDestroyRemoteWithActiveRq.increment();
    this.#close();
    sink?.onUpstreamReset(reason, detail);
  }

  #close(): void {
    this.#stream.destroy();
    this.#gone(undefined, '');
  }

  #isTunnel(): boolean {
    return this.#state === 'tunnel';
  }

  #gone(wasConnecting: 'connectFailure' | 'connectTimeout' | undefined, detail: string): void {
    if (this.#state === 'closed') return;
    const failure = this.#state === 'connecting' ? (wasConnecting ?? 'connectFailure') : undefined;
    this.#state = 'closed';
    this.#turn.deadlines.remove(this.#deadline);
    this.#counters.cxActive.add(-1);
    this.#counters.cxDestroy.increment();
    this.#counters.cxTxBytesTotal.add(this.#stream.flushedBytes);
    this.#owner.connectionGone(this, failure, detail);
  }
}
