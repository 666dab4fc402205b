import type { ByteBudget } from '../../base/byte-budget.ts';
import type { RequestHead } from '../../http/head.ts';
import {
  CLIENT_PREFACE,
  CONNECTION_FAULTS,
  type Http2Fault,
  Http2Output,
  Http2ServerConnection,
  type Http2ServerSink,
  type Http2ServerStream,
  type Http2StreamSink,
} from '../../http/http2/http2.ts';
import {
  type ByteStream,
  type ByteStreamUser,
  Deadline,
  type DeadlineOwner,
} from '../../transport-socket/transport-socket.ts';
import type { DownstreamPeer } from '../filter/filter.ts';
import { ExchangeList } from './exchange-list.ts';
import type { ChainSlot, ManagerContext } from './http-chain.ts';
import { type ExchangeOwner, Http2Exchange } from './http2-exchange.ts';
import type { ConnectionOwner, ManagedConnection } from './managed-connection.ts';
import { peerOf } from './stream-start.ts';

const NEVER = Number.POSITIVE_INFINITY;
/** Exchanges kept for later streams; those of a rare burst beyond this are let go. */
const MAX_RESTING_EXCHANGES = 128;

/**
 *     serving ──drained, faulty or left by its peer──→ lingering ──→ closed
 *
 * lingering: what is in the output goes out, then FIN; the rest of the peer's bytes are thrown away.
 */
type State = 'serving' | 'lingering' | 'closed';

/**
 * One downstream HTTP/2 connection: many streams at a time, each with an exchange that is reused. Frames of one turn leave in
 * one write.
 */
