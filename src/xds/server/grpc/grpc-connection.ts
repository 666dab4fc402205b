import { grpcTimeoutMs, isGrpc } from '../../../http/grpc/grpc.ts';
import type { RequestHead } from '../../../http/head.ts';
import {
  type Http2Fault,
  type Http2Limits,
  Http2Output,
  Http2ServerConnection,
  type Http2ServerSink,
  type Http2ServerStream,
  type Http2StreamSink,
} from '../../../http/http2/http2.ts';
import {
  type ByteStreamUser,
  Deadline,
  type DeadlineOwner,
  type EventTurn,
} from '../../../transport-socket/transport-socket.ts';
import type { AcceptedTransport } from './accepted-transport.ts';
import { type CallHost, GrpcCall } from './grpc-call.ts';
import { GrpcStatus } from './grpc-status.ts';
import type { StartCall } from './server-call.ts';

/** What all connections of a server share. */
export interface ConnectionContext {
  readonly turn: EventTurn;
  /** By path. */
  readonly methods: ReadonlyMap<string, StartCall>;
  readonly limits: Http2Limits;
  readonly maxMessageBytes: number;
  readonly maxIdleMs: number;
  /** At which age this one is asked to go; Infinity: never. */
  readonly nextMaxAgeMs: () => number;
  /** How long calls may go on after that. */
  readonly ageGraceMs: number;
  /** The client has broken HTTP/2, or a bound that we have set on it. */
  onFault(): void;
  onClosed(connection: GrpcConnection): void;
}

const NEVER = Number.POSITIVE_INFINITY;
/** How long the client may take to close after we have. */
const LINGER_MS = 1_000;

/**
 *     serving ──drained, faulty or left by its client──► lingering ──► closed
 *
 * One connection of a client: its calls, its deadlines, and the frames of one turn in one write.
 */
export class GrpcConnection implements ByteStreamUser, Http2ServerSink, CallHost, DeadlineOwner {
  readonly peer: string;
  readonly certifiedUris: readonly string[];
  readonly maxMessageBytes: number;
  readonly turn: EventTurn;
  readonly #context: ConnectionContext;
  readonly #bytes: AcceptedTransport;
  readonly #codec: Http2ServerConnection;
  readonly #output: Http2Output;
  readonly #deadline: Deadline = new Deadline(this);
  readonly #calls = new Set<GrpcCall>();
  /** Ended by us, with frames that wait for the client's window. */
  #unsettled: GrpcCall[] = [];
  #state: 'serving' | 'lingering' | 'closed' = 'serving';
  #idleAtMs = NEVER;
  #agedAtMs = NEVER;
  /** When calls of a connection that is too old are ended. */
  #graceOverAtMs = NEVER;
  #armedAtMs = NEVER;

  constructor(context: ConnectionContext, bytes: AcceptedTransport) {
    const { turn } = context;
    this.#context = context;
    this.turn = turn;
    this.#bytes = bytes;
    this.peer = peerText(bytes.remoteAddress, bytes.remotePort);
    this.certifiedUris = bytes.certifiedUris;
    this.maxMessageBytes = context.maxMessageBytes;
    const flushLater = (): void => turn.markDirty(this);
    const flushSoon = (): void => turn.markFull(this);
    this.#output = new Http2Output(flushLater, flushSoon);
    const scheme = bytes.isSecure ? 'https' : 'http';
    this.#codec = new Http2ServerConnection(this, this.#output, context.limits, turn.nowMs, scheme);
    this.#agedAtMs = turn.nowMs + context.nextMaxAgeMs();
    this.#idleAtMs = turn.nowMs + context.maxIdleMs;
    this.#arm();
    bytes.user = this;
    bytes.resume();
  }

