import { encodeGrpcMessage } from '../../../http/grpc/grpc.ts';
import { UNKNOWN_LENGTH } from '../../../http/http.ts';
import { Http2ErrorCode, type Http2ServerStream, type Http2StreamSink } from '../../../http/http2/http2.ts';
import { Deadline, type DeadlineOwner, type EventTurn } from '../../../transport-socket/transport-socket.ts';
import { type CallStatus, GrpcStatus } from './grpc-status.ts';
import { MessageReader, type MessageSink } from './message-reader.ts';
import { type CallHandler, NO_HANDLER, type ServerCall, type StartCall } from './server-call.ts';

/** The connection as its calls see it. */
export interface CallHost {
  readonly peer: string;
  readonly certifiedUris: readonly string[];
  readonly maxMessageBytes: number;
  readonly turn: EventTurn;
  /** Ended by us while frames still wait: `settle` is to be called when some have left. */
  onCallUnsettled(call: GrpcCall): void;
  /** The call and its stream are over. */
  onCallOver(call: GrpcCall): void;
}

const CONTENT_TYPE: readonly string[] = ['content-type', 'application/grpc', 'grpc-accept-encoding', 'identity'];
/** A text of hostile making would else pass what clients take for a head. */
const MAX_DETAILS_LENGTH = 2_000;
/** How much of a message is handed to the codec at once: what no window admits is copied there. */
const PIECE_BYTES = 16 * 1024;
const PREFIX = Buffer.alloc(5);
const NOTHING_SENT = -1;

/**
 *     open ──end()──► ending ──last frame has left──► over        open, ending ──reset, connection lost──► over
 *
 * One call on one stream. What cannot be sent waits here as whole messages, of which the codec is given a piece at a time.
 */
export class GrpcCall implements ServerCall, Http2StreamSink, MessageSink, DeadlineOwner {
  readonly #host: CallHost;
  readonly #stream: Http2ServerStream;
  readonly #reader: MessageReader;
  #handler: CallHandler = NO_HANDLER;
  #state: 'open' | 'ending' | 'over' = 'open';
  #isHeadSent = false;
  #isPaused = false;
  /** Came while paused: at most the stream's window. */
  #held: Buffer | undefined = undefined;
  #heldBytes = 0;
  #isHalfCloseHeld = false;
  /** Messages that wait, and from where on the first does: NOTHING_SENT where not even its prefix has been handed over. */
  #waiting: Buffer[] = [];
  #sentOfFirst = NOTHING_SENT;
  #toldFull = false;
  #status: CallStatus | undefined = undefined;
  /** Most calls have none. */
  #deadline: Deadline | undefined = undefined;

  constructor(host: CallHost, stream: Http2ServerStream) {
    this.#host = host;
    this.#stream = stream;
    this.#reader = new MessageReader(this, host.maxMessageBytes);
  }

  start(start: StartCall): void {
    this.#handler = start(this);
  }

