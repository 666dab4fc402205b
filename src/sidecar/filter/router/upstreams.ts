import type { Random } from '../../../base/random.ts';
import type { HttpVersion } from '../../../http/head.ts';
import type { Cluster } from '../../../resource/cluster.ts';
import type { MetricsRegistry } from '../../../telemetry/metrics/metrics.ts';
import { type EventTurn, type ProxyProtocolVersion, TlsMaterials } from '../../../transport-socket/transport-socket.ts';
import type { ClusterSet, Host, PickContext, RuntimeCluster } from '../../cluster/cluster.ts';
import {
  AutoHostPool,
  HostPool,
  Http2HostPool,
  PoolCounters,
  type PoolOptions,
  type UpstreamPool,
} from '../../pool/pool.ts';
import { LOCAL_REPLIES, type LocalReply } from '../filter.ts';
import { ClusterCounters } from './cluster-counters.ts';
import { ClusterTransports } from './cluster-transports.ts';
import { type DestinationAsker, OriginalDstPicks } from './original-dst-picks.ts';

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
  /** Secrets and files of TLS contexts; absent: contexts hold all they need. */
  readonly tlsMaterials?: TlsMaterials;
}

/** A cluster with what one worker keeps for it: pools by host, and counters. */
export class UpstreamCluster {
  readonly cluster: RuntimeCluster;
  readonly counters: ClusterCounters;
  readonly poolCounters: PoolCounters;
  readonly #turn: EventTurn;
  readonly #metrics: MetricsRegistry;
  readonly #tlsMaterials: TlsMaterials;
  readonly #http1Pools = new Map<Host, UpstreamPool>();
  readonly #http2Pools = new Map<Host, UpstreamPool>();
  readonly #autoPools = new Map<Host, UpstreamPool>();
  #originalDst: OriginalDstPicks | undefined = undefined;
  #transportsOf: Cluster | undefined;
  #transports: ClusterTransports | undefined;

  constructor(turn: EventTurn, cluster: RuntimeCluster, metrics: MetricsRegistry, tlsMaterials: TlsMaterials) {
    this.#turn = turn;
    this.#metrics = metrics;
    this.#tlsMaterials = tlsMaterials;
    this.cluster = cluster;
    this.counters = new ClusterCounters(metrics, cluster.name);
    this.poolCounters = new PoolCounters(metrics, cluster.name);
  }

  /** `version` is the downstream's. */
  poolOf(host: Host, version: HttpVersion): UpstreamPool {
    const options = this.optionsFor(host);
    const pools = this.#poolsFor(version, options.tls !== undefined);
    const known = pools.get(host);
    if (known !== undefined && known.options.trustKey === options.trustKey) {
      known.options = options;
      return known;
    }
    // What was proved under another rule is not lent any more; what is lent finishes.
    known?.drain();
    const Pool = pools === this.#http1Pools ? HostPool : pools === this.#http2Pools ? Http2HostPool : AutoHostPool;
    const pool = new Pool(this.#turn, host, options, this.poolCounters, this.cluster.breakers);
    pools.set(host, pool);
    return pool;
  }

  /** A host for a request or a connection; in a cluster of type ORIGINAL_DST the one that it was meant for. */
  pick(context: PickContext, asker: DestinationAsker): Host | undefined {
    const { destinations } = this.cluster;
    if (destinations === undefined) return this.cluster.pick(context);
    this.#originalDst ??= new OriginalDstPicks(this.#turn, this.cluster, destinations, this.#metrics, (host) =>
      this.hostRemoved(host),
    );
    return this.#originalDst.pick(asker);
  }

  /** How connections to a host are made, by the newest configuration. */
  optionsFor(host: Host): PoolOptions {
    const { config } = this.cluster;
    if (this.#transports === undefined || this.#transportsOf !== config) {
      this.#transportsOf = config;
      this.#transports = new ClusterTransports(config, this.#tlsMaterials, this.#metrics);
    }
    return this.#transports.optionsFor(host.endpoint);
  }

  hostRemoved(host: Host): void {
    for (const pools of this.#allPools) {
      pools.get(host)?.drain();
      pools.delete(host);
    }
  }

