import type { ResponseHead } from '../../../http/head.ts';
import type { HeaderFields } from '../../../http/header-fields.ts';
import { NonCanonicalHeadError } from '../../../http/http1/http1.ts';
import { proxyHeaderText } from '../../../transport-socket/transport-socket.ts';
import type { Host } from '../../cluster/cluster.ts';
import type {
  ConnectionWaiter,
  PoolFailure,
  ResetReason,
  UpstreamExchange,
  UpstreamPool,
  UpstreamRequestLine,
  UpstreamSink,
} from '../../pool/pool.ts';
import type { CompiledRoute } from '../../route/route.ts';
import type { AttemptFacts } from './attempt-facts.ts';
import type { RoutedStream } from './routed-stream.ts';
import type { UpstreamCluster, Upstreams } from './upstreams.ts';

/** Whoever makes attempts. What an attempt tells is told while its connection, where it has one, is still its own. */
export interface AttemptOwner {
  /** The head is out. */
  onAttemptSent(attempt: Attempt, connection: UpstreamExchange): void;
  /** The head cannot be written; the attempt is over. */
  onAttemptUnwritable(attempt: Attempt): void;
  onAttemptPoolFailure(attempt: Attempt, failure: PoolFailure, detail: string): void;
  onAttemptInformational(attempt: Attempt, head: ResponseHead): void;
  onAttemptHead(attempt: Attempt, head: ResponseHead): void;
  onAttemptEnd(attempt: Attempt): void;
  /** `connection` is the one that was lost. */
  onAttemptReset(attempt: Attempt, connection: UpstreamExchange | undefined, reason: ResetReason, detail: string): void;
  onAttemptWritable(): void;
}

/** Nothing was learned about the host. */
export const UNJUDGED = -1;

/**
 *     idle → acquiring → exchanging → idle
 *
 * One try of a request at one host: borrows a connection, sends the head, and hands on what comes back. Used by its owner for
 * one try after the other. It is the request line, too, as the route rewrites it.
 */
export class Attempt implements ConnectionWaiter, UpstreamSink, UpstreamRequestLine {
  method = '';
  path = '';
  authority = '';
  scheme: 'http' | 'https' = 'http';
  upgrade = '';
  connection: UpstreamExchange | undefined = undefined;
  host: Host | undefined = undefined;
  /** What the record says of it, while the record is another attempt's. */
  facts: AttemptFacts | undefined = undefined;
  /** Another try was begun because this one took long: it is not tried again. */
  isHedged = false;
  readonly #stream: RoutedStream;
  readonly #upstreams: Upstreams;
  readonly #owner: AttemptOwner;
  #upstream: UpstreamCluster | undefined = undefined;
  #route: CompiledRoute | undefined = undefined;
  #pool: UpstreamPool | undefined = undefined;
  #startedAtMs = 0;
  /** Its host has been judged for being slow. */
  #isJudged = false;

  constructor(stream: RoutedStream, upstreams: Upstreams, owner: AttemptOwner) {
    this.#stream = stream;
    this.#upstreams = upstreams;
    this.#owner = owner;
  }

  get isUnderWay(): boolean {
    return this.#startedAtMs !== 0;
  }

  /** `fresh` asks for a connection that has not lain idle. */
  begin(upstream: UpstreamCluster, host: Host, route: CompiledRoute, path: string, fresh: boolean): void {
    const { record, head } = this.#stream;
    const { nowMs } = this.#upstreams.turn;
    this.#upstream = upstream;
    this.#route = route;
    this.host = host;
    this.path = path;
    this.isHedged = false;
    this.#isJudged = false;
    this.#startedAtMs = nowMs;
    record.attempt = ++record.attempts;
    record.pickedAtMs = nowMs;
    record.hostAddress = host.address.kind === 'ip' ? host.address.host : host.address.path;
    record.hostPort = host.address.kind === 'ip' ? host.address.port : 0;
    record.hostInFlightAtPick = host.requestStarted();
    upstream.counters.rqTotal.increment();
    const pool = upstream.poolOf(host, head.version);
    this.#pool = pool;
    pool.acquire(this, fresh);
  }

