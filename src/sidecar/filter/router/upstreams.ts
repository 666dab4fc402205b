import type { Random } from '../../../base/random.ts';
import type { HttpVersion } from '../../../http/head.ts';
import type { Cluster } from '../../../resource/cluster.ts';
import type { MetricsRegistry } from '../../../telemetry/metrics/metrics.ts';
import type { EventTurn, ProxyProtocolVersion } from '../../../transport-socket/transport-socket.ts';
import type { ClusterSet, Host, RuntimeCluster } from '../../cluster/cluster.ts';
import { HostPool, Http2HostPool, PoolCounters, type PoolOptions, type UpstreamPool } from '../../pool/pool.ts';
import { LOCAL_REPLIES, type LocalReply } from '../filter.ts';
import { ClusterCounters } from './cluster-counters.ts';

/** How an attempt ended, for whoever judges hosts. `status` 0: no answer came. */
export type HostOutcomeListener = (host: Host, status: number, latencyMs: number) => void;

export interface UpstreamsOptions {
  readonly turn: EventTurn;
  readonly clusters: ClusterSet;
  readonly metrics: MetricsRegistry;
  readonly random: Random;
  /** For hash policies; the same function the balancers use. */
  readonly hash64: (text: string) => bigint;
  readonly onHostOutcome?: HostOutcomeListener;
}

const MAX_WATERMARK_BYTES = 65_536;

/** A cluster with what one worker keeps for it: pools by host, and counters. */
export class UpstreamCluster {
  readonly cluster: RuntimeCluster;
  readonly counters: ClusterCounters;
  readonly #turn: EventTurn;
  readonly #poolCounters: PoolCounters;
  readonly #pools = new Map<Host, UpstreamPool>();
  readonly #http2Pools = new Map<Host, UpstreamPool>();
  #optionsOf: Cluster | undefined;
  #options: PoolOptions | undefined;
  #refusal: LocalReply | undefined;

  constructor(turn: EventTurn, cluster: RuntimeCluster, metrics: MetricsRegistry) {
    this.#turn = turn;
    this.cluster = cluster;
    this.counters = new ClusterCounters(metrics, cluster.name);
    this.#poolCounters = new PoolCounters(metrics, cluster.name);
  }

  get poolCounters(): PoolCounters {
    return this.#poolCounters;
  }

