import type { ByteBudget } from '../../base/byte-budget.ts';
import {
  CONNECTION_FAULTS,
  Http2ClientConnection,
  type Http2ClientSink,
  type Http2Fault,
  Http2Output,
} from '../../http/http2/http2.ts';
import {
  ByteStream,
  type ByteStreamUser,
  Deadline,
  type DeadlineOwner,
  type DialTarget,
  type EventTurn,
} from '../../transport-socket/transport-socket.ts';
import { type Http2ExchangeOwner, Http2UpstreamExchange } from './http2-upstream-exchange.ts';
import type { PoolCounters } from './pool-counters.ts';
import { type PoolOptions, upstreamHttp2Limits } from './pool-limits.ts';
import { dialledTls, HTTP2_ALPN } from './pool-tls.ts';

/** The pool that opened a connection. */
export interface Http2ConnectionOwner {
  readonly options: PoolOptions;
  /** It may carry one more stream or several, or none any more: time to look after those who wait. */
  connectionChanged(connection: Http2UpstreamConnection): void;
  /** Exactly once. `wasConnecting` with the reason where it never came up. */
  connectionGone(
    connection: Http2UpstreamConnection,
    wasConnecting: 'connectFailure' | 'connectTimeout' | undefined,
    detail: string,
  ): void;
}

const NEVER = Number.POSITIVE_INFINITY;
/** How long a connection gets no stream after its host has refused one: others are asked, or the host is left in peace. */
const REST_AFTER_REFUSAL_MS = 100;

/**
 *     connecting ──the host's SETTINGS──→ ready ──→ retiring ──last stream──→ closed
 *         └──────────────────────────────────┴──────────────────────────────→ closed
 *
 * One HTTP/2 connection to a host, by prior knowledge. No stream is opened before the host has said how many it takes.
 */
export class Http2UpstreamConnection implements ByteStreamUser, Http2ClientSink, Http2ExchangeOwner, DeadlineOwner {
  readonly codec: Http2ClientConnection;
  readonly #turn: EventTurn;
  readonly #owner: Http2ConnectionOwner;
  readonly #counters: PoolCounters;
  readonly #bytes: ByteStream;
  readonly #output: Http2Output;
  readonly #deadline: Deadline = new Deadline(this);
  readonly #openedAtMs: number;
  #state: 'connecting' | 'ready' | 'retiring' | 'closed' = 'connecting';
  #isConnected = false;
  /** The output is the last that goes out. */
  #isEnding = false;
  #armedAtMs = NEVER;
  #idleAtMs = NEVER;
  /** NEVER: it takes streams. */
  #restsUntilMs = NEVER;
  #lastBytesAtMs: number;
  requests = 0;

