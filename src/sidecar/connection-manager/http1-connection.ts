import { type RequestHead, type ResponseHead, UNKNOWN_LENGTH } from '../../http/head.ts';
import type { HeaderEdits } from '../../http/header-edits.ts';
import type { HeaderFields } from '../../http/header-fields.ts';
import {
  chunkPrefix,
  encodeInformationalHead,
  encodeLocalResponseHead,
  encodeResponseHead,
  encodeTrailers,
  Http1RequestDecoder,
  type Http1RequestSink,
  LAST_CHUNK,
} from '../../http/http1/http1.ts';
import {
  type ByteStream,
  type ByteStreamUser,
  Deadline,
  type DeadlineOwner,
  utf8AsLatin1,
} from '../../transport-socket/transport-socket.ts';
import { codecRefusal, LOCAL_REPLIES, type LocalReply } from '../filter/filter.ts';
import type { DownstreamWriter } from './downstream-writer.ts';
import type { ChainSlot, ManagerContext } from './http-chain.ts';
import { HttpStream } from './http-stream.ts';
import { Http2Connection } from './http2-connection.ts';
import type { ConnectionOwner, ManagedConnection } from './managed-connection.ts';
import { ResponseFramingState } from './response-framing-state.ts';
import { peerOf } from './stream-start.ts';
import { addUpgradeProof } from './websocket-bridge.ts';

/** Bytes of later requests that are kept while one is being answered, before reading stops. */
const MAX_PIPELINED_BYTES = 16_384;
/** What is still read of a request that was answered early, so that the connection may be kept (row 48). */
const MAX_DRAINED_BYTES = 65_536;
const MAX_DRAIN_MS = 1_000;
/** A connection without a request is closed this long after draining began, so that one under way is still served. */
const IDLE_DRAIN_LINGER_MS = 100;
/** The decoder's word for the first bytes of HTTP/2. */
const HTTP2_PREFACE = 'http2-preface';
const NEVER = Number.POSITIVE_INFINITY;

/**
 *     serving ──→ lingering ──→ closed        lingering: FIN is sent, the rest of the peer's bytes are thrown away
 *        └──→ tunnel ──→ closed
 */
type State = 'serving' | 'tunnel' | 'lingering' | 'closed';

