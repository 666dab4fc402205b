import { once } from 'node:events';
import net from 'node:net';
import { assignment, cluster, endpoint, httpListener } from '../../../test/support/resources.ts';
import { type Clock, systemClock } from '../../base/clock.ts';
import { seededRandom } from '../../base/random.ts';
import { setCanonicalCheck } from '../../http/http1/canonical.ts';
import type { Cluster, OriginalDstDiscovery } from '../../resource/cluster.ts';
import type { Endpoint } from '../../resource/cluster-load-assignment.ts';
import type { HttpConnectionManager } from '../../resource/http-connection-manager.ts';
import type { FilterChain, Listener } from '../../resource/listener.ts';
import type { RouteConfiguration } from '../../resource/route-configuration.ts';
import { type MetricScope, MetricsRegistry } from '../../telemetry/metrics/metrics.ts';
import { StreamRecord } from '../../telemetry/stream-record.ts';
import { EventTurn, TlsMaterials } from '../../transport-socket/transport-socket.ts';
import { ClusterSet, createSharedCounterMemory, SharedCounters, SharedLimits } from '../cluster/cluster.ts';
import { AccessLogs, type ManagerContext } from '../connection-manager/connection-manager.ts';
import { Upstreams } from '../filter/router/router.ts';
import { RouteTable } from '../route/route.ts';
import { ListenerSet } from './listener-set.ts';
import type { RuntimeConfig, RuntimeFilterChain, RuntimeListener } from './runtime-listener.ts';

type NamedScope = Extract<MetricScope, { readonly name: string }>['kind'];

export interface DataPathOptions {
  readonly drainTimeoutMs?: number;
  readonly maxConnections?: number;
  /** For a test that owns the time; `turn.advance()` then fires what is due. */
  readonly clock?: Clock;
  readonly traces?: ManagerContext['traces'];
  readonly filterFactories?: ManagerContext['filterFactories'];
}

const ORIGINAL_DST: OriginalDstDiscovery = {
  kind: 'originalDst',
  httpHeaderName: undefined,
  metadataKey: undefined,
  upstreamPortOverride: undefined,
  cleanupIntervalMs: 5_000,
};

/** Tests of the data path: one worker's listeners, clusters and pools over real sockets, built from narrow resources. */
export class DataPath {
  readonly records: StreamRecord[] = [];
  readonly bindFailures: string[] = [];
  readonly refusals: string[] = [];
  readonly unexpected: unknown[] = [];
  readonly metrics = new MetricsRegistry({ announce: () => undefined });
  readonly accessLogs = new AccessLogs(this.metrics, (error) => this.unexpected.push(error));
  readonly turn: EventTurn;
  readonly tlsMaterials = new TlsMaterials();
  readonly clusters: ClusterSet;
  readonly upstreams: Upstreams;
  readonly context: ManagerContext;
  readonly listeners: ListenerSet;
  readonly #random = seededRandom(7);
  #recordWaiters: (() => void)[] = [];
  #nextSlot = 1;
  #version = 0;

