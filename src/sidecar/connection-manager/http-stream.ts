import type { RequestHead, ResponseHead } from '../../http/head.ts';
import { HeaderEdits } from '../../http/header-edits.ts';
import type { HeaderFields } from '../../http/header-fields.ts';
import { StreamRecord } from '../../telemetry/stream-record.ts';
import { latin1Text, type ProxiedAddresses } from '../../transport-socket/transport-socket.ts';
import {
  type FilterStream,
  LOCAL_REPLIES,
  type LocalReply,
  NOT_PROCESSED_HEADER,
  plainReply,
} from '../filter/filter.ts';
import { Forwarding, type RoutedStream } from '../filter/router/router.ts';
import type { CompiledRoute } from '../route/route.ts';
import type { DownstreamWriter } from './downstream-writer.ts';
import type { HttpChain, ManagerContext } from './http-chain.ts';
import { localResponseHead } from './local-response.ts';
import { effectiveHead } from './path-normalization.ts';
import { redirectLocation } from './redirect.ts';
import { applyRequestPolicy } from './request-policy.ts';
import { refusalOf } from './request-refusal.ts';
import { applyResponsePolicy, currentDate } from './response-policy.ts';
import { StreamDeadlines, type StreamTimeout, type StreamTimeoutOwner } from './stream-deadlines.ts';
import { type DownstreamPeer, startRecord } from './stream-start.ts';
import { propagateTrace } from './trace-propagation.ts';

/**
 *     idle → open → responding → idle          (the response is complete)
 *              │        └──────→ idle          (aborted)
 *              ├──→ tunnel ────→ idle
 *              └──────────────→ idle           (downstream gone before an answer)
 */
type State = 'idle' | 'open' | 'responding' | 'tunnel';

const RUNNING = -1;

/**
 * One exchange: request policies, route, filters, router, response policies, and the one record of it all. Knows no codec.
 * An HTTP/1 connection owns one and reuses it; it is 'idle' between requests.
 */
export class HttpStream implements RoutedStream, FilterStream, StreamTimeoutOwner {
  head: RequestHead;
  route: CompiledRoute | undefined = undefined;
  isRequestComplete = false;
  readonly requestEdits = new HeaderEdits();
  readonly responseEdits = new HeaderEdits();
  readonly record = new StreamRecord();
  readonly #context: ManagerContext;
  readonly #writer: DownstreamWriter;
  readonly #peer: DownstreamPeer;
  readonly #forwarding: Forwarding;
  readonly #deadlines: StreamDeadlines;
  #chain: HttpChain;
  #state: State = 'idle';
  /** The filter to go on with after a stop; RUNNING once the router has the stream. */
  #resumeAt = RUNNING;
  #heldBody = '';
  #heldEnd = false;
  #responsePaused = false;

  constructor(
    context: ManagerContext,
    chain: HttpChain,
    writer: DownstreamWriter,
    peer: DownstreamPeer,
    head: RequestHead,
  ) {
    this.#context = context;
    this.#chain = chain;
    this.#writer = writer;
    this.#peer = peer;
    this.head = head;
    this.record.workerId = context.workerId;
    this.#forwarding = new Forwarding(this, context.upstreams);
    this.#deadlines = new StreamDeadlines(context.turn, this);
  }

  get isOpen(): boolean {
    return this.#state !== 'idle';
  }

  get isAwaitingResponse(): boolean {
    return this.#state === 'open';
  }

  get downstreamAddress(): string {
    return this.#peer.address;
  }

  get downstreamEnds(): ProxiedAddresses {
    return this.#peer.ends();
  }

