import { type RequestHead, type ResponseHead, UNKNOWN_LENGTH } from '../../../http/head.ts';
import { HeaderEdits } from '../../../http/header-edits.ts';
import type { HeaderFields } from '../../../http/header-fields.ts';
import { ListedFields } from '../../../http/listed-fields.ts';
import { Deadline, type DeadlineOwner } from '../../../transport-socket/transport-socket.ts';
import { type Host, PLAIN_PICK } from '../../cluster/cluster.ts';
import {
  type ConnectionWaiter,
  CopiedFields,
  type PoolFailure,
  type ResetReason,
  type UpstreamExchange,
  type UpstreamPool,
  type UpstreamRequestLine,
  type UpstreamSink,
} from '../../pool/pool.ts';
import type { UpstreamCall, UpstreamCallOutcome, UpstreamCallRequest, UpstreamCalls } from '../filter.ts';
import { admissionRefusal } from './request-admission.ts';
import type { UpstreamCluster, Upstreams } from './upstreams.ts';

/** The longest answer that a filter is given. */
const MAX_ANSWER_BYTES = 1_048_576;

/** Requests that filters make for themselves, over the clusters of one worker. */
export class FilterCalls implements UpstreamCalls {
  readonly #upstreams: Upstreams;

  constructor(upstreams: Upstreams) {
    this.#upstreams = upstreams;
  }

