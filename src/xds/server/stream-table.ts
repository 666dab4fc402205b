import { decodeDeltaRequest, decodeSotwRequest } from '../discovery-codec.ts';
import type { DiscoveryMethod } from '../discovery-services.ts';
import type { ClientView } from './client-status.ts';
import {
  type CallHandler,
  GrpcStatus,
  type GrpcStatusCode,
  NO_HANDLER,
  type ServerCall,
  type StartCall,
} from './grpc/grpc-server.ts';
import type { XdsStreamState } from './server-state.ts';
import { type SessionContext, type StreamOutput, type StreamRefusal, StreamSession } from './stream-session.ts';
import { DELTA, SOTW, type StreamRequest, type Variant } from './variant.ts';

/** What the table needs beyond what every session does. */
export interface StreamTableContext extends SessionContext {
  readonly maxStreams: number;
  onStreamOpened(stream: XdsStreamState): void;
  onStreamClosed(stream: XdsStreamState): void;
}

/** A session without its variant, and the gRPC stream beneath it. */
interface OpenStream {
  readonly session: Pick<StreamSession<never>, 'view' | 'clientView' | 'onTick' | 'close'>;
  readonly end: (refusal: StreamRefusal) => void;
  readonly pace: RequestPace;
}

/** How fast one stream's requests are read: what comes faster stays in its socket, and costs its sender. */
class RequestPace {
  readonly #call: ServerCall;
  readonly #limit: number;
  #readThisSecond = 0;

  constructor(call: ServerCall, limit: number) {
    this.#call = call;
    this.#limit = limit;
  }

  onRequest(): void {
    this.#readThisSecond += 1;
    if (this.#readThisSecond === this.#limit) this.#call.pause();
  }

  onSecond(): void {
    if (this.#readThisSecond >= this.#limit) this.#call.resume();
    this.#readThisSecond = 0;
  }
}

const STATUS_OF: Readonly<Record<StreamRefusal['kind'], GrpcStatusCode>> = {
  'invalid-argument': GrpcStatus.INVALID_ARGUMENT,
  'resource-exhausted': GrpcStatus.RESOURCE_EXHAUSTED,
  'not-found': GrpcStatus.NOT_FOUND,
  'permission-denied': GrpcStatus.PERMISSION_DENIED,
  unavailable: GrpcStatus.UNAVAILABLE,
};

/** Every open gRPC stream of the server, each bound to a session. */
export class StreamTable {
  readonly #context: StreamTableContext;
  readonly #open = new Map<number, OpenStream>();
  #lastStreamId = 0;

  constructor(context: StreamTableContext) {
    this.#context = context;
  }

  /** Takes the calls of one discovery method. */
  handlerFor(method: DiscoveryMethod): StartCall {
    return method.variant === 'delta'
      ? (call) => this.#accept(call, method.onlyType, DELTA, decodeDeltaRequest)
      : (call) => this.#accept(call, method.onlyType, SOTW, decodeSotwRequest);
  }

  view(): readonly XdsStreamState[] {
    return [...this.#open.values()].map(({ session }) => session.view());
  }

  *clients(isWanted: (nodeId: string) => boolean): Iterable<ClientView> {
    for (const { session } of this.#open.values()) {
      const view = session.clientView(isWanted);
      if (view !== undefined) yield view;
    }
  }

  tick(nowMs: number): void {
    for (const { session, pace } of [...this.#open.values()]) {
      session.onTick(nowMs);
      pace.onSecond();
    }
  }

  endAll(message: string): void {
    for (const { session, end } of [...this.#open.values()]) {
      session.close();
      end({ kind: 'unavailable', message });
    }
  }

  #accept<Request extends StreamRequest>(
    call: ServerCall,
    onlyType: string | undefined,
    variant: Variant<Request>,
    decode: (bytes: Buffer) => Request,
  ): CallHandler {
    const { counters, maxStreams } = this.#context;
    const output = outputOf(call);
    if (this.#open.size >= maxStreams) {
      counters.streamsRefused += 1;
      const message = `${maxStreams} xDS streams are open, the most this control server takes: try another one`;
      output.end({ kind: 'resource-exhausted', message });
      return NO_HANDLER;
    }
    this.#lastStreamId += 1;
    const streamId = this.#lastStreamId;
    const { peer, certifiedUris } = call;
    const session = new StreamSession(variant, { streamId, peer, certifiedUris, onlyType }, this.#context, output);
    counters.streamsOpened += 1;
    const pace = new RequestPace(call, this.#context.limits.maxRequestsPerSecond);
    this.#open.set(streamId, { session, end: output.end, pace });
    this.#context.onStreamOpened(session.view());
    return {
      onMessage: (bytes) => {
        pace.onRequest();
        const request = decodeOrRefuse(bytes, decode, output);
        if (request === undefined) {
          counters.streamsRefused += 1;
          session.close();
        } else session.onRequest(request);
      },
      onWritable: () => session.onWritable(),
      // The client has said its last word: nothing more can be acknowledged.
      onHalfClose: () => call.end({ code: GrpcStatus.OK, details: '' }),
      onClosed: () => {
        this.#open.delete(streamId);
        counters.streamsClosed += 1;
        const last = session.view();
        session.close();
        this.#context.onStreamClosed(last);
      },
    };
  }
}

function outputOf(call: ServerCall): StreamOutput {
  return {
    send: (response) => call.send(response),
    end: ({ kind, message }) => call.end({ code: STATUS_OF[kind], details: message }),
  };
}

/** Bytes that are no request end their stream, and nothing else. */
function decodeOrRefuse<Request>(
  bytes: Buffer,
  decode: (bytes: Buffer) => Request,
  output: StreamOutput,
): Request | undefined {
  try {
    return decode(bytes);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    output.end({ kind: 'invalid-argument', message: `the request is no discovery request: ${reason}` });
    return undefined;
  }
}