export class Http2Connection
  implements ManagedConnection, ByteStreamUser, Http2ServerSink, ExchangeOwner, DeadlineOwner
{
  readonly #context: ManagerContext;
  readonly #slot: ChainSlot;
  readonly #owner: ConnectionOwner;
  readonly #bytes: ByteStream;
  readonly #codec: Http2ServerConnection;
  readonly #output: Http2Output;
  readonly #deadline: Deadline = new Deadline(this);
  readonly #serving = new ExchangeList<Http2Exchange>();
  /** Over, but for frames that wait for the client's window or a request that the client has not ended. */
  #unsettled: Http2Exchange[] = [];
  readonly #resting: Http2Exchange[] = [];
  #peer: DownstreamPeer | undefined = undefined;
  #state: State = 'serving';
  #requests = 0;
  #idleAtMs = NEVER;
  /** `max_connection_duration`: after it the connection drains. */
  #expiresAtMs = NEVER;
  #armedAtMs = NEVER;
  /** More is unsent than may be: no answer is read that could not be sent on. */
  #isHoldingAnswers = false;

  /** For a connection that has been accepted and counted: `takeOver` follows. */
  constructor(context: ManagerContext, slot: ChainSlot, bytes: ByteStream, owner: ConnectionOwner) {
    this.#context = context;
    this.#slot = slot;
    this.#owner = owner;
    this.#bytes = bytes;
    bytes.user = this;
    const { current: chain } = slot;
    const { turn } = context;
    chain.counters.cxHttp2Total.increment();
    this.#output = new Http2Output(
      () => turn.markDirty(this),
      () => turn.markFull(this),
    );
    this.#codec = new Http2ServerConnection(this, this.#output, chain.http2Limits, turn.nowMs);
    const { maxConnectionDurationMs } = chain.manager;
    if (maxConnectionDurationMs > 0) this.#expiresAtMs = turn.nowMs + maxConnectionDurationMs;
    this.#restartIdle();
    this.#arm();
  }

  /** A connection that must speak HTTP/2. */
  static accept(context: ManagerContext, slot: ChainSlot, bytes: ByteStream, owner: ConnectionOwner): Http2Connection {
    const { counters } = slot.current;
    counters.cxTotal.increment();
    counters.cxActive.add(1);
    const connection = new Http2Connection(context, slot, bytes, owner);
    bytes.resume();
    return connection;
  }

  get windowGrowth(): ByteBudget {
    return this.#context.turn.windowGrowth;
  }

  get isClosed(): boolean {
    return this.#state === 'closed';
  }

  /**
   * Whether bytes that HTTP/1 refused for that reason, the first of a connection, are HTTP/2's: its preface; or a line in
   * which nothing is like HTTP, which is then an invalid preface (RFC 9113 §3.4) and no HTTP/1 request to be answered.
   */
  static isItsMatter(reason: string | undefined): boolean {
    return reason === 'http2-preface' || reason === 'not-http';
  }

  /**
   * Goes on from the read in which HTTP/1 met our preface. It notices at the fourth byte; those before it may have come in
   * earlier reads.
   */
  takeOver(buffer: Buffer, start: number, end: number, isPreface: boolean): void {
    if (!isPreface) {
      this.#codec.fail(CONNECTION_FAULTS.preface);
      return;
    }
    const missed = CLIENT_PREFACE.indexOf(buffer.subarray(start, start + 1));
    this.onBytes(CLIENT_PREFACE, 0, Math.max(0, missed));
    this.onBytes(buffer, start, end);
  }

  drain(): void {
    if (this.#state !== 'serving') return;
    this.#inTurn(() => this.#codec.drain());
  }

  destroy(): void {
    this.#inTurn(() => {
      this.#codec.close();
      this.flush();
      this.#bytes.flush();
      this.#bytes.destroy();
      this.#end();
    });
  }

  /** The turn calls this; nobody else needs to. */
  flush(): void {
    const { length } = this.#output;
    if (length > 0) {
      if (!this.#bytes.writeOwned(this.#output.bytes, length)) this.#output.giveAway();
      this.#codec.outputTaken(this.#bytes.isBackedUp);
    }
    if (this.#unsettled.length > 0) this.#settle();
    this.#watchBacklog();
    if (this.#state === 'lingering') this.#bytes.finish();
    else if (this.#state === 'serving') this.#arm();
  }

  onConnected(): void {
    // An accepted connection is born connected.
  }

  onBytes(buffer: Buffer, start: number, end: number): void {
    if (this.#state !== 'serving') return;
    this.#codec.receive(buffer, start, end, this.#context.turn.nowMs);
    if (this.#unsettled.length > 0) this.#context.turn.markDirty(this);
    if (this.#isHoldingAnswers) this.#watchBacklog();
    this.#arm();
  }

  onPeerFinished(): void {
    if (this.#state === 'serving') this.#lose();
    this.#startLingering();
  }

  onWritable(): void {
    if (this.#state !== 'serving') return;
    this.#codec.onSocketDrained();
    if (this.#isHoldingAnswers) this.#watchBacklog();
  }

  onClosed(): void {
    this.#lose();
    this.#end();
  }

  onDeadline(_deadline: Deadline, nowMs: number): void {
    this.#armedAtMs = NEVER;
    if (this.#state !== 'serving') {
      this.destroy();
      return;
    }
    this.#codec.advance(nowMs);
    if (nowMs >= this.#expiresAtMs) {
      this.#expiresAtMs = NEVER;
      this.#codec.drain();
    }
    if (nowMs >= this.#idleAtMs) {
      this.#idleAtMs = NEVER;
      this.#slot.current.counters.cxIdleTimeout.increment();
      this.#codec.drain();
    }
    this.#arm();
  }

  onRequestHead(stream: Http2ServerStream, head: RequestHead): Http2StreamSink {
    const { maxRequestsPerConnection } = this.#codec.limits;
    if (++this.#requests === maxRequestsPerConnection) this.#slot.current.counters.cxMaxRequestsReached.increment();
    this.#idleAtMs = NEVER;
    const exchange = this.#resting.pop() ?? this.#newExchange(head);
    this.#serving.add(exchange);
    exchange.begin(stream, head);
    if (this.#isHoldingAnswers) exchange.holdAnswer(true);
    return exchange;
  }

  onConnectionFault(fault: Http2Fault): void {
    const { counters } = this.#slot.current;
    if (fault !== CONNECTION_FAULTS.pingTimeout) counters.cxProtocolError.increment();
    counters.http2Reset(fault.reason);
    this.#startLingering();
  }

  onStreamRefused(fault: Http2Fault): void {
    this.#slot.current.counters.http2Reset(fault.reason);
  }

  onDrained(): void {
    this.#slot.current.counters.cxDrainClose.increment();
    this.#startLingering();
  }

  onPingAcknowledged(): void {
    this.#arm();
  }

  exchangeEnded(exchange: Http2Exchange): void {
    this.#serving.delete(exchange);
    if (this.#state !== 'serving') {
      exchange.destroy();
      return;
    }
    if (exchange.isSettled) this.#rest(exchange);
    else {
      this.#unsettled.push(exchange);
      this.#context.turn.markDirty(this);
    }
    if (this.#serving.size === 0) this.#restartIdle();
  }

  /** One turn may read from each of a thousand hosts: the bound is looked at where it is passed, not when the turn ends. */
  exchangeBackedUp(): void {
    if (!this.#isHoldingAnswers) this.#watchBacklog();
  }

  /**
   * Each answer stops being read once its own stream waits; but its first read has come by then, and a client may ask for a
   * thousand. So where too much waits together, answers whose streams cannot send at once are not read at all. Those that
   * can are not held up by their neighbours.
   */
  #watchBacklog(): void {
    const { backlogBytes, limits } = this.#codec;
    const isOver = backlogBytes > limits.maxBacklogBytes;
    if (!isOver && !this.#isHoldingAnswers) return;
    if (!this.#isHoldingAnswers) this.#slot.current.counters.cxBacklogPaused.increment();
    this.#isHoldingAnswers = isOver || backlogBytes > limits.maxBacklogBytes / 2;
    for (const exchange of this.#serving.snapshot()) exchange.holdAnswer(this.#isHoldingAnswers);
  }

  /** Ends requests that nobody reads any more, and takes back the exchanges whose streams have closed. */
  #settle(): void {
    const unsettled = this.#unsettled;
    this.#unsettled = [];
    for (const exchange of unsettled) {
      exchange.stopRequest();
      if (exchange.isSettled) this.#rest(exchange);
      else this.#unsettled.push(exchange);
    }
  }

  #rest(exchange: Http2Exchange): void {
    if (this.#resting.length < MAX_RESTING_EXCHANGES) this.#resting.push(exchange);
    else exchange.destroy();
  }

  #newExchange(head: RequestHead): Http2Exchange {
    this.#peer ??= peerOf(this.#bytes);
    return new Http2Exchange(this.#context, this.#slot, this, this.#peer, head);
  }

  #restartIdle(): void {
    const { idleTimeoutMs } = this.#slot.current.manager;
    this.#idleAtMs = idleTimeoutMs > 0 ? this.#context.turn.nowMs + idleTimeoutMs : NEVER;
  }

  /** Only ever brings the deadline closer: what it finds too early is looked at again when it fires. */
  #arm(): void {
    if (this.#state !== 'serving') return;
    const atMs = Math.min(this.#codec.nextDeadlineMs, this.#idleAtMs, this.#expiresAtMs);
    if (atMs >= this.#armedAtMs) return;
    this.#armedAtMs = atMs;
    this.#context.turn.deadlines.schedule(this.#deadline, atMs);
  }

  /** The peer is gone: every stream under way is told. */
  #lose(): void {
    if (this.#serving.size > 0) this.#slot.current.counters.cxDestroyRemoteActiveRq.increment();
    this.#codec.lost();
  }

  #startLingering(): void {
    if (this.#state !== 'serving') return;
    this.#state = 'lingering';
    const { turn } = this.#context;
    turn.markDirty(this);
    turn.deadlines.schedule(this.#deadline, turn.nowMs + this.#slot.current.manager.delayedCloseTimeoutMs);
  }

  #inTurn(act: () => void): void {
    const { turn } = this.#context;
    turn.enter();
    act();
    turn.leave();
  }

  #end(): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    for (const exchange of [...this.#serving.snapshot(), ...this.#unsettled, ...this.#resting]) exchange.destroy();
    this.#serving.clear();
    this.#unsettled = [];
    this.#resting.length = 0;
    this.#context.turn.deadlines.remove(this.#deadline);
    this.#slot.current.counters.cxActive.add(-1);
    this.#owner.connectionEnded(this);
  }
}
