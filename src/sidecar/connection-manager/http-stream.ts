import type { RequestHead, ResponseHead } from '../../http/head.ts';
import { HeaderEdits } from '../../http/header-edits.ts';
import type { HeaderFields } from '../../http/header-fields.ts';
import { NO_GRPC_STATUS, NOT_GRPC, StreamRecord } from '../../telemetry/stream-record.ts';
import type { TraceStarter } from '../../telemetry/trace/trace.ts';
import type { ProxiedAddresses } from '../../transport-socket/transport-socket.ts';
import {
  type DownstreamPeer,
  type FilterChain,
  type FilterStream,
  type HostOverride,
  LOCAL_REPLIES,
  type LocalReply,
  NOT_PROCESSED_HEADER,
  plainReply,
} from '../filter/filter.ts';
import { Forwarding, propagateTrace, type RoutedStream } from '../filter/router/router.ts';
import type { CompiledRoute } from '../route/route.ts';
import { clientAddressOf } from './client-address.ts';
import type { DownstreamWriter } from './downstream-writer.ts';
import { noteGrpcCall, noteGrpcStatus } from './grpc-call.ts';
import type { HttpChain, ManagerContext } from './http-chain.ts';
import { grpcTrailers, LocalResponseHead, localResponseHead } from './local-response.ts';
import { effectiveHead } from './path-normalization.ts';
import { RequestPath } from './request-path.ts';
import { applyRequestPolicy, takeExpectation } from './request-policy.ts';
import { refusalOf } from './request-refusal.ts';
import { ResponsePath } from './response-path.ts';
import { finishResponseEdits } from './response-policy.ts';
import { answerOfRoute } from './route-answer.ts';
import { StreamDeadlines, type StreamTimeout, type StreamTimeoutOwner } from './stream-deadlines.ts';
import { startRecord } from './stream-start.ts';
import { timeoutReply } from './timeout-reply.ts';

/**
 *     idle → open ─→ (holding) ─→ responding → idle    (the response is complete)
 *              │                       └─────→ idle    (aborted)
 *              ├──→ tunnel ──────────────────→ idle
 *              └────────────────────────────→ idle    (downstream gone before an answer)
 *
 * holding: a response is here, and a filter has not let its head go yet.
 */
type State = 'idle' | 'open' | 'holding' | 'responding' | 'tunnel';

/**
 * One exchange: request policies, route, filters, router, response policies, and the one record of it all. Knows no codec.
 * An HTTP/1 connection owns one and reuses it; it is 'idle' between requests.
 */