  constructor(options: DataPathOptions = {}) {
    setCanonicalCheck(true);
    const clock = options.clock ?? systemClock;
    this.turn = new EventTurn(clock, (error) => this.unexpected.push(error));
    const hash64 = (text: string): bigint => BigInt(text.length);
    const counters = new SharedCounters(createSharedCounterMemory(), createSharedCounterMemory());
    this.clusters = new ClusterSet(counters, { clock, random: this.#random, hash64 });
    const { turn, clusters, metrics } = this;
    this.upstreams = new Upstreams({
      turn,
      clusters,
      metrics,
      random: this.#random,
      hash64,
      tlsMaterials: this.tlsMaterials,
    });
    this.context = {
      turn,
      metrics,
      random: this.#random,
      upstreams: this.upstreams,
      tlsMaterials: this.tlsMaterials,
      limits: new SharedLimits(counters, clock, metrics.counter({ kind: 'weft' }, 'shared_limits_exhausted')),
      observer: { streamEnded: (record) => this.#keep(record) },
      accessLogs: this.accessLogs,
      traces: options.traces,
      workerId: 0,
      nodeCluster: 'own-service',
      filterFactories: options.filterFactories,
    };
    this.listeners = new ListenerSet({
      context: this.context,
      drainTimeoutMs: options.drainTimeoutMs ?? 1_000,
      maxConnectionsPerListener: options.maxConnections ?? 100,
      onBindFailure: (_name, message) => this.bindFailures.push(message),
      onConnectionRefused: (line) => this.refusals.push(line),
    });
  }

  /** A cluster and its endpoints by port. */
  addCluster(name: string, ports: readonly (number | Endpoint)[], overrides: Partial<Cluster> = {}): void {
    this.clusters.upsert({
      cluster: cluster(name, overrides),
      slot: this.clusters.get(name)?.slot ?? this.#nextSlot++,
    });
    this.assign(name, ports);
  }

  /** A cluster of type ORIGINAL_DST. */
  addOriginalDst(name: string, overrides: Partial<OriginalDstDiscovery> = {}): void {
    const discovery = { ...ORIGINAL_DST, ...overrides };
    this.clusters.upsert({ cluster: cluster(name, { discovery }), slot: this.#nextSlot++, hostSlot: this.#nextSlot++ });
  }

  assign(name: string, ports: readonly (number | Endpoint)[]): void {
    const endpoints = ports.map((port) => (typeof port === 'number' ? endpoint(port) : port));
    const known = new Map(this.clusters.get(name)?.hosts.map((host) => [host.addressText, host.slot]));
    const slots = new Map<string, number>();
    for (const { address } of endpoints) {
      const text = address.kind === 'ip' ? `${address.host}:${address.port}` : address.path;
      slots.set(text, known.get(text) ?? this.#nextSlot++);
    }
    this.clusters.assign({ clusterName: name, assignment: assignment(name, endpoints), slots });
  }

  /** Listens with one HTTP chain; answers the port. */
  async serve(
    manager: Partial<HttpConnectionManager> = {},
    overrides: Partial<Listener> = {},
    name = 'listener',
  ): Promise<number> {
    await this.apply([httpListener(name, manager, overrides)]);
    return this.listeners.get(name)?.port ?? 0;
  }

  apply(listeners: readonly Listener[]): ReturnType<ListenerSet['apply']> {
    const runtimes = new Map(listeners.map((listener) => [listener.name, this.#runtime(listener)]));
    const config: RuntimeConfig = { version: ++this.#version, listeners: runtimes, clusters: this.clusters };
    return this.listeners.apply(config);
  }

  counter(scope: NamedScope, name: string, metric: string): number {
    return this.metrics.counter({ kind: scope, name }, metric).value;
  }

  gauge(scope: NamedScope, name: string, metric: string): number {
    return this.metrics.gauge({ kind: scope, name }, metric).value;
  }

  /** Waits until that many streams have ended. */
  async recordsReach(count: number): Promise<StreamRecord> {
    while (this.records.length < count) await new Promise<void>((resolve) => this.#recordWaiters.push(resolve));
    return this.records[count - 1] ?? new StreamRecord();
  }

  close(): void {
    this.listeners.destroy();
    this.upstreams.destroy();
    this.turn.stop();
    if (this.unexpected.length > 0)
      throw new Error('unexpected exceptions in the data path', { cause: this.unexpected });
  }

  #keep(record: StreamRecord): void {
    this.records.push(Object.assign(new StreamRecord(), record));
    for (const resolve of this.#recordWaiters.splice(0)) resolve();
  }

  #runtime(listener: Listener): RuntimeListener {
    const chains = listener.filterChains.map((chain) => this.#runtimeChain(chain));
    const { defaultFilterChain } = listener;
    const defaultChain = defaultFilterChain === undefined ? undefined : this.#runtimeChain(defaultFilterChain);
    return { listener, chains, defaultChain };
  }

  #runtimeChain(chain: FilterChain): RuntimeFilterChain {
    const filter = chain.filters.at(-1);
    if (filter?.kind === 'tcpProxy') return { kind: 'tcp', chain, proxy: filter.config };
    if (filter?.kind !== 'httpConnectionManager')
      throw new Error('a chain needs an HTTP connection manager or a TCP proxy');
    const { config: manager } = filter;
    if (manager.routes.kind !== 'inline') throw new Error('the fixture takes inline routes');
    return { kind: 'http', chain, manager, routes: this.#routes(manager.routes.routeConfiguration) };
  }

  #routes(configuration: RouteConfiguration): RouteTable {
    return new RouteTable(configuration, this.#random);
  }
}

/** A peer scripted in bytes: everything received, as latin1 text, and promises about it. */
export class RawPeer {
  readonly socket: net.Socket;
  received = '';
  isEnded = false;
  isClosed = false;
  errorCode = '';
  #waiters: (() => void)[] = [];

  constructor(socket: net.Socket) {
    this.socket = socket;
    const wake = (): void => {
      for (const resolve of this.#waiters.splice(0)) resolve();
    };
    socket.on('data', (bytes: Buffer) => {
      this.received += bytes.toString('latin1');
      wake();
    });
    socket.on('end', () => {
      this.isEnded = true;
      wake();
    });
    socket.on('error', (error: NodeJS.ErrnoException) => {
      this.errorCode = error.code ?? 'EUNKNOWN';
    });
    socket.on('close', () => {
      this.isClosed = true;
      wake();
    });
  }

  static async connect(port: number): Promise<RawPeer> {
    const socket = net.connect({ host: '127.0.0.1', port, allowHalfOpen: true });
    const peer = new RawPeer(socket);
    await once(socket, 'connect');
    return peer;
  }

  send(text: string): void {
    this.socket.write(text, 'latin1');
  }

  /** Resolves with everything received once it holds the text. */
  async receives(text: string): Promise<string> {
    await this.until(() => this.received.includes(text), `to receive ${JSON.stringify(text)}`);
    return this.received;
  }

  async ends(): Promise<string> {
    await this.until(() => this.isEnded || this.isClosed, 'the end');
    return this.received;
  }

  async until(holds: () => boolean, what: string): Promise<void> {
    while (!holds()) {
      if (this.isClosed)
        throw new Error(`closed (${this.errorCode}) while waiting for ${what}; got ${JSON.stringify(this.received)}`);
      await new Promise<void>((resolve) => this.#waiters.push(resolve));
    }
  }

  destroy(): void {
    this.socket.destroy();
  }
}

/** An upstream scripted in bytes: connections come out in the order they were accepted. */
export class RawUpstream {
  readonly port: number;
  readonly connections: RawPeer[] = [];
  readonly #server: net.Server;
  #waiters: (() => void)[] = [];

  private constructor(server: net.Server) {
    this.#server = server;
    const address = server.address();
    this.port = typeof address === 'object' && address !== null ? address.port : 0;
    server.on('connection', (socket) => {
      this.connections.push(new RawPeer(socket));
      for (const resolve of this.#waiters.splice(0)) resolve();
    });
  }

  static async listen(): Promise<RawUpstream> {
    const server = net.createServer({ allowHalfOpen: true });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new RawUpstream(server);
  }

  async connection(index: number): Promise<RawPeer> {
    while (true) {
      const peer = this.connections[index];
      if (peer !== undefined) return peer;
      await new Promise<void>((resolve) => this.#waiters.push(resolve));
    }
  }

  close(): void {
    this.#server.close();
    for (const peer of this.connections) peer.destroy();
  }
}

/** A port on which nothing listens. */
export async function unusedPort(): Promise<number> {
  const server = net.createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  server.close();
  await once(server, 'close');
  return port;
}