/** One downstream HTTP/1 connection: requests one after the other, each through the same stream object. */
export class Http1Connection
  implements ManagedConnection, ByteStreamUser, Http1RequestSink, DownstreamWriter, DeadlineOwner
{
  readonly #context: ManagerContext;
  readonly #slot: ChainSlot;
  readonly #owner: ConnectionOwner;
  readonly #bytes: ByteStream;
  readonly #decoder: Http1RequestDecoder;
  readonly #deadline: Deadline = new Deadline(this);
  readonly #framing = new ResponseFramingState();
  #stream: HttpStream | undefined = undefined;
  #state: State = 'serving';
  #requests = 0;
  /** `max_connection_duration`: after it the connection closes as soon as nothing is under way. */
  #expiresAtMs = NEVER;
  #closeAfterResponse = false;
  #isDraining = false;
  #isDecoding = false;
  #requestOpen = false;
  #drainedBytes = 0;
  #headStartedAtMs = 0;
  #leftover: Buffer | undefined = undefined;
  #requestHeld = false;

  constructor(context: ManagerContext, slot: ChainSlot, bytes: ByteStream, owner: ConnectionOwner) {
    this.#context = context;
    this.#slot = slot;
    this.#owner = owner;
    const { current: chain } = slot;
    this.#decoder = new Http1RequestDecoder(this, chain.limits, bytes.transport.isTls ? 'https' : 'http');
    this.#bytes = bytes;
    bytes.user = this;
    chain.counters.cxTotal.increment();
    chain.counters.cxActive.add(1);
    const { maxConnectionDurationMs } = chain.manager;
    if (maxConnectionDurationMs > 0) this.#expiresAtMs = context.turn.nowMs + maxConnectionDurationMs;
    this.#armBetweenRequests();
    this.#bytes.resume();
  }

  get isBackedUp(): boolean {
    return this.#bytes.isBackedUp;
  }

  get isClosed(): boolean {
    return this.#state === 'closed';
  }

  drain(): void {
    if (this.#isDraining || this.#state !== 'serving') return;
    this.#isDraining = true;
    if (this.#isBetweenRequests()) {
      this.#context.turn.deadlines.schedule(this.#deadline, this.#context.turn.nowMs + IDLE_DRAIN_LINGER_MS);
    }
  }

  destroy(): void {
    this.#bytes.destroy();
    this.#end();
  }

  onConnected(): void {
    // An accepted connection is born connected.
  }

  onBytes(buffer: Buffer, start: number, end: number): void {
    if (this.#state === 'tunnel') this.#stream?.onTunnelBytes(buffer, start, end);
    else if (this.#state === 'serving') {
      if (this.#leftover === undefined && !this.#requestHeld) this.#decode(buffer, start, end);
      else this.#keep(buffer, start, end);
    }
  }

  onPeerFinished(): void {
    if (this.#state === 'tunnel') {
      this.#stream?.onTunnelFinished();
      return;
    }
    if (this.#state === 'lingering') {
      this.#bytes.finish();
      return;
    }
    this.#decoder.finish();
    if (this.#stream?.isOpen === true) {
      this.#slot.current.counters.cxDestroyRemoteActiveRq.increment();
      this.#slot.openStreams--;
      this.#stream.cancel('DC', LOCAL_REPLIES.downstreamDisconnect.details);
    }
    this.#startLingering();
  }

  onWritable(): void {
    this.#stream?.onDownstreamWritable();
  }

  onClosed(): void {
    this.#end();
  }

  onDeadline(_deadline: Deadline, nowMs: number): void {
    if (this.#state !== 'serving') this.destroy();
    else if (this.#requestOpen) this.#startLingering();
    else if (this.#isDraining && this.#decoder.isIdle) {
      this.#slot.current.counters.cxDrainClose.increment();
      this.#startLingering();
    } else if (this.#headStartedAtMs > 0) this.#onHeadTimeout(nowMs);
    else if (this.#isBetweenRequests()) {
      this.#slot.current.counters.cxIdleTimeout.increment();
      this.#startLingering();
    }
  }

  onRequestHead(head: RequestHead): void {
    const { turn } = this.#context;
    const { current: chain } = this.#slot;
    this.#requests++;
    this.#requestOpen = true;
    this.#drainedBytes = 0;
    this.#headStartedAtMs = 0;
    turn.deadlines.schedule(this.#deadline, NEVER);
    const openStreams = ++this.#slot.openStreams;
    const { maxRequestsPerConnection } = chain.manager;
    const isLast = maxRequestsPerConnection > 0 && this.#requests >= maxRequestsPerConnection;
    if (isLast) chain.counters.cxMaxRequestsReached.increment();
    const isOld = turn.nowMs >= this.#expiresAtMs;
    this.#closeAfterResponse = isLast || isOld || this.#isDraining || !this.#decoder.keepAlive;
    this.#stream ??= this.#newStream(head);
    this.#stream.begin(chain, head, openStreams);
  }

  onRequestBody(buffer: Buffer, start: number, end: number): void {
    if (this.#stream?.isOpen === true) this.#stream.onRequestBody(buffer, start, end);
    else {
      this.#drainedBytes += end - start;
      if (this.#drainedBytes > MAX_DRAINED_BYTES) this.#startLingering();
    }
  }

  onRequestTrailers(fields: HeaderFields): void {
    if (this.#stream?.isOpen === true) this.#stream.onRequestTrailers(fields);
  }

  onRequestEnd(): void {
    this.#requestOpen = false;
    const stream = this.#stream;
    if (stream?.isOpen === true) {
      // Before the stream hears of it: its answer may come at once, and must find us paused.
      this.#decoder.pause();
      stream.onRequestEnd();
    } else this.#exchangeEnded();
  }

  writeInformational(head: ResponseHead, edits: HeaderEdits): void {
    // RFC 9110 §15.2: an HTTP/1.0 client knows no 1xx.
    if (this.#stream?.head.version === 11) this.#bytes.writeText(encodeInformationalHead(head, edits));
  }

  writeHead(head: ResponseHead, edits: HeaderEdits): void {
    const stream = this.#stream;
    if (stream === undefined) return;
    if (this.#isDraining || this.#mustCloseForUnreadBody(stream)) this.#closeAfterResponse = true;
    const framing = this.#framing.begin(stream.head, head, !this.#closeAfterResponse);
    this.#closeAfterResponse = !framing.keepAlive;
    if (head.status === 101) addUpgradeProof(stream.head, head, edits);
    this.#bytes.writeText(encodeResponseHead(head, edits, framing));
    if (head.status === 101) this.#becomeTunnel();
  }

  writeBody(buffer: Buffer, start: number, end: number): void {
    if (this.#framing.isChunked) {
      this.#bytes.writeText(chunkPrefix(end - start));
      this.#bytes.writeBytes(buffer, start, end, '\r\n');
    } else this.#bytes.writeBytes(buffer, start, end);
  }

  writeTrailers(fields: HeaderFields): void {
    if (this.#framing.isChunked) this.#framing.trailers = encodeTrailers(fields);
  }

  writeEnd(): void {
    if (this.#framing.isChunked)
      this.#bytes.writeText(this.#framing.trailers === '' ? LAST_CHUNK : this.#framing.trailers);
    this.#slot.openStreams--;
    if (this.#requestOpen) this.#drainRequest();
    else this.#exchangeEnded();
  }

  abort(): void {
    this.#slot.openStreams--;
    this.#decoder.stop();
    // A body without a length ends with the connection: only RST tells the reader that this was not its end.
    if (this.#framing.isUntilClose) this.#bytes.reset();
    else {
      this.#bytes.flush();
      this.#bytes.destroy();
    }
    this.#end();
  }

  pauseRequest(): void {
    this.#requestHeld = true;
    this.#bytes.pause();
  }

  resumeRequest(): void {
    if (!this.#requestHeld) return;
    this.#requestHeld = false;
    this.#bytes.resume();
    this.#decodeLeftover();
  }

  finishTunnel(): void {
    this.#bytes.finish();
  }

  #decode(buffer: Buffer, start: number, end: number): void {
    this.#isDecoding = true;
    const consumed = this.#decoder.decode(buffer, start, end);
    this.#isDecoding = false;
    if (this.#state !== 'serving') {
      if (this.#isTunnel() && start + consumed < end) this.#stream?.onTunnelBytes(buffer, start + consumed, end);
      return;
    }
    if (this.#decoder.fault !== undefined && this.#maySpeakHttp2()) this.#becomeHttp2(buffer, start, end);
    else if (this.#decoder.fault !== undefined) this.#onFault(this.#decoder.fault.status, this.#decoder.fault.reason);
    else {
      if (start + consumed < end) this.#keep(buffer, start + consumed, end);
      this.#noteHeadInProgress();
    }
  }

  /** Bytes that may not be decoded yet: of a pipelined request, or of a body nobody can take. */
  #keep(buffer: Buffer, start: number, end: number): void {
    const copy = Buffer.from(buffer.subarray(start, end));
    this.#leftover = this.#leftover === undefined ? copy : Buffer.concat([this.#leftover, copy]);
    if (this.#leftover.length >= MAX_PIPELINED_BYTES) this.#bytes.pause();
  }

  #decodeLeftover(): void {
    while (!this.#isDecoding && !this.#requestHeld && this.#state === 'serving') {
      const bytes = this.#leftover;
      if (bytes === undefined || this.#decoder.fault !== undefined) return;
      this.#leftover = undefined;
      this.#decode(bytes, 0, bytes.length);
      if (this.#leftover !== undefined) return;
      this.#bytes.resume();
    }
  }

  /** Request and response are both complete. */
  #exchangeEnded(): void {
    if (this.#state !== 'serving') return;
    // The upstream may have answered while its slow reading still held us.
    this.#requestHeld = false;
    this.#bytes.resume();
    if (this.#closeAfterResponse) {
      if (this.#isDraining) this.#slot.current.counters.cxDrainClose.increment();
      this.#startLingering();
      return;
    }
    this.#decoder.resume();
    this.#armBetweenRequests();
    this.#decodeLeftover();
  }

  /** The answer went out before the request was complete: read the rest within bounds, or close. */
  #drainRequest(): void {
    if (this.#closeAfterResponse) {
      this.#startLingering();
      return;
    }
    this.#context.turn.deadlines.schedule(this.#deadline, this.#context.turn.nowMs + MAX_DRAIN_MS);
    this.resumeRequest();
  }

  /** Row 48: an early answer keeps the connection only where little is known to be left, and the client will send it. */
  #mustCloseForUnreadBody(stream: HttpStream): boolean {
    if (stream.isRequestComplete || !this.#requestOpen) return false;
    const { bodyLength, expectContinue } = stream.head;
    if (bodyLength === 0) return false;
    if (bodyLength === UNKNOWN_LENGTH || expectContinue) return true;
    return bodyLength - stream.record.requestBodyBytes > MAX_DRAINED_BYTES;
  }

  #becomeTunnel(): void {
    this.#state = 'tunnel';
    this.#decoder.stop();
    const early = this.#leftover;
    this.#leftover = undefined;
    this.#bytes.resume();
    if (early !== undefined) this.#stream?.onTunnelBytes(early, 0, early.length);
  }

  #maySpeakHttp2(): boolean {
    const isAllowed = this.#slot.current.manager.codecType === 'auto';
    return isAllowed && this.#requests === 0 && Http2Connection.isItsMatter(this.#decoder.fault?.reason);
  }

  /** Prior knowledge (RFC 9113 §3.3): the bytes go on in the codec that understands them. */
  #becomeHttp2(buffer: Buffer, start: number, end: number): void {
    this.#state = 'closed';
    this.#decoder.stop();
    this.#context.turn.deadlines.remove(this.#deadline);
    const successor = new Http2Connection(this.#context, this.#slot, this.#bytes, this.#owner);
    this.#owner.connectionReplaced(this, successor);
    successor.takeOver(buffer, start, end, this.#decoder.fault?.reason === HTTP2_PREFACE);
    if (this.#isDraining) successor.drain();
  }

  #onFault(status: number, reason: string): void {
    const { counters } = this.#slot.current;
    counters.cxProtocolError.increment();
    this.#closeAfterResponse = true;
    const reply = reason === HTTP2_PREFACE ? LOCAL_REPLIES.http2NotSupported : codecRefusal(status, reason);
    const stream = this.#stream;
    if (stream?.isAwaitingResponse === true) stream.sendLocalReply(reply, '');
    else if (stream?.isOpen === true) stream.abortResponse(reply.flags, reply.details);
    else {
      this.#refuse(reply);
      this.#startLingering();
    }
  }

  /** An answer to bytes that never became a request. */
  #refuse(reply: LocalReply): void {
    if (reply.status === 0) return;
    const body = utf8AsLatin1(reply.body);
    const pairs = body === '' ? [] : ['content-type', 'text/plain'];
    this.#bytes.writeText(encodeLocalResponseHead(reply.status, pairs, body.length, false) + body);
  }

  #onHeadTimeout(nowMs: number): void {
    const { current: chain } = this.#slot;
    const dueAtMs = this.#headStartedAtMs + chain.headTimeoutMs;
    if (nowMs < dueAtMs) {
      this.#context.turn.deadlines.schedule(this.#deadline, dueAtMs);
      return;
    }
    chain.counters.rqHeaderTimeout.increment();
    this.#refuse(LOCAL_REPLIES.requestHeadersTimeout);
    this.#startLingering();
  }

  #noteHeadInProgress(): void {
    if (this.#headStartedAtMs > 0 || this.#decoder.isIdle || this.#requestOpen || this.#stream?.isOpen === true) return;
    const { turn } = this.#context;
    this.#headStartedAtMs = turn.nowMs;
    turn.deadlines.schedule(this.#deadline, turn.nowMs + this.#slot.current.headTimeoutMs);
  }

  #armBetweenRequests(): void {
    const { turn } = this.#context;
    const { idleTimeoutMs } = this.#slot.current.manager;
    this.#headStartedAtMs = 0;
    const waitMs = this.#isDraining ? IDLE_DRAIN_LINGER_MS : idleTimeoutMs > 0 ? idleTimeoutMs : NEVER;
    turn.deadlines.schedule(this.#deadline, Math.min(turn.nowMs + waitMs, this.#expiresAtMs));
  }

  #isBetweenRequests(): boolean {
    return !this.#requestOpen && this.#stream?.isOpen !== true;
  }

  #isTunnel(): boolean {
    return this.#state === 'tunnel';
  }

  #newStream(head: RequestHead): HttpStream {
    this.#slot.current.counters.cxHttp1Total.increment();
    return new HttpStream(this.#context, this.#slot.current, this, peerOf(this.#bytes), head);
  }

  /** FIN after the answer, then the peer's bytes are read and dropped, so that it can read the answer before any RST. */
  #startLingering(): void {
    if (this.#state !== 'serving') return;
    this.#state = 'lingering';
    this.#decoder.stop();
    this.#leftover = undefined;
    this.#bytes.finish();
    this.#bytes.resume();
    const { delayedCloseTimeoutMs } = this.#slot.current.manager;
    const { turn } = this.#context;
    turn.deadlines.schedule(this.#deadline, turn.nowMs + delayedCloseTimeoutMs);
  }

  #end(): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    const { counters } = this.#slot.current;
    this.#leftover = undefined;
    this.#decoder.stop();
    if (this.#stream?.isOpen === true) {
      this.#slot.openStreams--;
      counters.cxDestroyRemoteActiveRq.increment();
    }
    this.#stream?.destroy();
    this.#context.turn.deadlines.remove(this.#deadline);
    counters.cxActive.add(-1);
    this.#owner.connectionEnded(this);
  }
}