export class HttpStream implements RoutedStream, FilterStream, StreamTimeoutOwner {
  head: RequestHead;
  route: CompiledRoute | undefined = undefined;
  responseHead: ResponseHead | undefined = undefined;
  isRequestComplete = false;
  isRequestPassed = false;
  isLocalReply = false;
  overrideHost: HostOverride | undefined = undefined;
  metadata: FilterStream['metadata'] = undefined;
  readonly peer: DownstreamPeer;
  readonly requestEdits = new HeaderEdits();
  readonly responseEdits = new HeaderEdits();
  readonly record = new StreamRecord();
  readonly #context: ManagerContext;
  readonly #writer: DownstreamWriter;
  readonly #forwarding: Forwarding;
  readonly #deadlines: StreamDeadlines;
  readonly #request: RequestPath;
  readonly #response: ResponsePath;
  #chain: HttpChain;
  /** The chain's filters as the route wants them. */
  #filters: FilterChain;
  #state: State = 'idle';
  /** Counts requests, so that whoever was called can tell that the stream has moved on. */
  #exchange = 0;
  #isNotProcessed = false;
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
    this.#filters = chain.filters;
    this.#writer = writer;
    this.peer = peer;
    this.head = head;
    this.record.workerId = context.workerId;
    this.#forwarding = new Forwarding(this, context.upstreams);
    this.#deadlines = new StreamDeadlines(context.turn, this);
    this.#request = new RequestPath(this, this.#forwarding, writer, context.upstreams);
    this.#response = new ResponsePath(this);
  }

  get isOpen(): boolean {
    return this.#state !== 'idle';
  }

  get isResponsePaused(): boolean {
    return this.#responsePaused;
  }

  get isAwaitingResponse(): boolean {
    return this.#state === 'open' || this.#state === 'holding';
  }

  get clientAddress(): string {
    return clientAddressOf(this.#chain.manager, this.head.fields, this.peer.address);
  }

  get downstreamAddress(): string {
    return this.peer.address;
  }

  get downstreamEnds(): ProxiedAddresses {
    return this.peer.ends();
  }

  /** A request head has arrived; `openStreams` counts this one. */
  begin(chain: HttpChain, head: RequestHead, openStreams: number): void {
    this.#chain = chain;
    this.#state = 'open';
    this.head = head;
    this.route = undefined;
    this.responseHead = undefined;
    this.isRequestComplete = false;
    this.isRequestPassed = false;
    this.isLocalReply = false;
    this.overrideHost = undefined;
    this.metadata = undefined;
    this.requestEdits.reset();
    this.responseEdits.reset();
    this.#exchange++;
    this.#responsePaused = false;
    startRecord(this.record, head, chain.place, this.peer, this.#context.turn.nowMs, openStreams);
    chain.counters.rqTotal.increment();
    chain.counters.rqActive.add(1);
    const { manager } = chain;
    const { traces } = this.#context;
    const { address, transport } = this.peer;
    this.record.requestId = applyRequestPolicy(manager, head, this.requestEdits, address, chain.requestIds, transport);
    if (chain.tracingShare !== undefined && traces !== undefined) {
      const { fields } = head;
      const parent = fields.get('traceparent');
      traces.begin(this.record, parent, parent && fields.get('tracestate'), chain.tracingShare);
      propagateTrace(traces, this.record, fields, this.requestEdits);
    }
    const refusal = this.#normalize(chain, head);
    this.route = refusal === undefined ? chain.routes.match(this.head) : undefined;
    this.#filters = chain.filters.forRoute(this.route);
    this.#deadlines.arm(manager, this.route);
    if (noteGrpcCall(this.record, head)) this.#deadlines.armGrpcDeadline(head.fields, this.route);
    if (refusal !== undefined) this.sendLocalReply(refusal, '');
    else this.#request.begin(this.#filters);
  }

  onRequestBody(buffer: Buffer, start: number, end: number): void {
    this.record.requestBodyBytes += end - start;
    this.#deadlines.touch();
    this.#request.body(buffer, start, end);
  }

  onRequestTrailers(fields: HeaderFields): void {
    if (this.#state !== 'idle') this.#request.trailers(fields);
  }

  onRequestEnd(): void {
    this.record.requestEndAtMs = this.#context.turn.nowMs;
    this.isRequestComplete = true;
    this.#deadlines.requestCompleted();
    if (this.#state === 'idle') return;
    this.#deadlines.touch();
    this.#request.end();
  }

  onTunnelBytes(buffer: Buffer, start: number, end: number): void {
    this.record.requestBodyBytes += end - start;
    this.#deadlines.touch();
    this.#forwarding.sendBody(buffer, start, end);
  }

  onTunnelFinished(): void {
    this.#forwarding.finishTunnel();
  }

  /** The downstream will take no more of the answer for now; perhaps there is none yet. */
  onDownstreamBackedUp(): void {
    if (this.#state === 'idle' || this.#responsePaused) return;
    this.#responsePaused = true;
    this.#forwarding.pauseResponse();
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
    if (this.#state === 'open') this.#request.continue(this.#filters);
  }

  continueResponse(): void {
    if (this.#state === 'holding') this.#response.continue();
  }

  holdRequestUpTo(bytes: number): void {
    this.#request.holdUpTo(bytes);
    if (!takeExpectation(this.head.fields, this.requestEdits)) return;
    this.#writer.writeInformational(new LocalResponseHead(100, [], 0), NO_EDITS);
  }

  holdResponseUpTo(bytes: number): void {
    this.#response.holdUpTo(bytes);
  }

  exchange(): number {
    return this.#state === 'idle' ? 0 : this.#exchange;
  }

  requestPassed(): void {
    this.isRequestPassed = true;
  }

  get traces(): TraceStarter | undefined {
    return this.#chain.tracingShare === undefined ? undefined : this.#context.traces;
  }

  sendInformational(head: ResponseHead): void {
    this.#deadlines.touch();
    // What may be edited in it may not be edited twice: the final head has the edits.
    this.#writer.writeInformational(head, NO_EDITS);
  }

  sendResponseHead(head: ResponseHead): void {
    this.#deadlines.touch();
    this.#isNotProcessed = false;
    this.#beginResponse(head);
    if (head.status === 101) {
      this.#state = 'tunnel';
      this.#chain.counters.cxUpgradesTotal.increment();
      this.#chain.counters.cxUpgradesActive.add(1);
    }
  }

  sendResponseBody(buffer: Buffer, start: number, end: number): void {
    this.#deadlines.touch();
    this.#response.body(buffer, start, end);
  }

  sendResponseTrailers(fields: HeaderFields): void {
    noteGrpcStatus(this.record, fields);
    this.#response.trailers(fields);
  }

  sendResponseEnd(): void {
    this.#response.end();
  }

  responseHeld(): void {
    this.#state = 'holding';
  }

  writeResponseHead(head: ResponseHead): void {
    const { record, responseEdits: edits } = this;
    this.#state = 'responding';
    record.status = head.status;
    noteGrpcStatus(record, head.fields);
    finishResponseEdits(this.#chain, this.#context.turn, head.fields, edits, record.requestId);
    if (this.#isNotProcessed && this.#chain.place.direction === 'inbound') {
      edits.add(NOT_PROCESSED_HEADER, record.responseFlags);
    }
    this.#writer.writeHead(head, edits);
  }

  passResponseBody(buffer: Buffer, start: number, end: number): void {
    this.record.responseBodyBytes += end - start;
    this.#writer.writeBody(buffer, start, end);
    if (this.#writer.isBackedUp) this.onDownstreamBackedUp();
  }

  passResponseTrailers(fields: HeaderFields): void {
    if (this.passesTrailers) this.#writer.writeTrailers(fields);
  }

  finishResponse(): void {
    this.#close('', '');
    this.#writer.writeEnd();
  }

  sendLocalReply(reply: LocalReply, detail: string): void {
    if (!this.isAwaitingResponse) return;
    const details = detail === '' ? reply.details : `${reply.details}{${detail}}`;
    if (reply.status === 0) {
      this.#forwarding.cancel();
      this.#close(reply.flags, details);
      this.#writer.abort();
    } else this.#answer(localResponseHead(this.isGrpcCall, reply), reply, details);
  }

  /** Of a call whose answer has begun: it ends early, in the words that its caller waits for. */
  endCall(reply: LocalReply): void {
    if (this.#state !== 'responding') {
      this.sendLocalReply(reply, '');
      return;
    }
    this.#forwarding.cancel();
    this.record.responseFlags = reply.flags;
    this.record.responseCodeDetails = reply.details;
    this.sendResponseTrailers(grpcTrailers(reply));
    this.#response.end();
  }

  abortResponse(flags: string, details: string): void {
    if (this.#state === 'holding') {
      this.sendLocalReply(plainReply(flags === 'UT' ? 504 : 503, details, '', flags), '');
      return;
    }
    if (this.#state === 'tunnel') this.#close('', '');
    else this.#close(flags, details);
    this.#writer.abort();
  }

  holdRequestBody(): void {
    this.#request.holdForRouter();
  }

  releaseRequestBody(): void {
    this.#request.releaseForRouter();
  }

  finishTunnel(): void {
    this.#writer.finishTunnel();
  }

  onStreamTimeout(timeout: StreamTimeout): void {
    if (this.#state === 'idle') return;
    const reply = timeoutReply(timeout, this.isRequestComplete, this.#chain.counters);
    if (timeout === 'grpcDeadline' && this.#state !== 'tunnel') this.endCall(reply);
    else if (this.isAwaitingResponse) this.sendLocalReply(reply, '');
    else {
      this.#forwarding.cancel();
      this.abortResponse(reply.flags, reply.details);
    }
  }

  /** `enable_trailers` is a word of `http_protocol_options`, for HTTP/1; HTTP/2 without trailers could not carry gRPC. */
  get passesTrailers(): boolean {
    return this.head.version === 20 || this.#chain.manager.enableTrailers;
  }

  /** Whether the caller understands gRPC's statuses, and waits for one. */
  get isGrpcCall(): boolean {
    return this.record.grpcStatus !== NOT_GRPC;
  }

  set isGrpcCall(isCall: boolean) {
    this.record.grpcStatus = isCall ? NO_GRPC_STATUS : NOT_GRPC;
  }

  #answer(head: ResponseHead, reply: LocalReply, details: string): void {
    this.#forwarding.cancel();
    this.record.responseFlags = reply.flags;
    this.record.responseCodeDetails = details;
    // What filters did to a response that was held is not for this one.
    if (this.#state === 'holding') this.responseEdits.reset();
    this.isLocalReply = true;
    this.#isNotProcessed = reply.isNotProcessed;
    this.#beginResponse(head);
    this.#response.bodyText(head.bodyLength > 0 && this.head.method !== 'HEAD' ? reply.body : '');
  }

  #beginResponse(head: ResponseHead): void {
    this.record.status = head.status;
    this.responseHead = head;
    this.route?.applyResponseMutations(this.responseEdits, head.fields, this.#forwarding.choice);
    this.#response.begin(this.#filters, head);
  }

  routeRequest(): void {
    const { route } = this;
    if (route === undefined) {
      this.#chain.counters.noRoute.increment();
      this.sendLocalReply(LOCAL_REPLIES.routeNotFound, '');
      return;
    }
    this.record.routeName = route.name;
    const reply = answerOfRoute(this.#chain.manager, route, this.head, this.responseEdits);
    if (reply !== undefined)
      this.sendLocalReply(reply, reply === LOCAL_REPLIES.upgradeNotAllowed ? this.head.upgrade : '');
    else if (route.action.kind === 'route') this.#request.forward(route, route.action);
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

  /** The record is complete: counted, traced and handed out, once. */
  #close(flags: string, details: string): void {
    if (this.#state === 'idle') return;
    const { record } = this;
    const { counters, observer } = this.#chain;
    const { traces, turn } = this.#context;
    if (this.#state === 'tunnel') counters.cxUpgradesActive.add(-1);
    this.#state = 'idle';
    this.#request.clear();
    this.#response.clear();
    this.#deadlines.disarm();
    record.endedAtMs = turn.nowMs;
    if (flags !== '') record.responseFlags = flags;
    if (details !== '') record.responseCodeDetails = details;
    if (record.sampled || this.#chain.showsRecords) record.userAgent = this.head.fields.get('user-agent') ?? '';
    counters.rqActive.add(-1);
    counters.rqTime.record(record.endedAtMs - record.receivedAtMs);
    if (record.status > 0) counters.answered(record.status);
    this.#filters.runEnd(this);
    if (this.#chain.tracingShare !== undefined) traces?.end(record);
    observer.streamEnded(record);
  }
}

const NO_EDITS = new HeaderEdits();
