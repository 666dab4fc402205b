import { grpcTimeoutMs } from '../../http/grpc/grpc.ts';
import type { HeaderFields } from '../../http/header-fields.ts';
import type { HttpConnectionManager } from '../../resource/http-connection-manager.ts';
import { Deadline, type DeadlineOwner, type EventTurn } from '../../transport-socket/transport-socket.ts';
import type { CompiledRoute } from '../route/route.ts';

/** Which of a stream's limits has passed. */
export type StreamTimeout = 'request' | 'grpcDeadline' | 'maxDuration' | 'idle';

/** Whoever is told that a limit has passed. */
export interface StreamTimeoutOwner {
  onStreamTimeout(timeout: StreamTimeout): void;
}

const NEVER = Number.POSITIVE_INFINITY;

/** The limits of one stream at a time: `request_timeout`, `max_stream_duration` and `stream_idle_timeout`. One deadline for all. */
export class StreamDeadlines implements DeadlineOwner {
  readonly #turn: EventTurn;
  readonly #owner: StreamTimeoutOwner;
  readonly #deadline: Deadline = new Deadline(this);
  #idleMs = 0;
  #idleAtMs = NEVER;
  #requestTimeoutAtMs = NEVER;
  #maxDurationAtMs = NEVER;
  #grpcDeadlineAtMs = NEVER;

  constructor(turn: EventTurn, owner: StreamTimeoutOwner) {
    this.#turn = turn;
    this.#owner = owner;
  }

  /** A stream begins. */
  arm(manager: HttpConnectionManager, route: CompiledRoute | undefined): void {
    const { nowMs } = this.#turn;
    const action = route?.action;
    const ofRoute = action?.kind === 'route' ? action : undefined;
    this.#idleMs = ofRoute?.idleTimeoutMs ?? manager.streamIdleTimeoutMs;
    const maxMs = ofRoute?.maxStreamDurationMs ?? manager.maxStreamDurationMs;
    this.#idleAtMs = this.#idleMs > 0 ? nowMs + this.#idleMs : NEVER;
    this.#maxDurationAtMs = maxMs > 0 ? nowMs + maxMs : NEVER;
    this.#requestTimeoutAtMs = manager.requestTimeoutMs > 0 ? nowMs + manager.requestTimeoutMs : NEVER;
    this.#grpcDeadlineAtMs = NEVER;
    this.#schedule();
  }

  /**
   * The stream is a call; its caller may have said how long it waits. `max_stream_duration.grpc_timeout_header_max` bounds what
   * it may ask for; where there is no such rule the caller's own word counts.
   */
  armGrpcDeadline(fields: HeaderFields, route: CompiledRoute | undefined): void {
    const timeoutMs = grpcTimeoutMs(fields);
    if (timeoutMs === undefined) return;
    const action = route?.action;
    const rules = action?.kind === 'route' ? action : undefined;
    const maxMs = rules?.grpcTimeoutHeaderMaxMs ?? 0;
    const offsetMs = rules?.grpcTimeoutHeaderOffsetMs ?? 0;
    const boundedMs = maxMs > 0 ? Math.min(timeoutMs, maxMs) : timeoutMs;
    // As in Envoy, an offset that would leave nothing is not taken off.
    const leftMs = offsetMs > 0 && offsetMs < boundedMs ? boundedMs - offsetMs : boundedMs;
    this.#grpcDeadlineAtMs = this.#turn.nowMs + leftMs;
    this.#schedule();
  }

  /** Something moved. Later only, so the wheel need not be told. */
  touch(): void {
    if (this.#idleMs > 0) this.#idleAtMs = this.#turn.nowMs + this.#idleMs;
  }

  requestCompleted(): void {
    this.#requestTimeoutAtMs = NEVER;
  }

  /** The stream is over. */
  disarm(): void {
    this.#turn.deadlines.schedule(this.#deadline, NEVER);
  }

  /** Lets go of the deadline for good. */
  remove(): void {
    this.#turn.deadlines.remove(this.#deadline);
  }

  onDeadline(_deadline: Deadline, nowMs: number): void {
    if (this.#requestTimeoutAtMs <= nowMs) this.#owner.onStreamTimeout('request');
    else if (this.#grpcDeadlineAtMs <= nowMs) this.#owner.onStreamTimeout('grpcDeadline');
    else if (this.#maxDurationAtMs <= nowMs) this.#owner.onStreamTimeout('maxDuration');
    else if (this.#idleAtMs <= nowMs) this.#owner.onStreamTimeout('idle');
    else this.#schedule();
  }

  #schedule(): void {
    const atMs = Math.min(this.#idleAtMs, this.#maxDurationAtMs, this.#grpcDeadlineAtMs, this.#requestTimeoutAtMs);
    this.#turn.deadlines.schedule(this.#deadline, atMs);
  }
}