  /** `from`: where to dial, or a stream that is connected; then whoever gave it calls onConnected. */
  constructor(turn: EventTurn, owner: Http2ConnectionOwner, counters: PoolCounters, from: DialTarget | ByteStream) {
    this.#turn = turn;
    this.#owner = owner;
    this.#counters = counters;
    this.#openedAtMs = turn.nowMs;
    this.#lastBytesAtMs = turn.nowMs;
    this.#output = new Http2Output(
      () => {
        if (this.#isConnected) turn.markDirty(this);
      },
      () => {
        if (this.#isConnected) turn.markFull(this);
      },
    );
    const { options } = owner;
    this.codec = new Http2ClientConnection(this, this.#output, upstreamHttp2Limits(options), turn.nowMs);
    this.#bytes = from instanceof ByteStream ? from : this.#dial(from);
    this.#bytes.user = this;
    turn.deadlines.schedule(this.#deadline, turn.nowMs + options.connectTimeoutMs);
    counters.cxTotal.increment();
    counters.cxHttp2Total.increment();
    counters.cxActive.add(1);
  }

  get windowGrowth(): ByteBudget {
    return this.#turn.windowGrowth;
  }

  get isConnecting(): boolean {
    return this.#state === 'connecting';
  }

  get flushedBytes(): number {
    return this.#bytes.flushedBytes;
  }

  /** Whether it takes one more stream now. */
  hasRoom(nowMs: number): boolean {
    if (this.#state !== 'ready' || this.#bytes.isClosed || this.#bytes.peerFinished) return false;
    const { maxConnectionDurationMs } = this.#owner.options;
    if (maxConnectionDurationMs !== undefined && nowMs - this.#openedAtMs >= maxConnectionDurationMs) {
      this.#counters.cxMaxDurationReached.increment();
      this.retire();
      return false;
    }
    return this.#restsUntilMs === NEVER && this.codec.canOpen;
  }

  lend(): Http2UpstreamExchange {
    this.#askWhetherAlive();
    return new Http2UpstreamExchange(this);
  }

  /** Takes no more streams, and closes when those it has are over. */
  retire(): void {
    if (this.#state === 'connecting') this.destroy();
    else if (this.#state === 'ready') {
      this.#state = 'retiring';
      this.codec.drain();
      this.#owner.connectionChanged(this);
    }
  }

  /** Closes now: streams under way are cut. */
  destroy(): void {
    if (this.#state === 'closed') return;
    this.codec.lost();
    this.#bytes.destroy();
    this.#gone('');
  }

  exchangeStarted(): void {
    const { maxRequestsPerConnection } = this.#owner.options;
    if (this.requests++ > 0) this.#counters.cxReused.increment();
    this.#idleAtMs = NEVER;
    if (maxRequestsPerConnection === 0 || this.requests < maxRequestsPerConnection) return;
    this.#counters.cxMaxRequests.increment();
    this.retire();
  }

  exchangeRefused(): void {
    if (this.#restsUntilMs === NEVER) this.#counters.cxRefusalRests.increment();
    this.#restsUntilMs = this.#turn.nowMs + REST_AFTER_REFUSAL_MS;
    this.#arm();
  }

  exchangeEnded(): void {
    if (this.#state !== 'ready') return;
    if (this.codec.openStreams === 0) this.#armIdle();
    this.#owner.connectionChanged(this);
  }

  /** The turn calls this; nobody else needs to. */
  flush(): void {
    const { length } = this.#output;
    if (length > 0 && this.#state !== 'closed') {
      if (!this.#bytes.writeOwned(this.#output.bytes, length)) this.#output.giveAway();
      this.codec.outputTaken(this.#bytes.isBackedUp);
    }
    if (this.#isEnding) this.destroy();
    else this.#arm();
  }

  onConnected(): void {
    this.#isConnected = true;
    this.#counters.cxConnectMs.record(this.#turn.nowMs - this.#openedAtMs);
    // The preface and our SETTINGS have been waiting.
    this.#turn.markDirty(this);
  }

  onBytes(buffer: Buffer, start: number, end: number): void {
    this.#counters.cxRxBytesTotal.add(end - start);
    this.#lastBytesAtMs = this.#turn.nowMs;
    this.codec.receive(buffer, start, end, this.#turn.nowMs);
    this.#arm();
  }

  onPeerFinished(): void {
    this.#loseWith('remote_close');
    this.#bytes.destroy();
  }

  onWritable(): void {
    this.codec.onSocketDrained();
  }

  onClosed(errorCode: string): void {
    this.#loseWith(errorCode === '' ? 'remote_close' : errorCode);
  }

  onCapacity(): void {
    if (this.#state === 'connecting') {
      this.#state = 'ready';
      this.#armIdle();
      this.#arm();
    }
    if (this.#state === 'ready') this.#owner.connectionChanged(this);
  }

  onPeerDraining(_code: number): void {
    this.#counters.cxCloseNotify.increment();
    if (this.#state === 'connecting') this.#end();
    else if (this.#state === 'ready') {
      this.#state = 'retiring';
      this.#owner.connectionChanged(this);
    }
  }

  onDrained(): void {
    this.#end();
  }

  onConnectionFault(fault: Http2Fault): void {
    if (fault === CONNECTION_FAULTS.pingTimeout) this.#counters.cxKeepAliveTimeout.increment();
    else this.#counters.cxProtocolError.increment();
    this.#end();
  }

  onStreamRefused(_fault: Http2Fault): void {
    // Late frames of streams that are over; the codec counts them and ends a connection that sends too many.
  }

  onPingAcknowledged(): void {
    this.#arm();
  }

  onDeadline(_deadline: Deadline, nowMs: number): void {
    this.#armedAtMs = NEVER;
    if (this.#state === 'connecting') {
      this.#counters.cxConnectTimeout.increment();
      this.#bytes.destroy();
      this.#gone('connect_timeout', 'connectTimeout');
      return;
    }
    this.codec.advance(nowMs);
    if (nowMs >= this.#idleAtMs) {
      this.#idleAtMs = NEVER;
      this.#counters.cxIdleTimeout.increment();
      this.retire();
    }
    if (nowMs >= this.#restsUntilMs) {
      this.#restsUntilMs = NEVER;
      this.#owner.connectionChanged(this);
    }
    this.#arm();
  }

  #dial(target: DialTarget): ByteStream {
    const { highWaterMarkBytes, tls } = this.#owner.options;
    const secured = dialledTls(tls, HTTP2_ALPN);
    return ByteStream.connect(this.#turn, { target, highWaterMarkBytes, tls: secured }, this);
  }

  #armIdle(): void {
    const { idleTimeoutMs } = this.#owner.options;
    this.#idleAtMs = idleTimeoutMs > 0 ? this.#turn.nowMs + idleTimeoutMs : NEVER;
  }

  /** `connection_idle_interval`: a connection that may be dead is asked ahead of the stream that it gets. */
  #askWhetherAlive(): void {
    const idleMs = this.#owner.options.http2?.connectionIdleIntervalMs;
    const { nowMs } = this.#turn;
    if (idleMs !== undefined && nowMs - this.#lastBytesAtMs >= idleMs) this.codec.ping(nowMs);
  }

  /** Only ever brings the deadline closer: what it finds too early is looked at again when it fires. */
  #arm(): void {
    if (this.#state === 'closed' || this.#state === 'connecting') return;
    const atMs = Math.min(this.codec.nextDeadlineMs, this.#idleAtMs, this.#restsUntilMs);
    if (atMs >= this.#armedAtMs) return;
    this.#armedAtMs = atMs;
    this.#turn.deadlines.schedule(this.#deadline, atMs);
  }

  /** What is in the output goes out, then the connection closes. */
  #end(): void {
    this.#isEnding = true;
    this.#turn.markDirty(this);
  }

  #loseWith(detail: string): void {
    if (this.#state === 'closed') return;
    if (this.codec.openStreams > 0) this.#counters.cxDestroyRemoteWithActiveRq.increment();
    const isConnecting = this.#state === 'connecting';
    // Off the pool's list first: whoever tries again must not be lent this one.
    this.#gone(detail, isConnecting ? 'connectFailure' : undefined);
    this.codec.lost();
  }

  #gone(detail: string, wasConnecting?: 'connectFailure' | 'connectTimeout'): void {
    if (this.#state === 'closed') return;
    const failure = this.#state === 'connecting' ? (wasConnecting ?? 'connectFailure') : undefined;
    this.#state = 'closed';
    if (failure !== undefined) this.#counters.cxConnectFail.increment();
    this.#turn.deadlines.remove(this.#deadline);
    this.#counters.cxActive.add(-1);
    this.#counters.cxDestroy.increment();
    this.#counters.cxTxBytesTotal.add(this.#bytes.flushedBytes);
    this.#owner.connectionGone(this, failure, detail);
  }
}
