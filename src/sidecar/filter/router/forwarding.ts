import type { ResponseHead } from '../../../http/head.ts';
import type { HeaderFields } from '../../../http/header-fields.ts';
import type { RouteAction } from '../../../resource/route-configuration.ts';
import { Deadline, type DeadlineOwner } from '../../../transport-socket/transport-socket.ts';
import type { Host } from '../../cluster/cluster.ts';
import type { PoolFailure, ResetReason, UpstreamExchange } from '../../pool/pool.ts';
import type { ClusterChoice, CompiledRoute } from '../../route/route.ts';
import { clusterNotFound, LOCAL_REPLIES, type LocalReply } from '../filter.ts';
import { Attempt, type AttemptOwner, UNJUDGED } from './attempt.ts';
import { nextAttempt } from './attempt-facts.ts';
import { requestHash } from './hash-policy.ts';
import { ParkedAttempts } from './parked-attempts.ts';
import { admissionRefusal, honestReply, pickHost } from './request-admission.ts';
import { RequestBody } from './request-body.ts';
import { type AttemptFailure, RetryState } from './retry-state.ts';
import type { RoutedStream } from './routed-stream.ts';
import type { UpstreamCluster, Upstreams } from './upstreams.ts';

/**
 *     idle → trying → responding → idle
 *               └───→ tunnel ────→ idle
 *
 * trying: an attempt is under way, or several (hedged), or the next one waits for its time; no head was passed on yet.
 */
type State = 'idle' | 'trying' | 'responding' | 'tunnel';

const NEVER = Number.POSITIVE_INFINITY;

/**
 * Forwards one request at a time: picks cluster and host, makes attempts, passes the answer of one on, and tries again
 * where that is allowed. One object per downstream stream slot, reused for every request on it.
 */
export class Forwarding implements AttemptOwner, DeadlineOwner {
  readonly #stream: RoutedStream;
  readonly #upstreams: Upstreams;
  readonly #deadline: Deadline = new Deadline(this);
  readonly #retry = new RetryState();
  readonly #body = new RequestBody();
  #state: State = 'idle';
  #action: RouteAction | undefined = undefined;
  #route: CompiledRoute | undefined = undefined;
  #choice: ClusterChoice | undefined = undefined;
  #upstream: UpstreamCluster | undefined = undefined;
  /** The one that the record describes, and nearly always the only one. */
  #attempt: Attempt;
  /** Those that go on beside it; undefined for requests that were never hedged. */
  #parked: ParkedAttempts | undefined = undefined;
  /** Hosts of earlier attempts; empty for nearly every request. */
  #triedHosts: Host[] = [];
  #hash: bigint | undefined = undefined;
  #path = '';
  #needsFreshConnection = false;
  #isHolding = false;
  /** Some attempt of this request was written to a connection. */
  #hasBeenSent = false;
  #responseTimeoutAtMs = NEVER;
  #perTryTimeoutAtMs = NEVER;
  #backOffUntilMs = NEVER;

  constructor(stream: RoutedStream, upstreams: Upstreams) {
    this.#stream = stream;
    this.#upstreams = upstreams;
    this.#attempt = new Attempt(stream, upstreams, this);
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
    this.#hash = requestHash(action.hashPolicy, this.#stream, this.#upstreams.hash64);
    this.#retry.begin(route.retryPolicy);
    this.#needsFreshConnection = false;
    this.#hasBeenSent = false;
    this.#body.reset();
    this.#responseTimeoutAtMs = NEVER;
    this.#state = 'trying';
    this.#startAttempt();
  }

