import { promises as dns } from 'node:dns';
import { systemClock } from '../../base/clock.ts';
import { systemRandom } from '../../base/random.ts';
import type { Cluster } from '../../resource/cluster.ts';
import { keySetFault } from '../../resource/jwt-key-set-decode.ts';
import type { Logger } from '../../telemetry/log/log.ts';
import { MergedMetrics, MetricsRegistry } from '../../telemetry/metrics/metrics.ts';
import { spanRingBuffer } from '../../telemetry/trace/trace.ts';
import { TlsMaterials } from '../../transport-socket/transport-socket.ts';
import {
  CLUSTER_FIELD,
  createSharedCounterMemory,
  HEALTH_FLAG,
  HOST_FIELD,
  SharedCounters,
} from '../cluster/shared-counters.ts';
import { type ResourceChange, UpdateMaker, type WorkerUpdate } from '../config/config.ts';
import { ClusterTransports } from '../filter/router/cluster-transports.ts';
import { ConfigDriver, INITIAL_FETCH_TIMEOUT_MS, type ResourceReferences } from './config-driver.ts';
import { DnsClusters } from './dns-clusters.ts';
import { Ejections } from './ejections.ts';
import { FileSources } from './file-sources.ts';
import { HealthChecker } from './health-check/health-checker.ts';
import { probe } from './health-check/probe.ts';
import type { BoundListener, FromWorker, ListenerFailure } from './messages.ts';
import { StaleEndpoints } from './stale-endpoints.ts';
import { applyTlsMaterials } from './tls-updates.ts';
import { WorkerSupervisor } from './worker-supervisor.ts';

const FILE_INTERVAL_MS = 1_000;
const LOOKUP_TIMEOUT_MS = 10_000;

export interface DataPlaneOptions {
  readonly concurrency: number;
  /** `node.cluster` of the bootstrap. */
  readonly nodeCluster: string;
  readonly drainTimeoutMs: number;
  readonly log: Logger;
  onReferences(references: ResourceReferences): void;
  /** A worker begins or ends to write spans. */
  onSpanRing(workerId: number, ring: SharedArrayBuffer | undefined): void;
  /** False where spans go nowhere: workers then write none. */
  readonly exportsSpans: boolean;
  /** A worker has applied an update. */
  onApplied(): void;
}

/** What one worker said it has applied. */
interface WorkerView {
  readonly version: number;
  readonly listeners: readonly BoundListener[];
  readonly failures: readonly ListenerFailure[];
}

/**
 * The main thread's side of the workers: accepted resources go in, updates go out to all workers, and what they report
 * comes back merged. Owns the shared counters, DNS, active health checks and the end of ejections.
 */
export class DataPlane {
  readonly metrics = new MergedMetrics();
  readonly counters: SharedCounters;
  readonly updates: UpdateMaker;
  readonly driver: ConfigDriver;
  readonly healthChecker: HealthChecker;
  readonly ejections: Ejections;
  readonly #options: DataPlaneOptions;
  readonly #supervisor: WorkerSupervisor;
  readonly #dns: DnsClusters;
  readonly #files: FileSources;
  readonly #stale: StaleEndpoints;
  readonly #views = new Map<number, WorkerView>();
  /** Secrets and files of TLS contexts, for what the main thread itself connects to. */
  readonly tlsMaterials = new TlsMaterials();
  readonly #transports = new WeakMap<Cluster, ClusterTransports>();
  #keyFiles: ReadonlySet<string> = new Set();
  #drained: (() => void)[] = [];
  #drainsAwaited = 0;
  #isHealthFailing = false;

