import { ChangedRequestHead } from '../../../http/changed-head.ts';
import type { RequestHead, ResponseHead } from '../../../http/head.ts';
import { HeaderEdits } from '../../../http/header-edits.ts';
import type { RouteAction } from '../../../resource/route-configuration.ts';
import { Deadline, type DeadlineOwner, latin1Text } from '../../../transport-socket/transport-socket.ts';
import { type Host, PLAIN_PICK } from '../../cluster/cluster.ts';
import {
  type ConnectionWaiter,
  CopiedFields,
  type UpstreamExchange,
  type UpstreamPool,
  type UpstreamRequestLine,
  type UpstreamSink,
} from '../../pool/pool.ts';
import type { CompiledRoute } from '../../route/route.ts';
import { admissionRefusal } from './request-admission.ts';
import type { RoutedStream } from './routed-stream.ts';
import type { UpstreamCluster, Upstreams } from './upstreams.ts';

/** Bytes of a body that a mirror keeps while it has no connection; one that needs more is given up. */
const MAX_HELD_BYTES = 65_536;
/** How long a mirrored request may take where its route sets no timeout. */
const DEFAULT_TIMEOUT_MS = 15_000;

/** What is copied of the stream. */
type MirroredStream = Pick<RoutedStream, 'head' | 'requestEdits'>;

/** The mirrors that a request asks for: those whose share it falls into and whose cluster takes them. */
export function startMirrors(
  upstreams: Upstreams,
  stream: MirroredStream,
  route: CompiledRoute,
  action: RouteAction,
): readonly Mirror[] {
  const mirrors: Mirror[] = [];
  for (const { cluster, fraction } of action.requestMirrorPolicies) {
    if (stream.head.upgrade !== '' || (fraction < 1 && upstreams.random.next() >= fraction)) continue;
    const upstream = upstreams.get(cluster);
    if (upstream === undefined || admissionRefusal(upstream, upstreams.random) !== undefined) continue;
    mirrors.push(new Mirror(upstreams, upstream, stream, route, action));
  }
  return mirrors;
}

/**
 *     acquiring → sending → awaiting → over
 *
 * A copy of one request for another cluster (`request_mirror_policies`). Its answer is thrown away, and nobody waits for
 * it: a mirror that cannot keep up is given up. Once it has all of the request it lives on without the stream it came from.
 */
export class Mirror implements ConnectionWaiter, UpstreamSink, DeadlineOwner {
  readonly #upstreams: Upstreams;
  readonly #upstream: UpstreamCluster;
  readonly #head: RequestHead;
  readonly #edits: HeaderEdits;
  readonly #line: UpstreamRequestLine;
  readonly #timeoutMs: number;
  readonly #deadline: Deadline = new Deadline(this);
  readonly #startedAtMs: number;
  #host: Host | undefined = undefined;
  #pool: UpstreamPool | undefined = undefined;
  #connection: UpstreamExchange | undefined = undefined;
  #text = '';
  #isEnded = false;
  #isOver = false;
  #status = 0;

  constructor(
    upstreams: Upstreams,
    upstream: UpstreamCluster,
    stream: MirroredStream,
    route: CompiledRoute,
    action: RouteAction,
  ) {
    const { head, requestEdits } = stream;
    const fields = new CopiedFields(head.fields);
    this.#upstreams = upstreams;
    this.#upstream = upstream;
    this.#startedAtMs = upstreams.turn.nowMs;
    this.#timeoutMs = action.timeoutMs > 0 ? action.timeoutMs : DEFAULT_TIMEOUT_MS;
    // The stream's own are used again for the next request before this one may have found a connection.
    this.#head = new CopiedRequestHead(head, fields);
    this.#edits = copyOf(requestEdits, fields);
    this.#edits.remove(fields, 'expect');
    upstream.counters.rqActive.add(1);
    // It is no part of the connection, so that it does not go where that was meant to go.
    const host = upstream.pick(PLAIN_PICK, { head, requestEdits });
    const authority = shadowOf(route.rewriteAuthority(head, host?.endpoint.hostname ?? ''));
    const { method, scheme } = head;
    this.#line = { method, scheme, authority, path: route.rewritePath(head.path), upgrade: '' };
    if (host === undefined) {
      upstream.counters.noHealthyUpstream.increment();
      this.#finish();
      return;
    }
    this.#host = host;
    host.requestStarted();
    upstream.counters.rqTotal.increment();
    this.#pool = upstream.poolOf(host, head.version);
    this.#pool.acquire(this, false);
  }