  sendBody(buffer: Buffer, start: number, end: number): void {
    const { connection } = this.#attempt;
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
    const { connection } = this.#attempt;
    if (connection !== undefined) {
      connection.endRequest(this.#body.trailers);
      this.#armPerTryTimeout();
    }
    this.#armDeadline();
  }

  pauseResponse(): void {
    this.#attempt.connection?.pauseReading();
    this.#parked?.pauseReading();
  }

  resumeResponse(): void {
    this.#attempt.connection?.resumeReading();
    this.#parked?.resumeReading();
  }

  /** In a tunnel: the downstream will send no more. */
  finishTunnel(): void {
    this.#attempt.connection?.finishTunnel();
  }

  /** The downstream is gone, or the stream ended otherwise: the upstream sees an aborted exchange. */
  cancel(): void {
    if (this.#state === 'idle') return;
    const isTunnel = this.#state === 'tunnel';
    if (!isTunnel) this.#upstream?.counters.rqCancelled.increment();
    this.#dropAttempts(isTunnel ? this.#stream.record.status : UNJUDGED);
    this.#settle();
  }

  onAttemptSent(_attempt: Attempt, connection: UpstreamExchange): void {
    const { isResponsePaused, isRequestPassed } = this.#stream;
    this.#hasBeenSent = true;
    if (isResponsePaused) connection.pauseReading();
    this.#body.sendHeld(connection);
    if (isRequestPassed) {
      connection.endRequest(this.#body.trailers);
      this.#armPerTryTimeout();
      this.#armDeadline();
    } else this.#release();
  }

  onAttemptUnwritable(): void {
    this.#dropAttempts(UNJUDGED);
    this.#giveUp(LOCAL_REPLIES.internalError, 'head_not_canonical');
  }

  onAttemptPoolFailure(attempt: Attempt, failure: PoolFailure, detail: string): void {
    this.#failAttempt(attempt, failure === 'overflow' ? 'pendingOverflow' : failure, detail);
  }

  onAttemptInformational(attempt: Attempt, head: ResponseHead): void {
    // As in Envoy: of several attempts the first that says anything is the one.
    if (this.#isMoreToCome) {
      this.#choose(attempt);
      this.#body.release();
    }
    this.#stream.sendInformational(head);
  }

  onAttemptHead(attempt: Attempt, head: ResponseHead): void {
    const { record } = this.#stream;
    (attempt.facts ?? record).firstUpstreamByteAtMs = this.#upstreams.turn.nowMs;
    if (this.#retry.wantsRetryAfterResponse(head) && this.#goesOnWithout(attempt, head)) return;
    this.#choose(attempt);
    if (this.#retry.retries > 0 && head.status < 500) this.#upstream?.counters.rqRetrySuccess.increment();
    this.#body.release();
    if (head.status === 101) {
      this.#state = 'tunnel';
      this.#responseTimeoutAtMs = NEVER;
      this.#upstreams.turn.deadlines.schedule(this.#deadline, NEVER);
    } else this.#state = 'responding';
    record.responseCodeDetails = 'via_upstream';
    this.#stream.sendResponseHead(head);
  }

  onAttemptEnd(attempt: Attempt): void {
    attempt.end(this.#stream.record.status);
    this.#settle();
    this.#stream.sendResponseEnd();
  }

  onAttemptReset(
    attempt: Attempt,
    connection: UpstreamExchange | undefined,
    reason: ResetReason,
    detail: string,
  ): void {
    this.#upstream?.counters.rqRxReset.increment();
    if (this.#state === 'responding' || this.#state === 'tunnel') {
      const { status } = this.#stream.record;
      attempt.end(this.#state === 'tunnel' ? status : 0);
      this.#settle();
      const flags = reason === 'protocolError' ? 'UPE' : 'UC';
      this.#stream.abortResponse(flags, `upstream_reset_after_response_started{${detail}}`);
      return;
    }
    attempt.end(reason === 'unprocessed' ? UNJUDGED : 0);
    if (attempt === this.#attempt && this.#mayBeSentAgain(connection, reason)) {
      nextAttempt(this.#stream, this.#upstreams.turn.nowMs);
      this.#startAttempt();
      return;
    }
    this.#failAttempt(attempt, reason === 'protocolError' ? 'upstreamProtocolError' : 'connectionTermination', detail);
  }

  onAttemptWritable(): void {
    this.#release();
  }

  onDeadline(_deadline: Deadline, nowMs: number): void {
    if (this.#responseTimeoutAtMs <= nowMs) this.#onResponseTimeout();
    else if (this.#perTryTimeoutAtMs <= nowMs) this.#onPerTryTimeout();
    else if (this.#backOffUntilMs <= nowMs) {
      this.#backOffUntilMs = NEVER;
      if (this.#attempt.isUnderWay) this.#startBeside();
      else this.#startAttempt();
    } else this.#armDeadline();
  }

  /** Lets go of the deadline for good: the stream slot ends. */
  destroy(): void {
    this.cancel();
    this.#upstreams.turn.deadlines.remove(this.#deadline);
  }

  #startAttempt(): void {
    const host = this.#pickHost();
    if (host === undefined) this.#giveUp(LOCAL_REPLIES.noHealthyUpstream, '');
    else this.#beginAttempt(host);
  }

  /** Another attempt while one goes on; where it cannot be had, the one goes on alone. */
  #startBeside(): void {
    const upstream = this.#upstream;
    const host = this.#pickHost();
    if (upstream === undefined || host === undefined) return;
    if (!upstream.cluster.breakers.tryAcquire('requests')) {
      upstream.counters.rqOverflow.increment();
      return;
    }
    this.#parked ??= new ParkedAttempts(this.#stream, this.#upstreams.turn);
    this.#parked.park(this.#attempt, upstream);
    this.#attempt = new Attempt(this.#stream, this.#upstreams, this);
    this.#beginAttempt(host);
  }

  #pickHost(): Host | undefined {
    const upstream = this.#upstream;
    return upstream && pickHost(upstream, this.#stream, this.#hash, this.#triedHosts, this.#retry.policy);
  }

  #beginAttempt(host: Host): void {
    const upstream = this.#upstream;
    const route = this.#route;
    if (upstream === undefined || route === undefined) return;
    this.#attempt.begin(upstream, host, route, this.#path, this.#needsFreshConnection);
  }

  /** Whether what was lost can be sent once more without being a retry. */
  #mayBeSentAgain(connection: UpstreamExchange | undefined, reason: ResetReason): boolean {
    if (!this.#body.isReplayable) return false;
    if (reason === 'unprocessed') return this.#retry.tryReselect();
    if (connection === undefined || reason !== 'connectionTermination') return false;
    const { hasRested, hasReceived, hasSent } = connection;
    if (!this.#retry.trySafeRetry(this.#stream.head.method, hasRested, hasReceived, hasSent)) return false;
    this.#upstream?.counters.rqReusedConnectionRetry.increment();
    this.#needsFreshConnection = true;
    return true;
  }

  /** An attempt failed before any response head. */
  #failAttempt(attempt: Attempt, failure: AttemptFailure, detail: string): void {
    if (failure === 'hostRemoved' && this.#retry.tryReselect()) {
      this.#startAttempt();
      return;
    }
    const wantsRetry = !attempt.isHedged && this.#retry.wantsRetryAfter(failure) && this.#body.isReplayable;
    if (wantsRetry && this.#takeRetryPlace()) this.#backOff(attempt);
    else if (this.#isMoreToCome) this.#retire(attempt);
    else this.#giveUp(LOCAL_REPLIES[failure === 'hostRemoved' ? 'connectFailure' : failure], detail);
  }

  /** An answer that calls for another try: it is thrown away where there will be one, or where another is under way. */
  #goesOnWithout(attempt: Attempt, head: ResponseHead): boolean {
    if (!attempt.isHedged && this.#body.isReplayable && this.#takeRetryPlace()) {
      attempt.discard(head);
      this.#backOff(attempt);
      return true;
    }
    if (!this.#isMoreToCome) return false;
    attempt.discard(head);
    this.#retire(attempt);
    return true;
  }

  /** Beside an attempt that has failed others are under way, or the next one is only waiting. */
  get #isMoreToCome(): boolean {
    return this.#parked?.isEmpty === false || this.#backOffUntilMs < NEVER;
  }

  #takeRetryPlace(): boolean {
    const upstream = this.#upstream;
    return upstream !== undefined && this.#retry.tryTakePlace(upstream.cluster.breakers, upstream.counters);
  }

  /** Another attempt follows one that has ended. */
  #backOff(attempt: Attempt): void {
    if (attempt.host !== undefined && !attempt.isHedged) this.#triedHosts.push(attempt.host);
    const { turn, random } = this.#upstreams;
    this.#retire(attempt);
    this.#perTryTimeoutAtMs = NEVER;
    this.#backOffUntilMs = turn.nowMs + this.#retry.backOffMs(random);
    if (!this.#attempt.isUnderWay) nextAttempt(this.#stream, turn.nowMs);
    this.#armDeadline();
  }

  /** An attempt has ended, and the request goes on: with one beside it, where there is one. */
  #retire(attempt: Attempt): void {
    const parked = this.#parked;
    if (parked === undefined || parked.isEmpty) return;
    if (attempt !== this.#attempt) parked.end(attempt);
    else {
      this.#attempt = parked.resume();
      this.#perTryTimeoutAtMs = NEVER;
    }
  }

  /** The answer of this attempt is the one that goes on: all others are given up. */
  #choose(attempt: Attempt): void {
    this.#perTryTimeoutAtMs = NEVER;
    this.#backOffUntilMs = NEVER;
    if (this.#parked?.isEmpty !== false) return;
    if (attempt !== this.#attempt) {
      if (this.#attempt.connection === undefined) this.#upstream?.counters.rqCancelled.increment();
      this.#attempt.drop(UNJUDGED);
      this.#parked.resume(attempt);
      this.#attempt = attempt;
    }
    this.#parked.drop(UNJUDGED);
  }

  #giveUp(reply: LocalReply, detail: string): void {
    this.#settle();
    this.#stream.sendLocalReply(honestReply(reply, this.#hasBeenSent), detail);
  }

  #onResponseTimeout(): void {
    this.#upstream?.counters.rqTimeout.increment();
    const isResponding = this.#state === 'responding';
    this.#dropAttempts(504);
    this.#settle();
    if (isResponding) this.#stream.abortResponse('UT', 'response_timeout');
    else this.#stream.sendLocalReply(LOCAL_REPLIES.responseTimeout, '');
  }

  #onPerTryTimeout(): void {
    this.#perTryTimeoutAtMs = NEVER;
    if (this.#route?.hedgesOnPerTryTimeout === true) {
      this.#hedge();
      return;
    }
    this.#upstream?.counters.rqPerTryTimeout.increment();
    this.#attempt.drop(504);
    this.#failAttempt(this.#attempt, 'perTryTimeout', '');
  }

  /** As in Envoy: at once, whatever failures the policy names, and counted as a retry but not as a timeout. */
  #hedge(): void {
    const attempt = this.#attempt;
    attempt.judgeSlow();
    if (this.#retry.policy?.isNamed === true && this.#body.isReplayable && this.#takeRetryPlace()) {
      attempt.isHedged = true;
      if (attempt.host !== undefined) this.#triedHosts.push(attempt.host);
      this.#startBeside();
    }
    this.#armDeadline();
  }

  #armPerTryTimeout(): void {
    const perTryMs = this.#retry.policy?.perTryTimeoutMs ?? 0;
    if (perTryMs > 0) this.#perTryTimeoutAtMs = this.#upstreams.turn.nowMs + perTryMs;
  }

  #armDeadline(): void {
    const atMs = Math.min(this.#responseTimeoutAtMs, this.#perTryTimeoutAtMs, this.#backOffUntilMs);
    this.#upstreams.turn.deadlines.schedule(this.#deadline, atMs);
  }

  #dropAttempts(status: number): void {
    this.#parked?.drop(status);
    this.#attempt.drop(status);
  }

  /** The request is over as far as the upstream side goes. */
  #settle(): void {
    const upstream = this.#upstream;
    this.#upstream = undefined;
    this.#state = 'idle';
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