  /** Gives it up. */
  drop(status: number): void {
    const { connection } = this;
    this.connection = undefined;
    connection?.abort();
    this.#pool?.cancel(this);
    this.#pool = undefined;
    this.end(status);
  }

  /** Gives the answer up that has begun, and if possible not the connection. */
  discard(head: ResponseHead): void {
    const { connection } = this;
    this.connection = undefined;
    connection?.discardResponse(head);
    this.end(head.status);
  }

  /** Tells whoever judges hosts that this one is slow; what becomes of the attempt it is told all the same. */
  judgeSlow(): void {
    if (this.host === undefined || this.#isJudged) return;
    this.#isJudged = true;
    this.#upstreams.onHostOutcome(this.host, 504, this.#upstreams.turn.nowMs - this.#startedAtMs);
  }

  /** Once per attempt that has begun. */
  end(status: number): void {
    const { host } = this;
    if (host === undefined || this.#startedAtMs === 0) return;
    host.requestEnded();
    const latencyMs = this.#upstreams.turn.nowMs - this.#startedAtMs;
    this.#startedAtMs = 0;
    const isTold = this.#isJudged && status === 504;
    if (status > UNJUDGED && !isTold) this.#upstreams.onHostOutcome(host, status, latencyMs);
    if (status > 0) {
      this.#upstream?.counters.completed(status);
      this.#upstream?.counters.rqTime.record(latencyMs);
    }
  }

  onConnectionReady(connection: UpstreamExchange): void {
    const { record } = this.#stream;
    const { nowMs } = this.#upstreams.turn;
    this.#pool = undefined;
    record.connectionReadyAtMs = nowMs;
    record.queueMs += nowMs - record.pickedAtMs;
    if (!this.#tryStart(connection)) {
      connection.abort();
      this.end(UNJUDGED);
      this.#owner.onAttemptUnwritable(this);
      return;
    }
    this.connection = connection;
    record.connectionReused = connection.isReused;
    this.#owner.onAttemptSent(this, connection);
  }

  onPoolFailure(failure: PoolFailure, detail: string): void {
    this.#pool = undefined;
    this.end(failure === 'connectFailure' || failure === 'connectTimeout' ? 503 : UNJUDGED);
    this.#owner.onAttemptPoolFailure(this, failure, detail);
  }

  onUpstreamInformational(head: ResponseHead): void {
    this.#owner.onAttemptInformational(this, head);
  }

  onUpstreamHead(head: ResponseHead): void {
    this.#owner.onAttemptHead(this, head);
  }

  onUpstreamBody(buffer: Buffer, start: number, end: number): void {
    this.#stream.sendResponseBody(buffer, start, end);
  }

  onUpstreamTrailers(fields: HeaderFields): void {
    this.#stream.sendResponseTrailers(fields);
  }

  onUpstreamEnd(): void {
    this.connection = undefined;
    this.#owner.onAttemptEnd(this);
  }

  onUpstreamFinished(): void {
    this.#stream.finishTunnel();
  }

  onUpstreamReset(reason: ResetReason, detail: string): void {
    const { connection } = this;
    this.connection = undefined;
    this.#owner.onAttemptReset(this, connection, reason, detail);
  }

  onUpstreamWritable(): void {
    this.#owner.onAttemptWritable();
  }

  /**
   * Sends the head, behind the PROXY header of its connection where the cluster wants one. False where mutations or rewrites
   * make a head that cannot be written: then nothing was.
   */
  #tryStart(connection: UpstreamExchange): boolean {
    const { head, requestEdits } = this.#stream;
    this.method = head.method;
    this.authority = this.#route?.rewriteAuthority(head, this.host?.endpoint.hostname ?? '') ?? '';
    this.scheme = head.scheme;
    this.upgrade = head.upgrade;
    const proxyProtocol = this.#upstream?.proxyProtocol;
    const prefix = proxyProtocol === undefined ? '' : proxyHeaderText(proxyProtocol, this.#stream.downstreamEnds);
    try {
      connection.startRequest(this, head, requestEdits, this, prefix);
      return true;
    } catch (error) {
      if (error instanceof NonCanonicalHeadError) return false;
      throw error;
    }
  }
}
