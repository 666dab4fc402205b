import type { RequestHead } from '../../http/head.ts';
import { NOT_GRPC, type StreamRecord } from '../../telemetry/stream-record.ts';
import {
  type ByteStream,
  endsOf,
  type OriginalDestination,
  type ProxiedAddresses,
  type TransportFacts,
} from '../../transport-socket/transport-socket.ts';
import type { DownstreamPeer } from '../filter/filter.ts';
import type { ListenerPlace } from './http-chain.ts';

/** The peer of a connection whose bytes come through `stream`. */
export function peerOf(stream: ByteStream): DownstreamPeer {
  return new StreamPeer(stream);
}

class StreamPeer implements DownstreamPeer {
  readonly address: string;
  readonly port: number;
  readonly transport: TransportFacts;
  readonly restoredDestination: OriginalDestination | undefined;
  readonly #stream: ByteStream;

  constructor(stream: ByteStream) {
    this.address = stream.remoteAddress;
    this.port = stream.remotePort;
    this.transport = stream.transport;
    this.restoredDestination = stream.restoredDestination;
    this.#stream = stream;
  }

  get directAddress(): string {
    return this.#stream.directRemoteAddress;
  }

  ends(): ProxiedAddresses {
    return endsOf(this.#stream);
  }
}

/** Forgets the stream before and writes down what is known of the new one when its head arrives. */
export function startRecord(
  record: StreamRecord,
  head: RequestHead,
  place: ListenerPlace,
  peer: DownstreamPeer,
  nowMs: number,
  openStreams: number,
): void {
  forget(record);
  record.direction = place.direction;
  record.listenerName = place.name;
  const local = peer.restoredDestination ?? place;
  record.localAddress = local.host;
  record.localPort = local.port;
  record.receivedAtMs = nowMs;
  record.protocol = head.version;
  record.method = head.method;
  record.scheme = head.scheme;
  record.authority = head.authority;
  record.path = head.path;
  record.downstreamAddress = peer.address;
  record.downstreamPort = peer.port;
  const { transport } = peer;
  record.tlsVersion = transport.tlsVersion;
  record.requestedServerName = transport.serverName;
  record.peerUri = transport.peerCertificate?.uriNames[0] ?? '';
  record.inFlightAtArrival = openStreams;
}

/** What every request sets anyway is left alone. */
function forget(record: StreamRecord): void {
  record.requestEndAtMs = 0;
  record.attemptStartedAtMs = 0;
  record.pickedAtMs = 0;
  record.connectionReadyAtMs = 0;
  record.firstUpstreamByteAtMs = 0;
  record.endedAtMs = 0;
  record.queueMs = 0;
  record.userAgent = '';
  record.routeName = '';
  record.clusterName = '';
  record.hostAddress = '';
  record.hostPort = 0;
  record.attempt = 0;
  record.attempts = 0;
  record.connectionReused = false;
  record.hostInFlightAtPick = 0;
  record.status = 0;
  record.grpcStatus = NOT_GRPC;
  record.requestBodyBytes = 0;
  record.responseBodyBytes = 0;
  record.responseFlags = '';
  record.responseCodeDetails = '';
  record.traceId = '';
  record.spanId = '';
  record.parentSpanId = '';
  record.traceState = '';
  record.sampled = false;
}