  /** `version` is the downstream's. */
  poolOf(host: Host, version: HttpVersion): UpstreamPool {
    const options = this.#poolOptions();
    const isHttp2 = this.#speaksHttp2(version);
    const pools = isHttp2 ? this.#http2Pools : this.#pools;
    const known = pools.get(host);
    if (known !== undefined) {
      known.options = options;
      return known;
    }
    const { breakers } = this.cluster;
    const pool = isHttp2
      ? new Http2HostPool(this.#turn, host, options, this.#poolCounters, breakers)
      : new HostPool(this.#turn, host, options, this.#poolCounters, breakers);
    pools.set(host, pool);
    return pool;
  }

  hostRemoved(host: Host): void {
    for (const pools of [this.#pools, this.#http2Pools]) {
      pools.get(host)?.drain();
      pools.delete(host);
    }
  }

  destroy(): void {
    for (const pools of [this.#pools, this.#http2Pools]) {
      for (const pool of pools.values()) pool.destroy();
      pools.clear();
    }
  }

  get connectionCount(): number {
    let count = 0;
    for (const pool of this.#pools.values()) count += pool.connectionCount;
    for (const pool of this.#http2Pools.values()) count += pool.connectionCount;
    return count;
  }

  /** `auto` asks ALPN, and without TLS there is none: then HTTP/1.1. */
  #speaksHttp2(downstreamVersion: HttpVersion): boolean {
    const { kind } = this.cluster.config.upstreamProtocol;
    if (kind === 'useDownstreamProtocol') return downstreamVersion === 20 && this.proxyProtocol === undefined;
    return kind === 'explicitHttp2';
  }

  /**
   * Set where the cluster asks for what we cannot speak: then nothing is sent at all, and never plaintext where TLS is
   * wanted.
   */
  get refusal(): LocalReply | undefined {
    this.#poolOptions();
    return this.#refusal;
  }

  /** Set where each connection begins with a header that says whose it is. */
  get proxyProtocol(): ProxyProtocolVersion | undefined {
    const { transportSocket } = this.cluster.config;
    return transportSocket?.kind === 'upstreamProxyProtocol' ? transportSocket.version : undefined;
  }

  #poolOptions(): PoolOptions {
    const { config } = this.cluster;
    if (this.#options !== undefined && this.#optionsOf === config) return this.#options;
    this.#optionsOf = config;
    this.#refusal = refusalOf(config);
    this.#options = {
      connectTimeoutMs: config.connectTimeoutMs,
      idleTimeoutMs: config.idleTimeoutMs,
      maxRequestsPerConnection: config.maxRequestsPerConnection,
      maxConnectionDurationMs: config.maxConnectionDurationMs,
      maxConnectionsPerHost: config.circuitBreakers.maxConnectionsPerHost,
      highWaterMarkBytes: Math.min(config.perConnectionBufferLimitBytes, MAX_WATERMARK_BYTES),
      http2: 'http2' in config.upstreamProtocol ? config.upstreamProtocol.http2 : undefined,
      isSingleUse: this.proxyProtocol !== undefined,
    };
    return this.#options;
  }
}

function refusalOf(config: Cluster): LocalReply | undefined {
  if (config.transportSocket?.kind === 'upstreamTls') return LOCAL_REPLIES.upstreamTlsUnavailable;
  // A PROXY header says whose a connection is; a connection that many share is nobody's.
  const isProxied = config.transportSocket?.kind === 'upstreamProxyProtocol';
  const isShared = config.upstreamProtocol.kind === 'explicitHttp2';
  return isProxied && isShared ? LOCAL_REPLIES.upstreamHttp2Unavailable : undefined;
}

/** All clusters of one worker as the router uses them. */
export class Upstreams {
  readonly turn: EventTurn;
  readonly random: Random;
  readonly hash64: (text: string) => bigint;
  readonly onHostOutcome: HostOutcomeListener;
  readonly #clusters: ClusterSet;
  readonly #metrics: MetricsRegistry;
  readonly #known = new Map<string, UpstreamCluster>();

  constructor(options: UpstreamsOptions) {
    this.turn = options.turn;
    this.random = options.random;
    this.hash64 = options.hash64;
    this.onHostOutcome = options.onHostOutcome ?? (() => undefined);
    this.#clusters = options.clusters;
    this.#metrics = options.metrics;
    this.#clusters.onHostRemoved((host) => this.#hostRemoved(host));
  }

  /** Of an aggregate, the cluster that takes this request. */
  get(name: string): UpstreamCluster | undefined {
    const cluster = this.#clusters.choose(name);
    if (cluster === undefined) return undefined;
    const known = this.#known.get(cluster.name);
    if (known !== undefined && known.cluster === cluster) return known;
    const upstream = new UpstreamCluster(this.turn, cluster, this.#metrics);
    this.#known.set(cluster.name, upstream);
    return upstream;
  }

  #hostRemoved(host: Host): void {
    this.turn.enter();
    this.#known.get(host.clusterName)?.hostRemoved(host);
    // With its cluster gone nobody asks again; what is lent finishes by itself.
    if (this.#clusters.get(host.clusterName) === undefined) this.#known.delete(host.clusterName);
    this.turn.leave();
  }

  /** Closes every pooled connection now. */
  destroy(): void {
    for (const upstream of this.#known.values()) upstream.destroy();
    this.#known.clear();
  }

  get connectionCount(): number {
    let count = 0;
    for (const upstream of this.#known.values()) count += upstream.connectionCount;
    return count;
  }
}