  body(buffer: Buffer, start: number, end: number): void {
    if (this.#isOver) return;
    if (this.#connection === undefined) {
      this.#text += latin1Text(buffer, start, end);
      if (this.#text.length > MAX_HELD_BYTES) this.giveUp();
      return;
    }
    this.#connection.sendBody(buffer, start, end);
    if (this.#connection.isBackedUp) this.giveUp();
  }

  end(): void {
    if (this.#isOver) return;
    const { turn } = this.#upstreams;
    this.#isEnded = true;
    turn.deadlines.schedule(this.#deadline, turn.nowMs + this.#timeoutMs);
    this.#connection?.endRequest(undefined);
  }

  /** The request it mirrors has ended: one that has not all of it will never have. */
  streamEnded(): void {
    if (!this.#isEnded) this.giveUp();
  }

  giveUp(): void {
    if (this.#isOver) return;
    this.#upstream.counters.rqCancelled.increment();
    this.#connection?.abort();
    this.#pool?.cancel(this);
    this.#finish();
  }

  onConnectionReady(connection: UpstreamExchange): void {
    this.#pool = undefined;
    try {
      connection.startRequest(this, this.#head, this.#edits, this.#line, '');
    } catch {
      connection.abort();
      this.#finish();
      return;
    }
    this.#connection = connection;
    if (this.#text !== '') connection.sendBodyText(this.#text);
    this.#text = '';
    if (this.#isEnded) connection.endRequest(undefined);
  }

  onPoolFailure(): void {
    this.#pool = undefined;
    this.#finish();
  }

  onUpstreamInformational(): void {
    // Nobody waits for it.
  }

  onUpstreamHead(head: ResponseHead): void {
    this.#status = head.status;
    if (head.status === 101) this.giveUp();
  }

  onUpstreamBody(): void {
    // Thrown away.
  }

  onUpstreamTrailers(): void {
    // Thrown away.
  }

  onUpstreamEnd(): void {
    this.#connection = undefined;
    this.#finish();
  }

  onUpstreamFinished(): void {
    // Only tunnels finish.
  }

  onUpstreamReset(): void {
    this.#connection = undefined;
    this.#upstream.counters.rqRxReset.increment();
    this.#finish();
  }

  onUpstreamWritable(): void {
    // What backs up is given up.
  }

  onDeadline(): void {
    this.#upstream.counters.rqTimeout.increment();
    this.giveUp();
  }

  #finish(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#text = '';
    const { turn, onHostOutcome } = this.#upstreams;
    const { counters, cluster } = this.#upstream;
    turn.deadlines.remove(this.#deadline);
    const host = this.#host;
    if (host !== undefined) {
      host.requestEnded();
      if (this.#status > 0) onHostOutcome(host, this.#status, turn.nowMs - this.#startedAtMs);
    }
    if (this.#status > 0) counters.completed(this.#status);
    cluster.breakers.release('requests');
    counters.rqActive.add(-1);
  }
}

/** The head with fields of its own. */
class CopiedRequestHead extends ChangedRequestHead {
  override readonly fields: CopiedFields;

  constructor(head: RequestHead, fields: CopiedFields) {
    super(head, {});
    this.fields = fields;
  }
}

function copyOf(edits: HeaderEdits, fields: CopiedFields): HeaderEdits {
  const copy = new HeaderEdits();
  for (let index = 0; index < fields.count; index++) if (edits.isRemoved(index)) copy.removeAt(index);
  for (let pair = 0; pair < edits.addedCount; pair++) copy.add(edits.addedName(pair), edits.addedValue(pair));
  return copy;
}

/** Envoy marks what is mirrored in its authority: `web:80` becomes `web-shadow:80`. */
function shadowOf(authority: string): string {
  const colon = authority.lastIndexOf(':');
  const hasPort = colon > authority.lastIndexOf(']');
  if (authority.startsWith('[')) return authority;
  return hasPort ? `${authority.slice(0, colon)}-shadow${authority.slice(colon)}` : `${authority}-shadow`;
}
