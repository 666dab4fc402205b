/**
 * The serving half of xDS: SotW and delta, aggregated and per type, over gRPC. It knows streams, nonces and acknowledgements, and asks a
 * {@link SnapshotSource} what each node should hold. It does not know where resources come from, what is inside them, or Consul.
 */
import { type Clock, systemClock } from '../../base/clock.ts';
import { systemRandom } from '../../base/random.ts';
import { CLIENT_STATUS_DISCOVERY_SERVICE, grpcService, LOAD_REPORTING_SERVICE } from '../../resource/grpc-service.ts';
import { controlPlaneMessage } from '../discovery-responses.ts';
import { discoveryMethods } from '../discovery-services.ts';
import { Acceptor, type TlsMaterial } from './acceptor.ts';
import { Admission } from './admission.ts';
import { ClientStatus } from './client-status.ts';
import { GrpcServer } from './grpc/grpc-server.ts';
import { LoadReports } from './load-reports.ts';
import { newServerCounters, type XdsServerState, type XdsStreamState } from './server-state.ts';
import type { SnapshotSource } from './snapshot-source.ts';
import { DEFAULT_STREAM_LIMITS, type StreamLimits } from './stream-limits.ts';
import { StreamTable } from './stream-table.ts';

export { type EncodedResource, encodedResource } from '../encoded-resource.ts';
export type { TlsMaterial } from './acceptor.ts';
export type { ClusterLoad } from './load-reports.ts';
export type { XdsServerCounters, XdsServerState, XdsStreamState, XdsTypeState, XdsVariant } from './server-state.ts';
export { buildSnapshot, changedTypeSnapshot, composeSnapshot, snapshotWithType, typesOf } from './snapshot.ts';
export type {
  NodeIdentity,
  NodeRefusal,
  Snapshot,
  SnapshotListener,
  SnapshotSource,
  SnapshotSubscription,
  TypeSnapshot,
} from './snapshot-source.ts';
export { DEFAULT_STREAM_LIMITS, type StreamLimits } from './stream-limits.ts';

/** What a server needs to start. */
export interface XdsServerOptions {
  readonly source: SnapshotSource;
  readonly host: string;
  /** 0 picks a free port. */
  readonly port: number;
  readonly clock?: Clock;
  readonly limits?: StreamLimits;
  /** Streams of all clients together. */
  readonly maxStreams?: number;
  readonly maxConnections?: number;
  /** Streams that are given their first state at once. */
  readonly maxFirstStates?: number;
  /** What to show and whom to trust, asked for now and again, since certificates are replaced; absent serves plaintext. Throws at the start only. */
  readonly tls?: (() => TlsMaterial) | undefined;
  /** New certificates were of no use, and those of before stay. */
  readonly onTlsFault?: (message: string) => void;
  /** How we sign our responses (ControlPlane.identifier). */
  readonly identifier?: string;
  /** Connections are asked to reconnect at about this age, which spreads proxies over control servers; undefined keeps them. */
  readonly maxConnectionAgeMs?: number;
  /** A fault of ours, which has cost one connection; absent: it is thrown. */
  readonly onUnexpectedError?: (error: unknown) => void;
  readonly onStreamOpened?: (stream: XdsStreamState) => void;
  readonly onStreamClosed?: (stream: XdsStreamState) => void;
  /** A client refused a response. */
  readonly onRejected?: (stream: XdsStreamState, typeUrl: string, version: string, detail: string) => void;
}

/** A running server. */
export interface XdsServer {
  readonly port: number;
  readonly state: XdsServerState;
  /** Ends every stream with UNAVAILABLE, so that clients go elsewhere at once, and closes the port. */
  stop(): Promise<void>;
}

