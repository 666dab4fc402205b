import { MESH_HTTP2_LIMITS } from '../../http/http2/http2.ts';
import type { ByteStream, EventTurn } from '../../transport-socket/transport-socket.ts';
import { type ConnectFailure, HostConnections } from './host-connections.ts';
import { type Http2ConnectionOwner, Http2UpstreamConnection } from './http2-upstream-connection.ts';
import { PendingLine } from './pending-line.ts';
import type { PoolCounters } from './pool-counters.ts';
import type { ClusterLimits, PooledHost, PoolOptions } from './pool-limits.ts';
import type { ConnectionWaiter, UpstreamPool } from './upstream-exchange.ts';

/** How many of those who wait one connection on its way may carry: too many is found out when its host has said so. */
const EXPECTED_STREAMS = MESH_HTTP2_LIMITS.maxConcurrentStreams;

/**
 * HTTP/2 connections of one worker to one host. Streams go to the oldest connection that has room, so that the surplus of a
 * burst grows idle and goes; another is opened only when none has.
 */
export class Http2HostPool implements UpstreamPool, Http2ConnectionOwner {
  options: PoolOptions;
  readonly #turn: EventTurn;
  readonly #host: PooledHost;
  readonly #counters: PoolCounters;
  readonly #line: PendingLine;
  readonly #all: HostConnections<Http2UpstreamConnection>;
  #isDraining = false;
  #isLending = false;

  constructor(turn: EventTurn, host: PooledHost, options: PoolOptions, counters: PoolCounters, limits: ClusterLimits) {
    this.#turn = turn;
    this.#host = host;
    this.options = options;
    this.#counters = counters;
    this.#line = new PendingLine(turn, counters, limits);
    this.#all = new HostConnections(host, counters, limits);
  }

  get connectionCount(): number {
    return this.#all.size;
  }

  /** Nothing rests alone here: a connection that died took all its streams with it and is off the list. */
  acquire(waiter: ConnectionWaiter, _fresh: boolean): void {
    if (this.#isDraining) {
      waiter.onPoolFailure('hostRemoved', 'host_removed');
      return;
    }
    const connection = this.#line.length === 0 ? this.#withRoom() : undefined;
    if (connection !== undefined) waiter.onConnectionReady(connection.lend());
    else if (this.#line.add(waiter)) this.#openForLine();
  }

  /** Takes a connection that somebody else has made, with its place in the cluster's limit if it holds one. */
  adopt(stream: ByteStream, holdsPlace: boolean): void {
    const connection = new Http2UpstreamConnection(this.#turn, this, this.#counters, stream);
    this.#all.add(connection, holdsPlace);
    connection.onConnected();
  }

  cancel(waiter: ConnectionWaiter): void {
    this.#line.remove(waiter);
  }

  drain(): void {
    this.#isDraining = true;
    this.#line.fail('hostRemoved', 'host_removed', 0);
    for (const connection of this.#all.snapshot()) connection.retire();
  }

  destroy(): void {
    this.#isDraining = true;
    this.#line.fail('hostRemoved', 'shutdown', 0);
    for (const connection of this.#all.snapshot()) connection.destroy();
  }

  connectionChanged(): void {
    this.#serveLine();
  }

  connectionGone(connection: Http2UpstreamConnection, wasConnecting: ConnectFailure | undefined, detail: string): void {
    if (!this.#all.gone(connection, wasConnecting)) return;
    // One failed attempt says as much for everyone who has no other on its way.
    if (wasConnecting !== undefined) this.#line.fail(wasConnecting, detail, this.#expected());
    if (!this.#isDraining) this.#openForLine();
  }

  #serveLine(): void {
    // Whoever is served may end at once, which makes room again.
    if (this.#isLending || this.#line.length === 0) return;
    this.#isLending = true;
    while (this.#line.length > 0) {
      const connection = this.#withRoom();
      if (connection === undefined) break;
      this.#line.next()?.onConnectionReady(connection.lend());
    }
    this.#isLending = false;
    if (!this.#isDraining) this.#openForLine();
  }

  #withRoom(): Http2UpstreamConnection | undefined {
    for (const connection of this.#all) if (connection.hasRoom(this.#turn.nowMs)) return connection;
    return undefined;
  }

  #expected(): number {
    let streams = 0;
    for (const connection of this.#all) if (connection.isConnecting) streams += this.#streamsPerConnection();
    return streams;
  }

  #streamsPerConnection(): number {
    const { http2, maxRequestsPerConnection } = this.options;
    const limit = maxRequestsPerConnection > 0 ? maxRequestsPerConnection : EXPECTED_STREAMS;
    return Math.min(limit, http2?.maxConcurrentStreams ?? EXPECTED_STREAMS, EXPECTED_STREAMS);
  }

  #openForLine(): void {
    const { maxConnectionsPerHost } = this.options;
    while (this.#line.length > this.#expected()) {
      if (this.#all.open(maxConnectionsPerHost, () => this.#connect()) === undefined) return;
    }
  }

  #connect(): Http2UpstreamConnection {
    return new Http2UpstreamConnection(this.#turn, this, this.#counters, this.#host);
  }
}
