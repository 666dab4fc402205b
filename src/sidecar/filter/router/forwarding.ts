import type { ResponseHead } from '../../../http/head.ts';
import type { HeaderFields } from '../../../http/header-fields.ts';
import type { RouteAction } from '../../../resource/route-configuration.ts';
import { Deadline, type DeadlineOwner } from '../../../transport-socket/transport-socket.ts';
import type { Host } from '../../cluster/cluster.ts';
import type {
  ConnectionWaiter,
  PoolFailure,
  ResetReason,
  UpstreamExchange,
  UpstreamPool,
  UpstreamSink,
} from '../../pool/pool.ts';
import type { ClusterChoice, CompiledRoute } from '../../route/route.ts';
import { clusterNotFound, LOCAL_REPLIES, type LocalReply } from '../filter.ts';
import { AttemptLine, tryStart } from './attempt-head.ts';
import { requestHash } from './hash-policy.ts';
import { admissionRefusal, pickContextOf } from './request-admission.ts';
import { RequestBody } from './request-body.ts';
import { type AttemptFailure, RetryState } from './retry-state.ts';
import type { RoutedStream } from './routed-stream.ts';
import type { UpstreamCluster, Upstreams } from './upstreams.ts';

/**
 *     idle → acquiring ⇄ backingOff
 *               ↓            ↑
 *            exchanging ─────┘ (only before a response head was passed on)
 *               ↓
 *            responding → idle          tunnel → idle
 */
type State = 'idle' | 'acquiring' | 'exchanging' | 'responding' | 'tunnel' | 'backingOff';

const NEVER = Number.POSITIVE_INFINITY;

/**
 * Forwards one request at a time: picks cluster and host, borrows a connection, sends, passes the answer on, and tries
 * again where that is allowed. One object per downstream stream slot, reused for every request on it.
 */
export class Forwarding implements ConnectionWaiter, UpstreamSink, DeadlineOwner {
  readonly #stream: RoutedStream;
  readonly #upstreams: Upstreams;
  readonly #deadline: Deadline = new Deadline(this);
  readonly #retry = new RetryState();
  readonly #body = new RequestBody();
  readonly #line = new AttemptLine();
  #state: State = 'idle';
  #action: RouteAction | undefined = undefined;
  #route: CompiledRoute | undefined = undefined;
  #choice: ClusterChoice | undefined = undefined;
  #upstream: UpstreamCluster | undefined = undefined;
  #host: Host | undefined = undefined;
  #pool: UpstreamPool | undefined = undefined;
  #connection: UpstreamExchange | undefined = undefined;
  /** Hosts of earlier attempts; empty for nearly every request. */
  #triedHosts: Host[] = [];
  #hash: bigint | undefined = undefined;
  #path = '';
  #needsFreshConnection = false;
  #isHolding = false;
  /** Some attempt of this request was written to a connection. */
  #hasBeenSent = false;
  #attemptStartedAtMs = 0;
  #responseTimeoutAtMs = NEVER;
  #perTryTimeoutAtMs = NEVER;
  #backOffUntilMs = NEVER;

  constructor(stream: RoutedStream, upstreams: Upstreams) {
    this.#stream = stream;
    this.#upstreams = upstreams;
  }

  get choice(): ClusterChoice | undefined {
    return this.#choice;
  }