  /** What the client has said of its patience (`grpc-timeout`). */
  limitTime(timeoutMs: number): void {
    if (this.#state !== 'open') return;
    const { deadlines, nowMs } = this.#host.turn;
    this.#deadline = new Deadline(this);
    deadlines.schedule(this.#deadline, nowMs + timeoutMs);
  }

  get peer(): string {
    return this.#host.peer;
  }

  get certifiedUris(): readonly string[] {
    return this.#host.certifiedUris;
  }

  get isReading(): boolean {
    return this.#state === 'open' && !this.#isPaused;
  }

  /** Answers what is no call as HTTP has it (grpc: PROTOCOL-HTTP2.md, "HTTP2 Transport Mapping"). */
  refuseHttp(status: number): void {
    this.#state = 'ending';
    this.#stream.sendLocalHead(status, [], 0);
    this.#stream.end();
    this.settle();
  }

  send(message: Buffer): boolean {
    if (this.#state !== 'open') return false;
    if (!this.#isHeadSent) {
      this.#isHeadSent = true;
      this.#stream.sendLocalHead(200, CONTENT_TYPE, UNKNOWN_LENGTH);
    }
    if (this.#waiting.length > 0 || this.#stream.isBackedUp) this.#waiting.push(message);
    else this.#sendFrom(message, NOTHING_SENT);
    this.#toldFull = this.#waiting.length > 0 || this.#stream.isBackedUp;
    return !this.#toldFull;
  }

  end(status: CallStatus): void {
    if (this.#state !== 'open') return;
    this.#state = 'ending';
    this.#status = status;
    this.#dropHeld();
    if (this.#waiting.length === 0) this.#sendStatus(status);
    this.#handler.onClosed();
    this.settle();
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#readHeld();
  }

  onBody(buffer: Buffer, start: number, end: number): void {
    if (this.#state !== 'open') {
      this.#stream.credit(end - start);
      return;
    }
    const at = this.#held === undefined ? this.#reader.read(buffer, start, end) : start;
    if (at > start) this.#stream.credit(at - start);
    if (at < end && this.#state === 'open') this.#hold(buffer, at, end);
    else if (at < end) this.#stream.credit(end - at);
  }

  onTrailers(): void {
    // Clients have none to send.
  }

  onEnd(): void {
    if (this.#state !== 'open') this.settle();
    else if (this.#held === undefined) this.#halfClose();
    else this.#isHalfCloseHeld = true;
  }

  onReset(): void {
    if (this.#state === 'over') return;
    const wasOpen = this.#state === 'open';
    this.#over();
    if (wasOpen) this.#handler.onClosed();
  }

  onWritable(): void {
    if (this.#state === 'over') return;
    this.#sendWaiting();
    if (this.#waiting.length > 0 || this.#stream.isBackedUp) return;
    if (this.#status !== undefined) {
      this.#sendStatus(this.#status);
      this.settle();
    } else if (this.#toldFull) {
      this.#toldFull = false;
      this.#handler.onWritable();
    }
  }

  onMessage(bytes: Buffer): void {
    this.#handler.onMessage(bytes);
  }

  onDeadline(): void {
    this.end({ code: GrpcStatus.DEADLINE_EXCEEDED, details: 'the time that the client gave has passed' });
  }

  onFault(status: CallStatus): void {
    this.end(status);
  }

  /** Lets go of a stream whose status has been sent; RFC 9113 §8.1 has the rest of a request that nobody wants refused so. */
  settle(): void {
    if (this.#state !== 'ending') return;
    const stream = this.#stream;
    if (stream.state === 'halfClosedLocal') {
      stream.reset(Http2ErrorCode.NO_ERROR);
      this.#over();
    } else if (stream.isClosed) this.#over();
    else this.#host.onCallUnsettled(this);
  }

  #over(): void {
    this.#state = 'over';
    this.#waiting.length = 0;
    this.#held = undefined;
    if (this.#deadline !== undefined) this.#host.turn.deadlines.remove(this.#deadline);
    this.#stream.release();
    this.#host.onCallOver(this);
  }

  #halfClose(): void {
    if (this.#reader.isInside) this.end({ code: GrpcStatus.INTERNAL, details: 'the stream ends inside a message' });
    else this.#handler.onHalfClose();
  }

  #hold(buffer: Buffer, start: number, end: number): void {
    const bytes = this.#heldBytes + end - start;
    if (this.#held === undefined || this.#held.length < bytes) {
      const wider = Buffer.allocUnsafeSlow(Math.max(bytes, this.#heldBytes * 2));
      this.#held?.copy(wider, 0, 0, this.#heldBytes);
      this.#held = wider;
    }
    buffer.copy(this.#held, this.#heldBytes, start, end);
    this.#heldBytes = bytes;
  }

  #readHeld(): void {
    const held = this.#held;
    if (held === undefined || this.#state !== 'open') return;
    const read = this.#reader.read(held, 0, this.#heldBytes);
    if (!this.#isOpen) return;
    this.#stream.credit(read);
    if (read < this.#heldBytes) {
      held.copy(held, 0, read, this.#heldBytes);
      this.#heldBytes -= read;
      return;
    }
    this.#held = undefined;
    this.#heldBytes = 0;
    if (!this.#isHalfCloseHeld) return;
    this.#isHalfCloseHeld = false;
    this.#halfClose();
  }

  #dropHeld(): void {
    this.#held = undefined;
    this.#stream.credit(this.#heldBytes);
    this.#heldBytes = 0;
  }

  /** A message may have ended the call meanwhile. */
  get #isOpen(): boolean {
    return this.#state === 'open';
  }

  #sendWaiting(): void {
    while (this.#waiting.length > 0 && !this.#stream.isBackedUp) {
      const [first] = this.#waiting.splice(0, 1);
      if (first === undefined) return;
      const from = this.#sentOfFirst;
      this.#sentOfFirst = NOTHING_SENT;
      this.#sendFrom(first, from);
    }
  }

  /** Hands over as much as leaves; the rest waits before all others. */
  #sendFrom(message: Buffer, from: number): void {
    const stream = this.#stream;
    if (from === NOTHING_SENT) {
      PREFIX.writeUInt32BE(message.length, 1);
      stream.sendBody(PREFIX, 0, PREFIX.length);
    }
    let at = Math.max(0, from);
    while (at < message.length && !stream.isBackedUp) {
      const end = Math.min(message.length, at + PIECE_BYTES);
      stream.sendBody(message, at, end);
      at = end;
    }
    if (at === message.length) return;
    this.#waiting.unshift(message);
    this.#sentOfFirst = at;
  }

  #sendStatus({ code, details }: CallStatus): void {
    const pairs = ['grpc-status', String(code)];
    if (details !== '') pairs.push('grpc-message', encodeGrpcMessage(details.slice(0, MAX_DETAILS_LENGTH)));
    if (this.#isHeadSent) {
      this.#stream.sendTrailers(pairs);
      return;
    }
    this.#stream.sendLocalHead(200, [...CONTENT_TYPE, ...pairs], UNKNOWN_LENGTH);
    this.#stream.end();
  }
}