/** 5 000 proxies at two streams each; a stream costs some 30 KB. */
const DEFAULT_MAX_STREAMS = 10_000;
/** Each a proxy or gRPC client; a connection without a stream is closed after a while. */
const DEFAULT_MAX_CONNECTIONS = 10_000;
const MAX_CONNECTION_IDLE_MS = 60_000;
const CONNECTION_AGE_GRACE_MS = 5_000;
const DEFAULT_MAX_FIRST_STATES = 256;
/** Finds peers that vanished without a word. */
const KEEPALIVE_TIME_MS = 30_000;
const KEEPALIVE_TIMEOUT_MS = 10_000;
/** A proxy needs one or two; this leaves room for the types of one that uses a stream per type. */
const MAX_STREAMS_PER_CONNECTION = 64;
/** Requests are names and versions; 100 000 names of 40 characters fit. */
const MAX_REQUEST_BYTES = 8 * 1024 * 1024;
const TICK_MS = 1000;
/** How long clients have to read the status that sends them away. */
const STOP_GRACE_MS = 1000;
const STOPPING = 'the control server is stopping: reconnect to another or try again';

/** Binds and serves. Rejects when the address cannot be bound, naming it. */
export async function startXdsServer(options: XdsServerOptions): Promise<XdsServer> {
  const clock = options.clock ?? systemClock;
  const counters = newServerCounters();
  const admission = new Admission(options.maxFirstStates ?? DEFAULT_MAX_FIRST_STATES);
  const streams = new StreamTable({
    source: options.source,
    clock,
    limits: options.limits ?? DEFAULT_STREAM_LIMITS,
    counters,
    admission,
    controlPlane: controlPlaneMessage(options.identifier ?? 'weft'),
    maxStreams: options.maxStreams ?? DEFAULT_MAX_STREAMS,
    onStreamOpened: options.onStreamOpened ?? ignore,
    onStreamClosed: options.onStreamClosed ?? ignore,
    onRejected: options.onRejected ?? ignore,
  });
  const server = new GrpcServer({
    clock,
    random: systemRandom,
    counters,
    maxMessageBytes: MAX_REQUEST_BYTES,
    maxStreamsPerConnection: MAX_STREAMS_PER_CONNECTION,
    maxConnectionIdleMs: MAX_CONNECTION_IDLE_MS,
    maxConnectionAgeMs: options.maxConnectionAgeMs,
    maxConnectionAgeGraceMs: CONNECTION_AGE_GRACE_MS,
    keepAliveIntervalMs: KEEPALIVE_TIME_MS,
    keepAliveTimeoutMs: KEEPALIVE_TIMEOUT_MS,
    onUnexpectedError: options.onUnexpectedError ?? throwLater,
  });
  for (const method of discoveryMethods()) server.register(method.definition.path, streams.handlerFor(method));
  registerClientStatus(server, new ClientStatus(streams));
  const loads = new LoadReports();
  registerLoadReports(server, loads);
  const acceptor = new Acceptor({
    maxConnections: options.maxConnections ?? DEFAULT_MAX_CONNECTIONS,
    tls: options.tls?.(),
    counters,
    turn: server.turn,
    openConnections: () => server.connections,
    onConnection: (transport) => server.take(transport),
  });
  const port = await acceptor.listen(options);
  const ticker = setInterval(() => {
    streams.tick(clock.nowMs());
    renewTls(acceptor, options);
  }, TICK_MS);
  ticker.unref();
  return {
    port,
    state: { streams: () => streams.view(), counters, admission, loads },
    stop: async () => {
      clearInterval(ticker);
      const closed = acceptor.stop();
      streams.endAll(STOPPING);
      await server.stop(STOPPING, STOP_GRACE_MS);
      acceptor.dropAll();
      await closed;
    },
  };
}

function registerClientStatus(server: GrpcServer, clientStatus: ClientStatus): void {
  for (const method of Object.values(grpcService(CLIENT_STATUS_DISCOVERY_SERVICE))) {
    server.register(method.path, (call) => clientStatus.answer(call, method));
  }
}

function registerLoadReports(server: GrpcServer, loads: LoadReports): void {
  for (const method of Object.values(grpcService(LOAD_REPORTING_SERVICE))) {
    server.register(method.path, (call) => loads.answer(call, method));
  }
}

function renewTls(acceptor: Acceptor, { tls, onTlsFault }: XdsServerOptions): void {
  if (tls === undefined) return;
  try {
    acceptor.renew(tls());
  } catch (error) {
    onTlsFault?.(error instanceof Error ? error.message : String(error));
  }
}

/** A fault of ours that nobody takes ends the program, as any other does. */
function throwLater(error: unknown): void {
  setImmediate(() => {
    throw error;
  });
}

function ignore(): void {}
