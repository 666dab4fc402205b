import type { TcpProxy } from '../../resource/listener.ts';
import type { ClusterSpecifier } from '../../resource/route-configuration.ts';
import {
  ByteStream,
  type ByteStreamUser,
  Deadline,
  type DeadlineOwner,
  endsOf,
  proxyHeaderText,
} from '../../transport-socket/transport-socket.ts';
import { type Host, PLAIN_PICK } from '../cluster/cluster.ts';
import type { ManagerContext } from '../connection-manager/connection-manager.ts';
import type { UpstreamCluster } from '../filter/router/router.ts';
import { dialledTls } from '../pool/pool.ts';
import type { TcpCounters } from './listener-counters.ts';

/** A TCP proxy chain made ready; swapped whole by an update. Connections keep the one they began with. */
export interface TcpChain {
  readonly proxy: TcpProxy;
  readonly counters: TcpCounters;
  readonly highWaterMarkBytes: number;
}

/** The listener that accepted the connection. */
export interface TcpConnectionOwner {
  connectionEnded(connection: TcpConnection): void;
}

const NEVER = Number.POSITIVE_INFINITY;

/**
 * One TCP connection and its other half at a host. The upstream is dialled at once, so that servers which speak first are
 * heard; nothing is read from the downstream until it is there. FIN travels through in each direction by itself.
 */
export class TcpConnection implements ByteStreamUser, DeadlineOwner {
  readonly #context: ManagerContext;
  readonly #chain: TcpChain;
  readonly #owner: TcpConnectionOwner;
  readonly #downstream: ByteStream;
  readonly #deadline: Deadline = new Deadline(this);
  readonly #openedAtMs: number;
  #upstreamSide: UpstreamSide | undefined = undefined;
  #attempts = 0;
  #idleAtMs = NEVER;
  #isClosed = false;

  constructor(context: ManagerContext, chain: TcpChain, downstream: ByteStream, owner: TcpConnectionOwner) {
    this.#context = context;
    this.#chain = chain;
    this.#owner = owner;
    this.#openedAtMs = context.turn.nowMs;
    this.#downstream = downstream;
    downstream.user = this;
    chain.counters.cxTotal.increment();
    this.touch();
    this.#schedule();
    this.#dial();
  }

