/**
 * A gRPC server on our own HTTP/2 codec: streams and unary calls as bytes, with what such a server must bound. It knows HTTP/2, messages
 * and statuses. It does not know protobuf, xDS or who listens: connections are handed to it.
 *
 * It is here because the library's server costs several times what the rest of a push does: its HTTP/2 session, its stream of objects and
 * its chain of calls for each message.
 */
import type { Clock } from '../../../base/clock.ts';
import type { Random } from '../../../base/random.ts';
import { DEFAULT_HTTP2_LIMITS, type Http2Limits } from '../../../http/http2/http2.ts';
import { EventTurn } from '../../../transport-socket/transport-socket.ts';
import type { AcceptedTransport } from './accepted-transport.ts';
import { type ConnectionContext, GrpcConnection } from './grpc-connection.ts';
import type { StartCall } from './server-call.ts';

export type { AcceptedTransport } from './accepted-transport.ts';
export { type CallStatus, GrpcStatus, type GrpcStatusCode } from './grpc-status.ts';
export { PlainTransport } from './plain-transport.ts';
export { type CallHandler, NO_HANDLER, type ServerCall, type StartCall } from './server-call.ts';
export { TlsTransport } from './tls-transport.ts';

export interface GrpcServerOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly maxMessageBytes: number;
  readonly maxStreamsPerConnection: number;
  /** Without a call. */
  readonly maxConnectionIdleMs: number;
  /** Connections are asked to go at about this age; undefined keeps them. */
  readonly maxConnectionAgeMs: number | undefined;
  /** How long calls go on after that. */
  readonly maxConnectionAgeGraceMs: number;
  /** Finds clients that vanished without a word. */
  readonly keepAliveIntervalMs: number;
  readonly keepAliveTimeoutMs: number;
  readonly counters: GrpcServerCounters;
  /** A fault of ours; it has cost one connection. */
  readonly onUnexpectedError: (error: unknown) => void;
}

export interface GrpcServerCounters {
  /** Ended because the client broke HTTP/2 or a bound on it, or answered no ping. */
  connectionsFailed: number;
}

/** Ages differ by a tenth either way, so that those who came together do not come again together (gRFC A9). */
const AGE_SPREAD = 0.2;
/** What goes to thousands is on its way to the first of them while it is still made for the last. */
const MAX_DIRTY_CONNECTIONS = 64;
const MAX_METADATA_BYTES = 16 * 1024;
/** What a client that is read at a pace may have in flight as small frames: their bytes are bounded by its windows. */
const SMALL_FRAMES_BYTES = 4 * 1024 * 1024;

export class GrpcServer {
  readonly turn: EventTurn;
  readonly #context: ConnectionContext;
  readonly #methods = new Map<string, StartCall>();
  readonly #connections = new Set<GrpcConnection>();
  #whenEmpty: (() => void) | undefined = undefined;

  constructor(options: GrpcServerOptions) {
    const { maxConnectionAgeMs, random, counters } = options;
    this.turn = new EventTurn(options.clock, options.onUnexpectedError, {
      maxDirty: MAX_DIRTY_CONNECTIONS,
      flushesEachEntry: true,
    });
    this.#context = {
      turn: this.turn,
      methods: this.#methods,
      limits: http2Limits(options),
      maxMessageBytes: options.maxMessageBytes,
      maxIdleMs: options.maxConnectionIdleMs,
      nextMaxAgeMs: () => (maxConnectionAgeMs ?? Number.POSITIVE_INFINITY) * (1 + AGE_SPREAD * (random.next() - 0.5)),
      ageGraceMs: options.maxConnectionAgeGraceMs,
      onFault: () => {
        counters.connectionsFailed += 1;
      },
      onClosed: (connection) => {
        this.#connections.delete(connection);
        if (this.#connections.size === 0) this.#whenEmpty?.();
      },
    };
  }

  get connections(): number {
    return this.#connections.size;
  }

  register(path: string, start: StartCall): void {
    this.#methods.set(path, start);
  }

  take(transport: AcceptedTransport): void {
    this.turn.enter();
    this.#connections.add(new GrpcConnection(this.#context, transport));
    this.turn.leave();
  }

  /** Ends every call with UNAVAILABLE and every connection behind it; what is not gone by then is cut off. */
  async stop(details: string, graceMs: number): Promise<void> {
    for (const connection of [...this.#connections]) {
      connection.drain();
      connection.endCalls(details);
    }
    await this.#untilEmpty(graceMs);
    for (const connection of [...this.#connections]) connection.destroy();
    this.turn.flush();
    this.turn.stop();
  }

  #untilEmpty(graceMs: number): Promise<void> {
    if (this.#connections.size === 0) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, graceMs);
      this.#whenEmpty = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

function http2Limits(options: GrpcServerOptions): Http2Limits {
  return {
    ...DEFAULT_HTTP2_LIMITS,
    maxConcurrentStreams: options.maxStreamsPerConnection,
    maxHeadBytes: MAX_METADATA_BYTES,
    dataOverheadBudgetBytes: SMALL_FRAMES_BYTES,
    pingIntervalMs: options.keepAliveIntervalMs,
    pingTimeoutMs: options.keepAliveTimeoutMs,
    maxRequestsPerConnection: 0,
    allowExtendedConnect: false,
  };
}