  constructor(options: DataPlaneOptions) {
    this.#options = options;
    const { log } = options;
    const shared = createSharedCounterMemory();
    this.counters = new SharedCounters(shared, createSharedCounterMemory());
    this.ejections = new Ejections(this.counters);
    this.updates = new UpdateMaker((kind, slot) => this.#onSlotFreed(kind, slot));
    this.#dns = new DnsClusters({
      lookup: lookupAll,
      log,
      onResolved: (assignment) => this.apply([{ kind: 'resolvedAssignments', changed: [assignment], removed: [] }]),
    });
    this.#files = new FileSources({
      log,
      intervalMs: FILE_INTERVAL_MS,
      faultOf: (path, text) => (this.#keyFiles.has(path) ? keySetFault(text) : undefined),
      onChanged: (files) => this.apply([{ kind: 'files', changed: files, removed: [] }]),
    });
    this.healthChecker = new HealthChecker({
      probe,
      tlsOf: (cluster, endpoint) => this.#transportsOf(cluster).optionsFor(endpoint).tls,
      clock: systemClock,
      random: systemRandom,
      log,
      onHealth: (cluster, address, failed) => this.#onHealth(cluster, address, failed),
    });
    this.driver = new ConfigDriver({
      clock: systemClock,
      updates: this.updates,
      initialFetchTimeoutMs: INITIAL_FETCH_TIMEOUT_MS,
      publish: (update) => this.#publish(update),
      onReferences: (references) => this.#onReferences(references),
    });
    this.#stale = new StaleEndpoints({
      clock: systemClock,
      onChanged: (changed) => this.driver.apply([{ kind: 'assignments', changed, removed: [] }]),
    });
    this.#supervisor = new WorkerSupervisor({
      count: options.concurrency,
      sharedCounters: shared,
      clock: systemClock,
      log,
      startOf: (workerId) => {
        const spanRing = options.exportsSpans ? spanRingBuffer() : undefined;
        options.onSpanRing(workerId, spanRing);
        return { spanRing, nodeCluster: options.nodeCluster, drainTimeoutMs: options.drainTimeoutMs };
      },
      onStarted: (workerId) => this.#onStarted(workerId),
      onMessage: (workerId, message) => this.#onMessage(workerId, message),
      onEnded: (workerId) => this.#onEnded(workerId),
    });
  }

  get workerRestarts(): number {
    return this.#supervisor.restarts;
  }

  /** Takes accepted changes; names resolve and hosts are probed as they come to be needed. */
  apply(changes: readonly ResourceChange[]): void {
    this.driver.apply(changes);
    for (const change of changes) this.#stale.changed(change);
    if (changes.some((change) => change.kind === 'clusters'))
      this.#dns.setClusters(this.driver.store.clusters.values());
  }

  /** What the control server repeated as it was. */
  confirmed(change: ResourceChange): void {
    this.#stale.confirmed(change);
  }

  /** True where nothing warms any more, at least one listener is meant to run, and every worker has what is newest. */
  get isSettled(): boolean {
    const { listeners, warmingSince } = this.driver.activation;
    return listeners.size > 0 && warmingSince.size === 0 && this.#appliedVersion() === this.updates.version;
  }

  /** The version that every running worker has applied; 0 before the first. */
  #appliedVersion(): number {
    const running = this.#supervisor.runningWorkers;
    if (running.length === 0) return 0;
    return Math.min(...running.map((workerId) => this.#views.get(workerId)?.version ?? 0));
  }

  /** As one worker bound them; all bind the same. */
  boundListeners(): readonly BoundListener[] {
    for (const view of this.#views.values()) return view.listeners;
    return [];
  }

  /** Files that configuration names and that cannot be used as they are now, and why. */
  get fileFaults(): ReadonlyMap<string, string> {
    return this.#files.faults;
  }

  /** What could not be applied, once for each listener. */
  listenerFailures(): readonly ListenerFailure[] {
    const failures = new Map<string, ListenerFailure>();
    for (const view of this.#views.values()) for (const failure of view.failures) failures.set(failure.name, failure);
    return [...failures.values()];
  }

  /** Workers stop accepting and finish what they have; resolves when all are done, each within its drain timeout. */
  async drain(inboundOnly: boolean): Promise<void> {
    const running = this.#supervisor.runningWorkers;
    if (running.length === 0) return;
    const done = new Promise<void>((resolve) => this.#drained.push(resolve));
    this.#drainsAwaited += running.length;
    this.#supervisor.broadcast({ kind: 'drain', inboundOnly });
    await done;
  }

  /** `/healthcheck/fail`: connections of listeners that drain for it are asked to go elsewhere, until it is over. */
  setHealthFailing(isFailing: boolean): void {
    this.#isHealthFailing = isFailing;
    this.#supervisor.broadcast({ kind: 'healthFailing', isFailing });
  }

  async stop(): Promise<void> {
    this.driver.stop();
    this.#dns.stop();
    this.#files.stop();
    this.#stale.stop();
    this.healthChecker.stop();
    this.ejections.stop();
    await this.#supervisor.stop();
  }

  #publish(update: WorkerUpdate): void {
    applyTlsMaterials(this.tlsMaterials, update);
    this.#supervisor.broadcast({ kind: 'update', update });
    // Checks begin after the update has given new hosts their slots.
    const { clusters, assignments } = this.driver.activation;
    queueMicrotask(() => this.healthChecker.setClusters(clusters, assignments));
  }

  #onStarted(workerId: number): void {
    if (this.#isHealthFailing) this.#supervisor.post(workerId, { kind: 'healthFailing', isFailing: true });
    this.#supervisor.post(workerId, {
      kind: 'update',
      update: this.updates.whole(this.driver.activation, systemClock.nowMs()),
    });
  }

  #onMessage(workerId: number, message: FromWorker): void {
    switch (message.kind) {
      case 'started':
        return;
      case 'applied':
        this.#onApplied(workerId, message);
        return;
      case 'metrics':
        this.metrics.apply(workerId + 1, message.announcements);
        return;
      case 'drained':
        this.#onDrained();
        return;
      case 'ejected':
        this.#options.log.warn(
          {
            cluster: message.ejection.clusterName,
            host: message.ejection.address,
            forMs: this.ejections.begin(message.ejection),
          },
          'host ejected: too many failures in a row',
        );
        return;
      case 'connectionRefused':
        this.#options.log.warn({ workerId }, message.message);
        return;
      case 'problem':
        this.#options.log.error({ workerId }, message.message);
        return;
    }
  }

  #onApplied(workerId: number, view: WorkerView): void {
    this.#views.set(workerId, view);
    for (const failure of view.failures) this.#options.log.error({ workerId, listener: failure.name }, failure.message);
    this.#options.onApplied();
  }

  #onReferences(references: ResourceReferences): void {
    this.#keyFiles = references.keyFiles;
    this.#files.setPaths(references.files);
    this.#options.onReferences(references);
  }

  #transportsOf(cluster: Cluster): ClusterTransports {
    const known = this.#transports.get(cluster);
    if (known !== undefined) return known;
    // Workers count connections to hosts; these are ours.
    const transports = new ClusterTransports(cluster, this.tlsMaterials, new MetricsRegistry({ announce: () => {} }));
    this.#transports.set(cluster, transports);
    return transports;
  }

  #onDrained(): void {
    this.#drainsAwaited = Math.max(0, this.#drainsAwaited - 1);
    if (this.#drainsAwaited === 0) for (const resolve of this.#drained.splice(0)) resolve();
  }

  #onEnded(workerId: number): void {
    this.#views.delete(workerId);
    this.metrics.threadEnded(workerId + 1);
    this.#options.onSpanRing(workerId, undefined);
    if (this.#drainsAwaited > 0) this.#onDrained();
  }

  #onHealth(clusterName: string, address: string, failed: boolean): void {
    const slot = this.updates.hostSlot(clusterName, address);
    const clusterSlot = this.updates.clusterSlot(clusterName);
    if (slot === undefined || clusterSlot === undefined) return;
    const cell = this.counters.hostCell(slot, HOST_FIELD.health);
    if (failed) this.counters.setBits(cell, HEALTH_FLAG.failedActiveCheck);
    else this.counters.clearBits(cell, HEALTH_FLAG.failedActiveCheck);
    this.counters.advance(this.counters.clusterCell(clusterSlot, CLUSTER_FIELD.healthGeneration));
  }

  #onSlotFreed(kind: 'cluster' | 'host', slot: number): void {
    if (kind !== 'host') return;
    this.ejections.forget(slot);
    this.counters.set(this.counters.hostCell(slot, HOST_FIELD.health), 0);
    this.counters.set(this.counters.hostCell(slot, HOST_FIELD.consecutive5xx), 0);
    this.counters.set(this.counters.hostCell(slot, HOST_FIELD.consecutiveGatewayFailures), 0);
  }
}

/** getaddrinfo has no time limit of its own that a caller could set. */
async function lookupAll(hostname: string): Promise<readonly string[]> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${LOOKUP_TIMEOUT_MS} ms`)), LOOKUP_TIMEOUT_MS);
  });
  try {
    const found = await Promise.race([dns.lookup(hostname, { all: true, verbatim: true }), late]);
    return found.map(({ address }) => address);
  } finally {
    clearTimeout(timer);
  }
}
