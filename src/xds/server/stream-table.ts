import { type ServerDuplexStream, status } from '@grpc/grpc-js';
import { readCertificateExtensions } from '../../transport-socket/transport-socket.ts';
import { decodeDeltaRequest, decodeSotwRequest } from '../discovery-codec.ts';
import type { DiscoveryMethod } from '../discovery-services.ts';
import type { ClientView } from './client-status.ts';
import type { DirectCall, DirectCalls } from './direct-call.ts';
import type { XdsStreamState } from './server-state.ts';
import { type SessionContext, type StreamOutput, type StreamRefusal, StreamSession } from './stream-session.ts';
import { DELTA, SOTW, type StreamRequest, type Variant } from './variant.ts';

/** What the table needs beyond what every session does. */
export interface StreamTableContext extends SessionContext {
  readonly maxStreams: number;
  readonly directCalls: DirectCalls;
  onStreamOpened(stream: XdsStreamState): void;
  onStreamClosed(stream: XdsStreamState): void;
}

type BytesStream = ServerDuplexStream<Buffer, Buffer>;

/** A session without its variant, and the gRPC stream beneath it. */
interface OpenStream {
  readonly session: Pick<StreamSession<never>, 'view' | 'clientView' | 'onTick' | 'close'>;
  readonly end: (refusal: StreamRefusal) => void;
  readonly pace: RequestPace;
}

/** How fast one stream's requests are read: what comes faster stays in its socket, and costs its sender. */
class RequestPace {
  readonly #call: DirectCall;
  readonly #limit: number;
  #readThisSecond = 0;

  constructor(call: DirectCall, limit: number) {
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

const STATUS_OF: Readonly<Record<StreamRefusal['kind'], status>> = {
  'invalid-argument': status.INVALID_ARGUMENT,
  'resource-exhausted': status.RESOURCE_EXHAUSTED,
  'not-found': status.NOT_FOUND,
  'permission-denied': status.PERMISSION_DENIED,
  unavailable: status.UNAVAILABLE,
};

/** Every open gRPC stream of the server, each bound to a session. */
export class StreamTable {
  readonly #context: StreamTableContext;
  readonly #open = new Map<number, OpenStream>();
  #lastStreamId = 0;

  constructor(context: StreamTableContext) {
    this.#context = context;
  }

  /** The gRPC handler of one discovery method. */
  handlerFor(method: DiscoveryMethod): (stream: BytesStream) => void {
    return method.variant === 'delta'
      ? (stream) => this.#accept(stream, method.onlyType, DELTA, decodeDeltaRequest)
      : (stream) => this.#accept(stream, method.onlyType, SOTW, decodeSotwRequest);
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
    stream: BytesStream,
    onlyType: string | undefined,
    variant: Variant<Request>,
    decode: (bytes: Buffer) => Request,
  ): void {
    const { counters, maxStreams } = this.#context;
    const call = this.#context.directCalls.of(stream.metadata);
    const output = outputOf(stream, call);
    if (this.#open.size >= maxStreams) {
      counters.streamsRefused += 1;
      const message = `${maxStreams} xDS streams are open, the most this control server takes: try another one`;
      output.end({ kind: 'resource-exhausted', message });
      return;
    }
    this.#lastStreamId += 1;
    const streamId = this.#lastStreamId;
    const identity = { streamId, peer: stream.getPeer(), certifiedUris: certifiedUris(stream), onlyType };
    const session = new StreamSession(variant, identity, this.#context, output);
    counters.streamsOpened += 1;
    const pace = new RequestPace(call, this.#context.limits.maxRequestsPerSecond);
    this.#open.set(streamId, { session, end: output.end, pace });
    this.#context.onStreamOpened(session.view());
    const closed = (): void => {
      if (!this.#open.delete(streamId)) return;
      counters.streamsClosed += 1;
      const last = session.view();
      session.close();
      this.#context.onStreamClosed(last);
    };
    call.takeOver({
      onMessage: (bytes) => {
        pace.onRequest();
        const request = decodeOrRefuse(bytes, decode, output);
        if (request === undefined) {
          counters.streamsRefused += 1;
          session.close();
        } else session.onRequest(request);
      },
      onWritable: () => session.onWritable(),
    });
    // It has no messages to give, but must flow to tell its end.
    stream.resume();
    // The client has said its last word: nothing more can be acknowledged.
    stream.on('end', () => {
      closed();
      stream.end();
    });
    stream.on('error', closed);
    stream.on('cancelled', closed);
    stream.on('close', closed);
  }
}

/** Read from the certificate's own bytes: its names as text have fooled many. */
function certifiedUris(stream: BytesStream): readonly string[] {
  const certificate = stream.getAuthContext().sslPeerCertificate;
  return certificate === undefined ? [] : (readCertificateExtensions(certificate.raw)?.uriNames ?? []);
}

function outputOf(stream: BytesStream, call: DirectCall): StreamOutput {
  return {
    send: (response) => call.send(response),
    end: ({ kind, message }) => {
      // gRPC's way to end a stream with a status; the library answers the event itself.
      stream.emit('error', { code: STATUS_OF[kind], details: message });
    },
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