  /** A request head has arrived; `openStreams` counts this one. */
  begin(chain: HttpChain, head: RequestHead, openStreams: number): void {
    this.#chain = chain;
    this.#state = 'open';
    this.head = head;
    this.route = undefined;
    this.isRequestComplete = false;
    this.requestEdits.reset();
    this.responseEdits.reset();
    this.#responsePaused = false;
    startRecord(this.record, head, chain.place, this.#peer, this.#context.turn.nowMs, openStreams);
    chain.counters.rqTotal.increment();
    chain.counters.rqActive.add(1);
    const { manager } = chain;
    const { traces } = this.#context;
    this.record.requestId = applyRequestPolicy(manager, head, this.requestEdits, this.#peer.address, chain.requestIds);
    if (chain.tracingShare !== undefined && traces !== undefined) {
      const { fields } = head;
      traces.begin(this.record, fields.get('traceparent'), fields.get('tracestate'), chain.tracingShare);
      propagateTrace(traces, this.record, fields, this.requestEdits);
    }
    const refusal = this.#normalize(chain, head);
    this.route = refusal === undefined ? chain.routes.match(this.head) : undefined;
    this.#deadlines.arm(manager, this.route);
    if (refusal !== undefined) this.sendLocalReply(refusal, '');
    else this.#runFilters(0);
  }

  onRequestBody(buffer: Buffer, start: number, end: number): void {
    this.record.requestBodyBytes += end - start;
    this.#deadlines.touch();
    if (this.#resumeAt === RUNNING) this.#forwarding.sendBody(buffer, start, end);
    else {
      this.#heldBody += latin1Text(buffer, start, end);
      this.#writer.pauseRequest();
    }
  }

  onRequestTrailers(fields: HeaderFields): void {
    if (this.#resumeAt === RUNNING && this.#passesTrailers) this.#forwarding.sendTrailers(fields);
  }

  onRequestEnd(): void {
    this.record.requestEndAtMs = this.#context.turn.nowMs;
    this.isRequestComplete = true;
    this.#deadlines.requestCompleted();
    if (this.#state === 'idle') return;
    this.#deadlines.touch();
    if (this.#resumeAt === RUNNING) this.#forwarding.endRequest();
    else this.#heldEnd = true;
  }

  onTunnelBytes(buffer: Buffer, start: number, end: number): void {
    this.record.requestBodyBytes += end - start;
    this.#deadlines.touch();
    this.#forwarding.sendBody(buffer, start, end);
  }

  onTunnelFinished(): void {
    this.#forwarding.finishTunnel();
  }

  onDownstreamWritable(): void {
    if (!this.#responsePaused) return;
    this.#responsePaused = false;
    this.#forwarding.resumeResponse();
  }

  /** The downstream is gone or broke the protocol: what is open upstream is aborted. */
  cancel(flags: string, details: string): void {
    if (this.#state === 'idle') return;
    this.#chain.counters.rqRxReset.increment();
    const isTunnel = this.#state === 'tunnel';
    this.#forwarding.cancel();
    this.#close(isTunnel ? '' : flags, isTunnel ? '' : details);
  }

  /** Lets go of timers and upstream: the connection ends. */
  destroy(): void {
    this.cancel('DC', LOCAL_REPLIES.downstreamDisconnect.details);
    this.#forwarding.destroy();
    this.#deadlines.remove();
  }

  continueRequest(): void {
    if (this.#state !== 'open' || this.#resumeAt === RUNNING) return;
    const from = this.#resumeAt;
    this.#runFilters(from);
    if (this.#resumeAt !== RUNNING || this.#state !== 'open') return;
    this.#releaseHeldBody();
  }

  prepareRetry(): void {
    const { traces, turn } = this.#context;
    if (this.#chain.tracingShare === undefined || traces === undefined) return;
    traces.nextAttempt(this.record, turn.nowMs);
    propagateTrace(traces, this.record, this.head.fields, this.requestEdits);
  }

  sendInformational(head: ResponseHead): void {
    this.#deadlines.touch();
    // What may be edited in it may not be edited twice: the final head has the edits.
    this.#writer.writeInformational(head, NO_EDITS);
  }

  sendResponseHead(head: ResponseHead): void {
    this.#deadlines.touch();
    this.#writeResponseHead(head, false);
    if (head.status === 101) {
      this.#state = 'tunnel';
      this.#chain.counters.cxUpgradesTotal.increment();
      this.#chain.counters.cxUpgradesActive.add(1);
    }
  }

  sendResponseBody(buffer: Buffer, start: number, end: number): void {
    this.record.responseBodyBytes += end - start;
    this.#deadlines.touch();
    this.#writer.writeBody(buffer, start, end);
    if (this.#writer.isBackedUp && !this.#responsePaused) {
      this.#responsePaused = true;
      this.#forwarding.pauseResponse();
    }
  }

  sendResponseTrailers(fields: HeaderFields): void {
    if (this.#passesTrailers) this.#writer.writeTrailers(fields);
  }

  sendResponseEnd(): void {
    this.#close('', '');
    this.#writer.writeEnd();
  }

  sendLocalReply(reply: LocalReply, detail: string): void {
    if (this.#state !== 'open') return;
    const details = detail === '' ? reply.details : `${reply.details}{${detail}}`;
    if (reply.status === 0) {
      this.#forwarding.cancel();
      this.#close(reply.flags, details);
      this.#writer.abort();
    } else this.#answer(localResponseHead(this.head, reply.status, reply.body), reply, details);
  }

  abortResponse(flags: string, details: string): void {
    if (this.#state === 'tunnel') this.#close('', '');
    else this.#close(flags, details);
    this.#writer.abort();
  }

  holdRequestBody(): void {
    this.#writer.pauseRequest();
  }

  releaseRequestBody(): void {
    this.#writer.resumeRequest();
  }

  finishTunnel(): void {
    this.#writer.finishTunnel();
  }

  onStreamTimeout(timeout: StreamTimeout): void {
    if (this.#state === 'idle') return;
    const { counters } = this.#chain;
    const isLate = this.isRequestComplete;
    if (timeout === 'request') {
      counters.rqTimeout.increment();
      this.#timeOut(LOCAL_REPLIES.requestTimeout);
    } else if (timeout === 'maxDuration') {
      counters.rqMaxDurationReached.increment();
      this.#timeOut(isLate ? LOCAL_REPLIES.maxStreamDurationAfterRequest : LOCAL_REPLIES.maxStreamDuration);
    } else {
      counters.rqIdleTimeout.increment();
      this.#timeOut(isLate ? LOCAL_REPLIES.streamIdleTimeoutAfterRequest : LOCAL_REPLIES.streamIdleTimeout);
    }
  }

  /** `enable_trailers` is a word of `http_protocol_options`, for HTTP/1; HTTP/2 without trailers could not carry gRPC. */
  get #passesTrailers(): boolean {
    return this.head.version === 20 || this.#chain.manager.enableTrailers;
  }

  #timeOut(reply: LocalReply): void {
    this.#forwarding.cancel();
    if (this.#state === 'open') this.sendLocalReply(reply, '');
    else this.abortResponse(reply.flags, reply.details);
  }

  #answer(head: ResponseHead, reply: LocalReply, details: string): void {
    this.#forwarding.cancel();
    this.record.responseFlags = reply.flags;
    this.record.responseCodeDetails = details;
    this.#writeResponseHead(head, reply.isNotProcessed);
    const hasBody = head.bodyLength > 0 && this.head.method !== 'HEAD';
    if (hasBody) {
      this.record.responseBodyBytes += head.bodyLength;
      this.#writer.writeBodyText(reply.body);
    }
    this.#close(reply.flags, details);
    this.#writer.writeEnd();
  }

  #writeResponseHead(head: ResponseHead, isNotProcessed: boolean): void {
    const { filters, place } = this.#chain;
    const edits = this.responseEdits;
    this.#state = 'responding';
    this.record.status = head.status;
    this.route?.applyResponseMutations(edits, head.fields, this.#forwarding.choice);
    filters.runResponseHead(this, head);
    applyResponsePolicy(this.#chain, head.fields, edits, this.record.requestId);
    if (head.fields.indexOf('date') < 0) {
      const { turn } = this.#context;
      edits.addChecked('date', currentDate(turn.clock, turn.nowMs));
    }
    if (isNotProcessed && place.direction === 'inbound') {
      edits.add(NOT_PROCESSED_HEADER, this.record.responseFlags);
    }
    this.#writer.writeHead(head, edits);
  }

  #runFilters(from: number): void {
    this.#resumeAt = RUNNING;
    const stoppedAt = this.#chain.filters.runRequestHead(this, from);
    if (this.#state !== 'open') return;
    if (stoppedAt < 0) this.#routeRequest();
    else this.#resumeAt = stoppedAt;
  }

  #routeRequest(): void {
    const { route } = this;
    if (route === undefined) {
      this.#chain.counters.noRoute.increment();
      this.sendLocalReply(LOCAL_REPLIES.routeNotFound, '');
      return;
    }
    this.record.routeName = route.name;
    const { action } = route;
    if (action.kind === 'directResponse') {
      this.sendLocalReply(plainReply(action.status, 'direct_response', action.body), '');
    } else if (action.kind === 'redirect') {
      this.responseEdits.add('location', redirectLocation(action, route, this.head));
      this.sendLocalReply(plainReply(action.responseCode, 'direct_response', ''), '');
    } else if (this.head.upgrade !== '' && !this.#mayUpgrade(action.upgradeTypes)) {
      this.sendLocalReply(LOCAL_REPLIES.upgradeNotAllowed, this.head.upgrade);
    } else this.#forwarding.begin(route, action);
  }

  #mayUpgrade(routeTypes: ReadonlyMap<string, boolean>): boolean {
    const { upgrade } = this.head;
    return routeTypes.get(upgrade) ?? this.#chain.manager.upgradeTypes.includes(upgrade);
  }

  /** What is left of the head is what routes, policies and the upstream all see. */
  #normalize(chain: HttpChain, head: RequestHead): LocalReply | undefined {
    const refusal = refusalOf(chain, head, this.requestEdits);
    if (refusal !== undefined) return refusal;
    if (!chain.normalizesPath && chain.manager.stripPortFromHost === 'never') return undefined;
    const effective = effectiveHead(chain.manager, head, chain.place.port);
    if (effective === undefined) return LOCAL_REPLIES.pathRejected;
    this.head = effective;
    return undefined;
  }

  #releaseHeldBody(): void {
    const body = this.#heldBody;
    this.#heldBody = '';
    if (body !== '') {
      const bytes = Buffer.from(body, 'latin1');
      this.#forwarding.sendBody(bytes, 0, bytes.length);
      this.#writer.resumeRequest();
    }
    if (this.#heldEnd) {
      this.#heldEnd = false;
      this.#forwarding.endRequest();
    }
  }

  /** The record is complete: counted, traced and handed out, once. */
  #close(flags: string, details: string): void {
    if (this.#state === 'idle') return;
    const { record } = this;
    const { counters, filters, observer } = this.#chain;
    const { traces, turn } = this.#context;
    if (this.#state === 'tunnel') counters.cxUpgradesActive.add(-1);
    this.#state = 'idle';
    this.#resumeAt = RUNNING;
    this.#heldBody = '';
    this.#heldEnd = false;
    this.#deadlines.disarm();
    record.endedAtMs = turn.nowMs;
    if (flags !== '') record.responseFlags = flags;
    if (details !== '') record.responseCodeDetails = details;
    record.userAgent = this.head.fields.get('user-agent') ?? '';
    counters.rqActive.add(-1);
    counters.rqTime.record(record.endedAtMs - record.receivedAtMs);
    if (record.status > 0) counters.answered(record.status);
    filters.runEnd(this);
    if (this.#chain.tracingShare !== undefined) traces?.end(record);
    observer.streamEnded(record);
  }
}

const NO_EDITS = new HeaderEdits();