  destroy(): void {
    this.#originalDst?.destroy();
    for (const pools of this.#allPools) {
      for (const pool of pools.values()) pool.destroy();
      pools.clear();
    }
  }

  get connectionCount(): number {
    let count = 0;
    for (const pools of this.#allPools) for (const pool of pools.values()) count += pool.connectionCount;
    return count;
  }

  get #allPools(): readonly Map<Host, UpstreamPool>[] {
    return [this.#http1Pools, this.#http2Pools, this.#autoPools];
  }

  /** `auto` asks ALPN, and without TLS there is none: then HTTP/1.1. */
  #poolsFor(downstreamVersion: HttpVersion, hasAlpn: boolean): Map<Host, UpstreamPool> {
    switch (this.cluster.config.upstreamProtocol.kind) {
      case 'explicitHttp1':
        return this.#http1Pools;
      case 'explicitHttp2':
        return this.#http2Pools;
      case 'useDownstreamProtocol':
        return downstreamVersion === 20 && this.proxyProtocol === undefined ? this.#http2Pools : this.#http1Pools;
      case 'auto':
        return hasAlpn ? this.#autoPools : this.#http1Pools;
    }
  }

  /** Whatever a request needs, its connection is HTTP/1.1. */
  get speaksOnlyHttp1(): boolean {
    const { upstreamProtocol, transportSocket } = this.cluster.config;
    const isPlain = transportSocket?.kind !== 'upstreamTls' && this.cluster.config.transportSocketMatches.length === 0;
    return upstreamProtocol.kind === 'explicitHttp1' || (upstreamProtocol.kind === 'auto' && isPlain);
  }

  /** Set where the cluster asks for what we cannot speak: then nothing is sent at all. */
  get refusal(): LocalReply | undefined {
    // A PROXY header says whose a connection is; a connection that many share is nobody's.
    const isShared = this.cluster.config.upstreamProtocol.kind === 'explicitHttp2';
    return isShared && this.proxyProtocol !== undefined ? LOCAL_REPLIES.upstreamHttp2Unavailable : undefined;
  }

  /** Set where each connection begins with a header that says whose it is. */
  get proxyProtocol(): ProxyProtocolVersion | undefined {
    const { transportSocket } = this.cluster.config;
    return transportSocket?.kind === 'upstreamProxyProtocol' ? transportSocket.version : undefined;
  }
}

/** All clusters of one worker as the router uses them. */
export class Upstreams {
  readonly turn: EventTurn;
  readonly random: Random;
  readonly hash64: (text: string) => bigint;
  readonly onHostOutcome: HostOutcomeListener;
  readonly clusters: ClusterSet;
  readonly #metrics: MetricsRegistry;
  readonly #tlsMaterials: TlsMaterials;
  readonly #known = new Map<string, UpstreamCluster>();

  constructor(options: UpstreamsOptions) {
    this.turn = options.turn;
    this.random = options.random;
    this.hash64 = options.hash64;
    this.onHostOutcome = options.onHostOutcome ?? (() => undefined);
    this.clusters = options.clusters;
    this.#metrics = options.metrics;
    this.#tlsMaterials = options.tlsMaterials ?? new TlsMaterials();
    this.clusters.onHostRemoved((host) => this.#hostRemoved(host));
  }

  /** Of an aggregate, the cluster that takes this request. */
  get(name: string): UpstreamCluster | undefined {
    const cluster = this.clusters.choose(name);
    if (cluster === undefined) return undefined;
    const known = this.#known.get(cluster.name);
    if (known !== undefined && known.cluster === cluster) return known;
    const upstream = new UpstreamCluster(this.turn, cluster, this.#metrics, this.#tlsMaterials);
    this.#known.set(cluster.name, upstream);
    return upstream;
  }

  #hostRemoved(host: Host): void {
    this.turn.enter();
    this.#known.get(host.clusterName)?.hostRemoved(host);
    // With its cluster gone nobody asks again; what is lent finishes by itself.
    if (this.clusters.get(host.clusterName) === undefined) this.#known.delete(host.clusterName);
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