  /** Starts the request that the stream now holds. Body and end follow; they may come before a connection is there. */
  begin(route: CompiledRoute, action: RouteAction): void {
    const { head, record, requestEdits } = this.#stream;
    const choice = route.pickCluster(head, this.#upstreams.random, record.clusterName);
    const upstream = choice === undefined ? undefined : this.#upstreams.get(choice.name);
    this.#route = route;
    this.#action = action;
    this.#choice = choice;
    if (choice === undefined || upstream === undefined) {
      record.clusterName = choice?.name ?? '';
      this.#stream.sendLocalReply(clusterNotFound(action.clusterNotFoundResponseCode), '');
      return;
    }
    record.clusterName = choice.name;
    const refusal = admissionRefusal(upstream, this.#upstreams.random);
    if (refusal !== undefined) {
      this.#stream.sendLocalReply(refusal, '');
      return;
    }
    this.#upstream = upstream;
    upstream.counters.rqActive.add(1);
    if (choice.mutations.touchesRequest) choice.mutations.applyToRequest(requestEdits, head.fields);
    this.#path = route.rewritePath(head.path);
    this.#hash = this.#requestHash(action);
    this.#retry.begin(route.retryPolicy);
    this.#needsFreshConnection = false;
    this.#hasBeenSent = false;
    this.#body.reset();
    this.#responseTimeoutAtMs = NEVER;
    this.#startAttempt();
  }

  sendBody(buffer: Buffer, start: number, end: number): void {
    const connection = this.#connection;
    if (this.#state === 'idle') return;
    if (this.#state === 'tunnel') connection?.sendTunnelBytes(buffer, start, end);
    else this.#body.add(buffer, start, end, connection);
    if (connection === undefined ? this.#body.isFull : connection.isBackedUp) this.#hold();
  }

  sendTrailers(fields: HeaderFields): void {
    this.#body.keepTrailers(fields);
  }

  /** The request is complete; route and per-try timeouts run from here, as in Envoy. */
  endRequest(): void {
    if (this.#state === 'idle') return;
    const { nowMs } = this.#upstreams.turn;
    const timeoutMs = this.#action?.timeoutMs ?? 0;
    if (timeoutMs > 0) this.#responseTimeoutAtMs = nowMs + timeoutMs;
    if (this.#connection !== undefined) {
      this.#connection.endRequest(this.#body.trailers);
      this.#armPerTryTimeout();
    }
    this.#armDeadline();
  }

  pauseResponse(): void {
    this.#connection?.pauseReading();
  }

  resumeResponse(): void {
    this.#connection?.resumeReading();
  }

  /** In a tunnel: the downstream will send no more. */
  finishTunnel(): void {
    this.#connection?.finishTunnel();
  }

  /** The downstream is gone, or the stream ended otherwise: the upstream sees an aborted exchange. */
  cancel(): void {
    if (this.#state === 'idle') return;
    const isTunnel = this.#state === 'tunnel';
    if (!isTunnel) this.#upstream?.counters.rqCancelled.increment();
    this.#dropAttempt(isTunnel ? this.#stream.record.status : -1);
    this.#settle();
  }

  onConnectionReady(connection: UpstreamExchange): void {
    const { record, isRequestPassed } = this.#stream;
    const { nowMs } = this.#upstreams.turn;
    this.#pool = undefined;
    record.connectionReadyAtMs = nowMs;
    record.queueMs += nowMs - record.pickedAtMs;
    const route = this.#route;
    const host = this.#host;
    const proxyProtocol = this.#upstream?.proxyProtocol;
    const line = route && host && this.#line.fill(this.#stream, route, host, this.#path);
    if (line === undefined || !tryStart(connection, this, this.#stream, line, proxyProtocol)) {
      connection.abort();
      this.#endAttempt(-1);
      this.#giveUp(LOCAL_REPLIES.internalError, 'head_not_canonical');
      return;
    }
    this.#state = 'exchanging';
    this.#hasBeenSent = true;
    this.#connection = connection;
    record.connectionReused = connection.isReused;
    if (this.#stream.isResponsePaused) connection.pauseReading();
    this.#body.sendHeld(connection);
    if (isRequestPassed) {
      connection.endRequest(this.#body.trailers);
      this.#armPerTryTimeout();
      this.#armDeadline();
    } else this.#release();
  }

  onPoolFailure(failure: PoolFailure, detail: string): void {
    this.#pool = undefined;
    const status = failure === 'connectFailure' || failure === 'connectTimeout' ? 503 : -1;
    this.#endAttempt(status);
    this.#failAttempt(failure === 'overflow' ? 'pendingOverflow' : failure, detail);
  }

  onUpstreamInformational(head: ResponseHead): void {
    this.#stream.sendInformational(head);
  }

  onUpstreamHead(head: ResponseHead): void {
    const { record } = this.#stream;
    const { nowMs } = this.#upstreams.turn;
    record.firstUpstreamByteAtMs = nowMs;
    if (this.#retry.wantsRetryAfterResponse(head) && this.#body.isReplayable && this.#takeRetryPlace()) {
      const connection = this.#connection;
      this.#connection = undefined;
      connection?.discardResponse(head);
      this.#endAttempt(head.status);
      this.#backOff();
      return;
    }
    if (this.#retry.retries > 0 && head.status < 500) this.#upstream?.counters.rqRetrySuccess.increment();
    this.#perTryTimeoutAtMs = NEVER;
    this.#body.release();
    if (head.status === 101) {
      this.#state = 'tunnel';
      this.#responseTimeoutAtMs = NEVER;
      this.#upstreams.turn.deadlines.schedule(this.#deadline, NEVER);
    } else this.#state = 'responding';
    record.responseCodeDetails = 'via_upstream';
    this.#stream.sendResponseHead(head);
  }

  onUpstreamBody(buffer: Buffer, start: number, end: number): void {
    this.#stream.sendResponseBody(buffer, start, end);
  }

  onUpstreamTrailers(fields: HeaderFields): void {
    this.#stream.sendResponseTrailers(fields);
  }

  onUpstreamEnd(): void {
    this.#connection = undefined;
    this.#endAttempt(this.#stream.record.status);
    this.#settle();
    this.#stream.sendResponseEnd();
  }

  onUpstreamFinished(): void {
    this.#stream.finishTunnel();
  }

  onUpstreamReset(reason: ResetReason, detail: string): void {
    const connection = this.#connection;
    this.#connection = undefined;
    this.#upstream?.counters.rqRxReset.increment();
    if (this.#state === 'responding' || this.#state === 'tunnel') {
      const { status } = this.#stream.record;
      this.#endAttempt(this.#state === 'tunnel' ? status : 0);
      this.#settle();
      const flags = reason === 'protocolError' ? 'UPE' : 'UC';
      this.#stream.abortResponse(flags, `upstream_reset_after_response_started{${detail}}`);
      return;
    }
    this.#endAttempt(reason === 'unprocessed' ? -1 : 0);
    if (reason === 'unprocessed' && this.#body.isReplayable && this.#retry.tryReselect()) {
      this.#stream.prepareRetry();
      this.#startAttempt();
      return;
    }
    const { method } = this.#stream.head;
    const isSafe =
      connection !== undefined &&
      reason === 'connectionTermination' &&
      this.#body.isReplayable &&
      this.#retry.trySafeRetry(method, connection.hasRested, connection.hasReceived, connection.hasSent);
    if (isSafe) {
      this.#upstream?.counters.rqReusedConnectionRetry.increment();
      this.#needsFreshConnection = true;
      this.#stream.prepareRetry();
      this.#startAttempt();
      return;
    }
    this.#failAttempt(reason === 'protocolError' ? 'upstreamProtocolError' : 'connectionTermination', detail);
  }

  onUpstreamWritable(): void {
    this.#release();
  }

  onDeadline(_deadline: Deadline, nowMs: number): void {
    if (this.#responseTimeoutAtMs <= nowMs) this.#onResponseTimeout();
    else if (this.#perTryTimeoutAtMs <= nowMs) this.#onPerTryTimeout();
    else if (this.#state === 'backingOff' && this.#backOffUntilMs <= nowMs) {
      this.#backOffUntilMs = NEVER;
      this.#startAttempt();
    } else this.#armDeadline();
  }

  /** Lets go of the deadline for good: the stream slot ends. */
  destroy(): void {
    this.cancel();
    this.#upstreams.turn.deadlines.remove(this.#deadline);
  }

  #startAttempt(): void {
    const { record } = this.#stream;
    const upstream = this.#upstream;
    if (upstream === undefined) return;
    const { overrideHost } = this.#stream;
    const asked = pickContextOf(this.#hash, this.#triedHosts, this.#retry.policy, overrideHost);
    const host = upstream.pick(asked, this.#stream);
    if (host === undefined) {
      upstream.counters.noHealthyUpstream.increment();
      this.#giveUp(LOCAL_REPLIES.noHealthyUpstream, '');
      return;
    }
    const { turn } = this.#upstreams;
    this.#state = 'acquiring';
    this.#host = host;
    this.#attemptStartedAtMs = turn.nowMs;
    record.attempt++;
    record.pickedAtMs = turn.nowMs;
    record.hostAddress = host.address.kind === 'ip' ? host.address.host : host.address.path;
    record.hostPort = host.address.kind === 'ip' ? host.address.port : 0;
    record.hostInFlightAtPick = host.requestStarted();
    upstream.counters.rqTotal.increment();
    const pool = upstream.poolOf(host, this.#stream.head.version);
    this.#pool = pool;
    pool.acquire(this, this.#needsFreshConnection);
  }

  #requestHash(action: RouteAction): bigint | undefined {
    if (action.hashPolicy.length === 0) return undefined;
    const { head, downstreamAddress } = this.#stream;
    return requestHash(action.hashPolicy, head, downstreamAddress, this.#upstreams.hash64);
  }

  /** An attempt failed before any response head. */
  #failAttempt(failure: AttemptFailure, detail: string): void {
    if (failure === 'hostRemoved' && this.#retry.tryReselect()) {
      this.#startAttempt();
      return;
    }
    const wantsRetry = this.#retry.wantsRetryAfter(failure) && this.#body.isReplayable;
    if (wantsRetry && this.#takeRetryPlace()) {
      this.#backOff();
      return;
    }
    this.#giveUp(LOCAL_REPLIES[failure === 'hostRemoved' ? 'connectFailure' : failure], detail);
  }

  #takeRetryPlace(): boolean {
    const upstream = this.#upstream;
    return upstream !== undefined && this.#retry.tryTakePlace(upstream.cluster.breakers, upstream.counters);
  }

  #backOff(): void {
    if (this.#host !== undefined) this.#triedHosts.push(this.#host);
    const { turn, random } = this.#upstreams;
    this.#state = 'backingOff';
    this.#perTryTimeoutAtMs = NEVER;
    this.#backOffUntilMs = turn.nowMs + this.#retry.backOffMs(random);
    this.#stream.prepareRetry();
    this.#armDeadline();
  }

  #giveUp(reply: LocalReply, detail: string): void {
    // Somebody may have acted on an earlier attempt: then nobody may say that the request reached no one.
    const honest = reply.isNotProcessed && this.#hasBeenSent ? { ...reply, isNotProcessed: false } : reply;
    this.#settle();
    this.#stream.sendLocalReply(honest, detail);
  }

  #onResponseTimeout(): void {
    this.#upstream?.counters.rqTimeout.increment();
    const isResponding = this.#state === 'responding';
    this.#dropAttempt(504);
    this.#settle();
    if (isResponding) this.#stream.abortResponse('UT', 'response_timeout');
    else this.#stream.sendLocalReply(LOCAL_REPLIES.responseTimeout, '');
  }

  #onPerTryTimeout(): void {
    this.#perTryTimeoutAtMs = NEVER;
    this.#upstream?.counters.rqPerTryTimeout.increment();
    this.#dropAttempt(504);
    this.#failAttempt('perTryTimeout', '');
  }

  #armPerTryTimeout(): void {
    const perTryMs = this.#retry.policy?.perTryTimeoutMs ?? 0;
    if (perTryMs > 0) this.#perTryTimeoutAtMs = this.#upstreams.turn.nowMs + perTryMs;
  }

  #armDeadline(): void {
    const atMs = Math.min(this.#responseTimeoutAtMs, this.#perTryTimeoutAtMs, this.#backOffUntilMs);
    this.#upstreams.turn.deadlines.schedule(this.#deadline, atMs);
  }

  #dropAttempt(status: number): void {
    const connection = this.#connection;
    this.#connection = undefined;
    connection?.abort();
    this.#pool?.cancel(this);
    this.#pool = undefined;
    this.#endAttempt(status);
  }

  /** Once per attempt that picked a host. Status −1: nothing was learned about the host. */
  #endAttempt(status: number): void {
    const host = this.#host;
    if (host === undefined || this.#attemptStartedAtMs === 0) return;
    host.requestEnded();
    const latencyMs = this.#upstreams.turn.nowMs - this.#attemptStartedAtMs;
    this.#attemptStartedAtMs = 0;
    if (status >= 0) this.#upstreams.onHostOutcome(host, status, latencyMs);
    if (status > 0) {
      this.#upstream?.counters.completed(status);
      this.#upstream?.counters.rqTime.record(latencyMs);
    }
  }

  /** The request is over as far as the upstream side goes. */
  #settle(): void {
    const upstream = this.#upstream;
    this.#upstream = undefined;
    this.#state = 'idle';
    this.#host = undefined;
    this.#body.release();
    this.#isHolding = false;
    this.#responseTimeoutAtMs = NEVER;
    this.#perTryTimeoutAtMs = NEVER;
    this.#backOffUntilMs = NEVER;
    if (this.#triedHosts.length > 0) this.#triedHosts = [];
    this.#upstreams.turn.deadlines.schedule(this.#deadline, NEVER);
    if (upstream === undefined) return;
    this.#retry.releasePlace(upstream.cluster.breakers);
    upstream.cluster.breakers.release('requests');
    upstream.counters.rqActive.add(-1);
  }

  #hold(): void {
    if (this.#isHolding) return;
    this.#isHolding = true;
    this.#stream.holdRequestBody();
  }

  #release(): void {
    if (!this.#isHolding) return;
    this.#isHolding = false;
    this.#stream.releaseRequestBody();
  }
}