  /** Asks the client to go elsewhere: calls under way go on. */
  drain(): void {
    if (this.#state === 'serving') this.#codec.drain();
  }

  /** Ends every call with UNAVAILABLE, which sends clients elsewhere at once, and the connection behind them. */
  endCalls(details: string): void {
    for (const call of [...this.#calls]) call.end({ code: GrpcStatus.UNAVAILABLE, details });
  }

  destroy(): void {
    if (this.#state === 'closed') return;
    this.#codec.close();
    this.flush();
    this.#bytes.destroy();
    this.#end();
  }

  /** The turn calls this; nobody else needs to. */
  flush(): void {
    const { length } = this.#output;
    if (length > 0) {
      if (!this.#bytes.writeOwned(this.#output.bytes, length)) this.#output.giveAway();
      this.#codec.outputTaken(this.#bytes.isBackedUp);
    }
    if (this.#unsettled.length > 0) this.#settle();
    if (this.#state === 'lingering') this.#bytes.finish();
    else if (this.#state === 'serving') this.#arm();
  }

  onConnected(): void {
    // An accepted connection is born connected.
  }

  onBytes(buffer: Buffer, start: number, end: number): void {
    if (this.#state !== 'serving') return;
    this.#codec.receive(buffer, start, end, this.#context.turn.nowMs);
    if (this.#unsettled.length > 0) this.#context.turn.markDirty(this);
    this.#arm();
  }

  onPeerFinished(): void {
    this.#codec.lost();
    this.#startLingering();
  }

  onWritable(): void {
    if (this.#state === 'serving') this.#codec.onSocketDrained();
  }

  onClosed(): void {
    this.#codec.lost();
    this.#end();
  }

  onDeadline(_deadline: Deadline, nowMs: number): void {
    this.#armedAtMs = NEVER;
    if (this.#state !== 'serving') {
      this.destroy();
      return;
    }
    this.#codec.advance(nowMs);
    if (nowMs >= this.#idleAtMs) {
      this.#idleAtMs = NEVER;
      this.#codec.drain();
    }
    if (nowMs >= this.#agedAtMs) {
      this.#agedAtMs = NEVER;
      this.#graceOverAtMs = nowMs + this.#context.ageGraceMs;
      this.#codec.drain();
    }
    if (nowMs >= this.#graceOverAtMs) {
      this.#graceOverAtMs = NEVER;
      this.endCalls('this connection has reached its age: connect again');
      this.#codec.finishDrain();
    }
    this.#arm();
  }

  onRequestHead(stream: Http2ServerStream, head: RequestHead): Http2StreamSink {
    const call = new GrpcCall(this, stream);
    this.#calls.add(call);
    this.#idleAtMs = NEVER;
    if (head.method !== 'POST') call.refuseHttp(405);
    else if (!isGrpc(head.fields)) call.refuseHttp(415);
    else this.#start(call, head);
    return call;
  }

  onConnectionFault(_fault: Http2Fault): void {
    this.#context.onFault();
    this.#startLingering();
  }

  onStreamRefused(_fault: Http2Fault): void {
    // Its client has been told by RST_STREAM; who does it often is ended by the codec.
  }

  onDrained(): void {
    this.#startLingering();
  }

  onPingAcknowledged(): void {
    this.#arm();
  }

  onCallUnsettled(call: GrpcCall): void {
    this.#unsettled.push(call);
  }

  onCallOver(call: GrpcCall): void {
    this.#calls.delete(call);
    if (this.#calls.size === 0) this.#idleAtMs = this.#context.turn.nowMs + this.#context.maxIdleMs;
  }

  #start(call: GrpcCall, head: RequestHead): void {
    const start = this.#context.methods.get(head.path);
    if (start === undefined) {
      call.end({ code: GrpcStatus.UNIMPLEMENTED, details: `there is no method ${head.path} here` });
      return;
    }
    call.start(start);
    const timeoutMs = grpcTimeoutMs(head.fields);
    if (timeoutMs !== undefined) call.limitTime(timeoutMs);
  }

  #settle(): void {
    const unsettled = this.#unsettled;
    this.#unsettled = [];
    for (const call of unsettled) call.settle();
  }

  /** Only ever brings the deadline closer: what it finds too early is looked at again when it fires. */
  #arm(): void {
    if (this.#state !== 'serving') return;
    const atMs = Math.min(this.#codec.nextDeadlineMs, this.#idleAtMs, this.#agedAtMs, this.#graceOverAtMs);
    if (atMs >= this.#armedAtMs) return;
    this.#armedAtMs = atMs;
    this.#context.turn.deadlines.schedule(this.#deadline, atMs);
  }

  #startLingering(): void {
    if (this.#state !== 'serving') return;
    this.#state = 'lingering';
    const { turn } = this.#context;
    turn.markDirty(this);
    turn.deadlines.schedule(this.#deadline, turn.nowMs + LINGER_MS);
  }

  #end(): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#context.turn.deadlines.remove(this.#deadline);
    this.#context.onClosed(this);
  }
}

function peerText(address: string, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}
