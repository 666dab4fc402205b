import type { Cluster } from '../../../resource/cluster.ts';
import type { Endpoint } from '../../../resource/cluster-load-assignment.ts';
import type { TransportSocket } from '../../../resource/transport-socket.ts';
import type { MetricsRegistry } from '../../../telemetry/metrics/metrics.ts';
import { alpnBytes, TlsContext, TlsCounters, type TlsMaterials } from '../../../transport-socket/transport-socket.ts';
import type { PoolOptions, PoolTls } from '../../pool/pool.ts';

/** Where an endpoint says which of `transport_socket_matches` is meant for it. */
const MATCH_METADATA = 'envoy.transport_socket_match';
const MAX_WATERMARK_BYTES = 65_536;

interface Match {
  /** Keys with values in JSON; all must be the endpoint's. */
  readonly criteria: readonly (readonly [key: string, valueJson: string])[];
  readonly options: PoolOptions;
}

/** How the hosts of one cluster are spoken to, by one version of its configuration. */
export class ClusterTransports {
  readonly #default: PoolOptions;
  readonly #matches: readonly Match[];
  /** An endpoint that changes is another object. */
  readonly #byEndpoint = new WeakMap<Endpoint, PoolOptions>();

  constructor(config: Cluster, materials: TlsMaterials, metrics: MetricsRegistry) {
    const optionsOf = (socket: TransportSocket | undefined): PoolOptions =>
      poolOptions(config, socket, compileTls(socket, config.name, materials, metrics));
    this.#default = optionsOf(config.transportSocket);
    this.#matches = config.transportSocketMatches.map(({ match, transportSocket }) => ({
      criteria: Object.entries(match).map(([key, value]) => [key, JSON.stringify(value)] as const),
      options: optionsOf(transportSocket),
    }));
  }

  /** The first match counts; the cluster's own transport socket where none does. */
  optionsFor(endpoint: Endpoint): PoolOptions {
    if (this.#matches.length === 0) return this.#default;
    const known = this.#byEndpoint.get(endpoint);
    if (known !== undefined) return known;
    const metadata = endpoint.metadata[MATCH_METADATA] ?? {};
    const match = this.#matches.find(({ criteria }) =>
      criteria.every(([key, valueJson]) => key in metadata && JSON.stringify(metadata[key]) === valueJson),
    );
    const options = match?.options ?? this.#default;
    this.#byEndpoint.set(endpoint, options);
    return options;
  }
}

function compileTls(
  socket: TransportSocket | undefined,
  clusterName: string,
  materials: TlsMaterials,
  metrics: MetricsRegistry,
): PoolTls | undefined {
  if (socket?.kind !== 'upstreamTls') return undefined;
  return {
    context: new TlsContext(socket, materials),
    counters: new TlsCounters(metrics, { kind: 'cluster', name: clusterName }),
    sni: socket.sni,
    alpn: alpnBytes(socket.common.alpnProtocols),
  };
}

function poolOptions(config: Cluster, socket: TransportSocket | undefined, tls: PoolTls | undefined): PoolOptions {
  return {
    connectTimeoutMs: config.connectTimeoutMs,
    idleTimeoutMs: config.idleTimeoutMs,
    maxRequestsPerConnection: config.maxRequestsPerConnection,
    maxConnectionDurationMs: config.maxConnectionDurationMs,
    maxConnectionsPerHost: config.circuitBreakers.maxConnectionsPerHost,
    highWaterMarkBytes: Math.min(config.perConnectionBufferLimitBytes, MAX_WATERMARK_BYTES),
    http2: 'http2' in config.upstreamProtocol ? config.upstreamProtocol.http2 : undefined,
    isSingleUse: socket?.kind === 'upstreamProxyProtocol',
    tls,
    trustKey: trustKey(socket),
  };
}

/** A new certificate of ours, or a secret that is renewed, changes nothing of what the host had to prove. */
function trustKey(socket: TransportSocket | undefined): string {
  if (socket?.kind !== 'upstreamTls') return socket?.kind ?? 'rawBuffer';
  const { validation, validationSecretName } = socket.common;
  return JSON.stringify([socket.sni, validation, validationSecretName]);
}