  start(request: UpstreamCallRequest, onOutcome: (outcome: UpstreamCallOutcome) => void): UpstreamCall {
    const upstream = this.#upstreams.get(request.clusterName);
    const refusal = upstream === undefined ? undefined : admissionRefusal(upstream, this.#upstreams.random);
    if (upstream === undefined || refusal !== undefined) {
      onOutcome({ kind: 'failed', detail: refusal?.details ?? 'cluster_not_found', isTimeout: false });
      return NOTHING_TO_CANCEL;
    }
    if (request.isGrpc && upstream.speaksOnlyHttp1) {
      upstream.cluster.breakers.release('requests');
      onOutcome({ kind: 'failed', detail: 'grpc_needs_http2', isTimeout: false });
      return NOTHING_TO_CANCEL;
    }
    const call = new FilterCall(this.#upstreams, upstream, request, onOutcome);
    call.begin();
    return call;
  }
}

const NOTHING_TO_CANCEL: UpstreamCall = { cancel: () => undefined };

/**
 *     acquiring → awaiting → over
 *
 * One try and no other: a filter's question holds a request up, and its timeout is short.
 */
class FilterCall implements UpstreamCall, ConnectionWaiter, UpstreamSink, DeadlineOwner {
  readonly #upstreams: Upstreams;
  readonly #upstream: UpstreamCluster;
  readonly #request: UpstreamCallRequest;
  readonly #onOutcome: (outcome: UpstreamCallOutcome) => void;
  readonly #deadline: Deadline = new Deadline(this);
  readonly #startedAtMs: number;
  #host: Host | undefined = undefined;
  #pool: UpstreamPool | undefined = undefined;
  #connection: UpstreamExchange | undefined = undefined;
  #isOver = false;
  #status = 0;
  #fields: HeaderFields = NO_FIELDS;
  #trailers: HeaderFields | undefined = undefined;
  #pieces: Buffer[] = [];
  #bytes = 0;

  constructor(
    upstreams: Upstreams,
    upstream: UpstreamCluster,
    request: UpstreamCallRequest,
    onOutcome: (outcome: UpstreamCallOutcome) => void,
  ) {
    this.#upstreams = upstreams;
    this.#upstream = upstream;
    this.#request = request;
    this.#onOutcome = onOutcome;
    this.#startedAtMs = upstreams.turn.nowMs;
    upstream.counters.rqActive.add(1);
  }

  begin(): void {
    const { turn } = this.#upstreams;
    const host = this.#upstream.cluster.pick(PLAIN_PICK);
    if (host === undefined) {
      this.#upstream.counters.noHealthyUpstream.increment();
      this.#fail('no_healthy_upstream', false);
      return;
    }
    this.#host = host;
    host.requestStarted();
    this.#upstream.counters.rqTotal.increment();
    turn.deadlines.schedule(this.#deadline, turn.nowMs + this.#request.timeoutMs);
    const pool = this.#upstream.poolOf(host, this.#request.isGrpc ? 20 : 11);
    this.#pool = pool;
    pool.acquire(this, false);
  }

  cancel(): void {
    if (this.#isOver) return;
    this.#upstream.counters.rqCancelled.increment();
    this.#drop();
    this.#finish();
  }

  onConnectionReady(connection: UpstreamExchange): void {
    this.#pool = undefined;
    const { body, isGrpc } = this.#request;
    const line = requestLine(this.#request, this.#upstream.optionsFor(this.#hostOf()).tls !== undefined);
    try {
      connection.startRequest(this, new CallHead(this.#request, line), NO_EDITS, line, '');
    } catch {
      // Configuration is checked before; what is left came with the request.
      connection.abort();
      this.#fail('unwritable_request', false);
      return;
    }
    this.#connection = connection;
    if (body.length > 0 || isGrpc) {
      connection.sendBody(Buffer.from(body.buffer, body.byteOffset, body.byteLength), 0, body.length);
    }
    connection.endRequest(undefined);
  }

  onPoolFailure(failure: PoolFailure, detail: string): void {
    this.#pool = undefined;
    this.#fail(detail === '' ? failure : `${failure},${detail}`, false);
  }

  onUpstreamInformational(): void {
    // The answer follows.
  }

  onUpstreamHead(head: ResponseHead): void {
    this.#status = head.status;
    this.#fields = new CopiedFields(head.fields);
    if (head.status !== 101) return;
    this.#drop();
    this.#fail('switching_protocols', false);
  }

  onUpstreamBody(buffer: Buffer, start: number, end: number): void {
    if (this.#isOver) return;
    this.#bytes += end - start;
    if (this.#bytes > MAX_ANSWER_BYTES) {
      this.#drop();
      this.#fail('answer_too_large', false);
    } else this.#pieces.push(Buffer.from(buffer.subarray(start, end)));
  }

  onUpstreamTrailers(fields: HeaderFields): void {
    this.#trailers = new CopiedFields(fields);
  }

  onUpstreamEnd(): void {
    this.#connection = undefined;
    if (this.#isOver) return;
    const body = Buffer.concat(this.#pieces);
    this.#finish();
    this.#onOutcome({
      kind: 'answered',
      status: this.#status,
      fields: this.#fields,
      trailers: this.#trailers,
      body,
    });
  }

  onUpstreamFinished(): void {
    // Only tunnels finish.
  }

  onUpstreamReset(reason: ResetReason, detail: string): void {
    this.#connection = undefined;
    this.#upstream.counters.rqRxReset.increment();
    this.#status = 0;
    this.#fail(detail === '' ? reason : `${reason},${detail}`, false);
  }

  onUpstreamWritable(): void {
    // All of it was handed over at once.
  }

  onDeadline(): void {
    if (this.#isOver) return;
    this.#upstream.counters.rqTimeout.increment();
    this.#drop();
    this.#status = 504;
    this.#fail('timeout', true);
  }

  #hostOf(): Host {
    const host = this.#host;
    if (host === undefined) throw new Error('a connection came for a call without a host');
    return host;
  }

  #fail(detail: string, isTimeout: boolean): void {
    if (this.#isOver) return;
    this.#finish();
    this.#onOutcome({ kind: 'failed', detail, isTimeout });
  }

  #drop(): void {
    const connection = this.#connection;
    this.#connection = undefined;
    connection?.abort();
    this.#pool?.cancel(this);
    this.#pool = undefined;
  }

  #finish(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#pieces = [];
    const { turn, onHostOutcome } = this.#upstreams;
    const { counters, cluster } = this.#upstream;
    turn.deadlines.remove(this.#deadline);
    const host = this.#host;
    const latencyMs = turn.nowMs - this.#startedAtMs;
    if (host !== undefined) {
      host.requestEnded();
      if (this.#status > 0) onHostOutcome(host, this.#status, latencyMs);
    }
    if (this.#status > 0) {
      counters.completed(this.#status);
      counters.rqTime.record(latencyMs);
    }
    cluster.breakers.release('requests');
    counters.rqActive.add(-1);
  }
}

function requestLine({ method, path, authority }: UpstreamCallRequest, isTls: boolean): UpstreamRequestLine {
  return { method, path, authority, scheme: isTls ? 'https' : 'http', upgrade: '' };
}

/** The head of a request that nobody sent us. */
class CallHead implements RequestHead {
  readonly version: RequestHead['version'];
  readonly method: string;
  readonly scheme: 'http' | 'https';
  readonly authority: string;
  readonly path: string;
  readonly fields: HeaderFields;
  readonly bodyLength: number;
  readonly upgrade = '';
  readonly expectContinue = false;

  constructor({ body, pairs, isGrpc }: UpstreamCallRequest, line: UpstreamRequestLine) {
    this.version = isGrpc ? 20 : 11;
    this.method = line.method;
    this.scheme = line.scheme;
    this.authority = line.authority;
    this.path = line.path;
    this.fields = new ListedFields(pairs);
    this.bodyLength = isGrpc ? UNKNOWN_LENGTH : body.length;
  }
}

const NO_EDITS = new HeaderEdits();
const NO_FIELDS = new ListedFields([]);