  get downstream(): ByteStream {
    return this.#downstream;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** TCP has no word for "please go": the listener's drain deadline ends what is left. */
  drain(): void {
    // Nothing to tell the peer.
  }

  destroy(): void {
    this.#downstream.destroy();
    this.#end();
  }

  touch(): void {
    const { idleTimeoutMs } = this.#chain.proxy;
    if (idleTimeoutMs > 0) this.#idleAtMs = this.#context.turn.nowMs + idleTimeoutMs;
  }

  onConnected(): void {
    // An accepted connection is born connected.
  }

  onBytes(buffer: Buffer, start: number, end: number): void {
    this.touch();
    this.#chain.counters.cxRxBytesTotal.add(end - start);
    const upstream = this.#upstreamSide?.bytes;
    upstream?.writeBytes(buffer, start, end);
    if (upstream?.isBackedUp === true) this.#downstream.pause();
  }

  onPeerFinished(): void {
    this.touch();
    this.#upstreamSide?.bytes.finish();
  }

  onWritable(): void {
    this.#upstreamSide?.bytes.resume();
  }

  onClosed(errorCode: string): void {
    if (errorCode !== '') this.#upstreamSide?.reset();
    this.#end();
  }

  onDeadline(_deadline: Deadline, nowMs: number): void {
    const maxMs = this.#chain.proxy.maxDownstreamConnectionDurationMs;
    if (maxMs !== undefined && nowMs >= this.#openedAtMs + maxMs) {
      this.#chain.counters.maxDurationReached.increment();
      this.destroy();
    } else if (this.#idleAtMs <= nowMs) {
      this.#chain.counters.idleTimeout.increment();
      this.destroy();
    } else this.#schedule();
  }

  upstreamConnected(): void {
    this.touch();
    this.#downstream.resume();
    if (this.#downstream.peerFinished) this.#upstreamSide?.bytes.finish();
  }

  upstreamBytes(from: ByteStream, buffer: Buffer, start: number, end: number): void {
    this.touch();
    this.#chain.counters.cxTxBytesTotal.add(end - start);
    this.#downstream.writeBytes(buffer, start, end);
    if (this.#downstream.isBackedUp) from.pause();
  }

  /** `wasConnected` false: the host could not be reached; another try while the policy allows. */
  upstreamClosed(wasConnected: boolean, errorCode: string): void {
    this.#upstreamSide = undefined;
    if (this.#isClosed) return;
    if (!wasConnected && this.#attempts < Math.max(1, this.#chain.proxy.maxConnectAttempts)) this.#dial();
    else if (errorCode === '' && wasConnected) this.#downstream.finish();
    else {
      this.#downstream.reset();
      this.#end();
    }
  }

  #dial(): void {
    const { upstreams, random } = this.#context;
    const upstream = upstreams.get(clusterName(this.#chain.proxy.cluster, random.next()));
    const host = upstream?.pick(PLAIN_PICK, this.#downstream);
    if (upstream === undefined || host === undefined) {
      this.#chain.counters.cxNoRoute.increment();
      this.destroy();
      return;
    }
    if (!upstream.cluster.breakers.tryAcquire('connections')) {
      upstream.poolCounters.cxOverflow.increment();
      this.destroy();
      return;
    }
    this.#attempts++;
    this.#upstreamSide = new UpstreamSide(this.#context, this, upstream, host, this.#chain.highWaterMarkBytes);
  }

  #schedule(): void {
    const maxMs = this.#chain.proxy.maxDownstreamConnectionDurationMs;
    const endsAtMs = maxMs === undefined ? NEVER : this.#openedAtMs + maxMs;
    this.#context.turn.deadlines.schedule(this.#deadline, Math.min(this.#idleAtMs, endsAtMs));
  }

  #end(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#upstreamSide?.destroy();
    this.#context.turn.deadlines.remove(this.#deadline);
    this.#owner.connectionEnded(this);
  }
}

/** The half of a proxied connection that goes to a host. */
class UpstreamSide implements ByteStreamUser, DeadlineOwner {
  readonly bytes: ByteStream;
  readonly #context: ManagerContext;
  readonly #connection: TcpConnection;
  readonly #upstream: UpstreamCluster;
  readonly #host: Host;
  readonly #deadline: Deadline = new Deadline(this);
  readonly #dialledAtMs: number;
  #isConnected = false;
  #isReleased = false;

  constructor(
    context: ManagerContext,
    connection: TcpConnection,
    upstream: UpstreamCluster,
    host: Host,
    highWaterMarkBytes: number,
  ) {
    const { turn } = context;
    this.#context = context;
    this.#connection = connection;
    this.#upstream = upstream;
    this.#host = host;
    this.#dialledAtMs = turn.nowMs;
    host.requestStarted();
    upstream.poolCounters.cxTotal.increment();
    upstream.poolCounters.cxActive.add(1);
    const tls = dialledTls(upstream.optionsFor(host).tls, undefined);
    this.bytes = ByteStream.connect(turn, { target: host, highWaterMarkBytes, tls }, this);
    turn.deadlines.schedule(this.#deadline, turn.nowMs + upstream.cluster.config.connectTimeoutMs);
  }

  reset(): void {
    this.bytes.reset();
    this.#release();
  }

  destroy(): void {
    this.bytes.destroy();
    this.#release();
  }

  onConnected(): void {
    const { turn, upstreams } = this.#context;
    this.#isConnected = true;
    turn.deadlines.remove(this.#deadline);
    const { proxyProtocol } = this.#upstream;
    if (proxyProtocol !== undefined) {
      this.bytes.writeText(proxyHeaderText(proxyProtocol, endsOf(this.#connection.downstream)));
    }
    const latencyMs = turn.nowMs - this.#dialledAtMs;
    this.#upstream.poolCounters.cxConnectMs.record(latencyMs);
    upstreams.onHostOutcome(this.#host, 200, latencyMs);
    this.#connection.upstreamConnected();
  }

  onBytes(buffer: Buffer, start: number, end: number): void {
    this.#upstream.poolCounters.cxRxBytesTotal.add(end - start);
    this.#connection.upstreamBytes(this.bytes, buffer, start, end);
  }

  onPeerFinished(): void {
    this.#connection.touch();
    this.#connection.downstream.finish();
  }

  onWritable(): void {
    this.#connection.downstream.resume();
  }

  onClosed(errorCode: string): void {
    if (this.#isReleased) return;
    if (!this.#isConnected) this.#connectFailed();
    this.#release();
    this.#connection.upstreamClosed(this.#isConnected, errorCode);
  }

  onDeadline(): void {
    this.#upstream.poolCounters.cxConnectTimeout.increment();
    this.#connectFailed();
    this.bytes.destroy();
    this.#release();
    this.#connection.upstreamClosed(false, 'connect_timeout');
  }

  #connectFailed(): void {
    const { turn, upstreams } = this.#context;
    this.#upstream.poolCounters.cxConnectFail.increment();
    upstreams.onHostOutcome(this.#host, 503, turn.nowMs - this.#dialledAtMs);
  }

  #release(): void {
    if (this.#isReleased) return;
    this.#isReleased = true;
    this.#context.turn.deadlines.remove(this.#deadline);
    this.#host.requestEnded();
    this.#upstream.cluster.breakers.release('connections');
    this.#upstream.poolCounters.cxActive.add(-1);
    this.#upstream.poolCounters.cxDestroy.increment();
    this.#upstream.poolCounters.cxTxBytesTotal.add(this.bytes.flushedBytes);
  }
}

/** `share` in [0, 1) chooses among weighted clusters. */
function clusterName(specifier: Exclude<ClusterSpecifier, { kind: 'clusterHeader' }>, share: number): string {
  if (specifier.kind === 'cluster') return specifier.name;
  let point = share * specifier.totalWeight;
  for (const cluster of specifier.clusters) {
    point -= cluster.weight;
    if (point < 0) return cluster.name;
  }
  return specifier.clusters.at(-1)?.name ?? '';
}
