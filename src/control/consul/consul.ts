/**
 * Consul, and nothing of what is made of it. This room knows Consul's HTTP API, its client and its index rules; it hands
 * out the plain readonly data of `translate/catalog.ts`, watched, and says how old it is. It knows no proxy's
 * configuration, no xDS and no snapshot. An error is never an empty set: what was read last stays until something newer
 * is read.
 */
import type { Clock } from '../../base/clock.ts';
import type { Random } from '../../base/random.ts';
import {
  type ExposedCheck,
  type HealthQuery,
  type NodeName,
  nodeName,
  type ServiceHealth,
  type ServiceName,
} from '../translate/catalog.ts';
import type { CaRoots, LeafCertificate } from '../translate/identity.ts';
import type { AllIntentions } from '../translate/intentions.ts';
import type { WatchState, WatchTimings } from './blocking-query.ts';
import { ConfigEntriesFeed } from './config-entries-feed.ts';
import { ConnectionBudget, DEFAULT_MAX_CONCURRENT_QUESTIONS } from './connection-budget.ts';
import type { ConsulAccess } from './consul-access.ts';
import { ConsulClients } from './consul-clients.ts';
import { ConsulHttp } from './consul-http.ts';
import { ConsulLink, type LinkState } from './consul-link.ts';
import { locateProxy, type ProxyLocation } from './locate-proxy.ts';
import { OneShots, type ServiceOverview } from './one-shots.ts';
import type { NodeProxies } from './parse-catalog.ts';
import { ReturnWatch } from './return-watch.ts';
import { type Watched, WatchHub, type WatchReport } from './watch-hub.ts';
import type { WatchMemory } from './watch-memory.ts';
import {
  agentChecksWatch,
  caRootsWatch,
  exposedChecksWatch,
  healthWatch,
  intentionsWatch,
  leafWatch,
  nodeServicesWatch,
  plainHealthWatch,
  preparedQueryWatch,
} from './watches.ts';

export { knownValue, type WatchState } from './blocking-query.ts';
export type { EntriesChange, EntriesState } from './config-entries-feed.ts';
export type { ConsulAccess, ConsulTls } from './consul-access.ts';
export type { LinkState } from './consul-link.ts';
export type { ProxyLocation } from './locate-proxy.ts';
export type { InstanceOverview, ServiceOverview } from './one-shots.ts';
export type { NodeProxies } from './parse-catalog.ts';
export { readEverything } from './read-everything.ts';
export type { Watched, WatchReport } from './watch-hub.ts';
export type { Recollection, WatchMemory } from './watch-memory.ts';

export interface ConsulOptions extends ConsulAccess {
  readonly clock: Clock;
  readonly random: Random;
  /** Questions held open at once; Consul's agents allow 200 per client by default. */
  readonly maxConcurrentQuestions?: number | undefined;
  readonly timings?: WatchTimings | undefined;
  readonly lingerMs?: number | undefined;
  /** How often a prepared query is executed; Consul's own sidecars do it every 30 s. */
  readonly preparedQueryPollMs?: number | undefined;
  /** What was known before, for as long as Consul cannot be asked. */
  readonly memory?: WatchMemory | undefined;
  readonly probeIntervalMs?: number | undefined;
  readonly onLink?: (state: LinkState) => void;
  /** Something that was told of news threw: a fault of the program. */
  readonly onSubscriberFault?: (error: unknown) => void;
}

/** How long a server that must have Consul waits for it to answer. */
const START_DEADLINE_MS = 5_000;

const LEADER_PATH = '/v1/status/leader';
const DEFAULT_PREPARED_QUERY_POLL_MS = 30_000;
const PROBE_DEADLINE_MS = 2_000;
/** Beside the questions that are held. */
const ONE_SHOT_CONNECTIONS = 32;

/** How it stands between this server and Consul. */
export interface ConsulStatus {
  readonly address: string;
  readonly link: LinkState;
  readonly watches: readonly WatchReport[];
  readonly questions: ConnectionBudget['usage'];
}

export class Consul {
  readonly entries: ConfigEntriesFeed;
  readonly #clock: Clock;
  readonly #http: ConsulHttp;
  readonly #budget: ConnectionBudget;
  readonly #hub: WatchHub;
  readonly #preparedQueryPollMs: number;
  readonly #oneShots: OneShots;
  readonly #memory: WatchMemory | undefined;
  readonly #link: ConsulLink;
  /** The address that the last good probe asked, and the one when Consul was last back. */
  #answering = '';
  #answeredBefore = '';
  readonly #returns = new ReturnWatch();
  #isLookingBack = false;

  constructor(options: ConsulOptions) {
    const { clock, random, timings, lingerMs } = options;
    const maxQuestions = options.maxConcurrentQuestions ?? DEFAULT_MAX_CONCURRENT_QUESTIONS;
    this.#clock = clock;
    this.#preparedQueryPollMs = options.preparedQueryPollMs ?? DEFAULT_PREPARED_QUERY_POLL_MS;
    this.#http = new ConsulHttp({
      ...options,
      maxConnections: maxQuestions + ONE_SHOT_CONNECTIONS,
      nowMs: () => clock.nowMs(),
    });
    this.#budget = new ConnectionBudget(this.#http, () => clock.nowMs(), maxQuestions);
    const { onSubscriberFault, memory } = options;
    this.#memory = memory;
    this.#hub = new WatchHub({ consul: this.#budget, clock, random, timings, lingerMs, memory, onSubscriberFault });
    this.#oneShots = new OneShots(new ConsulClients(options, () => clock.nowMs()), () => this.#http.address);
    this.#link = new ConsulLink({
      probe: () => this.#probe(),
      clock,
      intervalMs: options.probeIntervalMs,
      onBack: (afterOutage) => this.#back(afterOutage),
      onChange: options.onLink ?? (() => {}),
    });
    this.entries = new ConfigEntriesFeed(this.#hub);
  }

  async #probe(): Promise<string> {
    void this.#returnToMoreWanted();
    const address = this.#http.address;
    try {
      const leader = await this.#leaderAt(address);
      this.#answering = address;
      this.#answeredBefore ||= address;
      return leader;
    } catch (error) {
      if (this.#http.address === address) this.#http.preferAnother();
      throw error;
    }
  }

  /** An address that is wanted more answers again, and has done so for a while: questions from now on go there. */
  async #returnToMoreWanted(): Promise<void> {
    if (this.#isLookingBack) return;
    this.#isLookingBack = true;
    const back = await this.#returns.ready(this.#http.moreWanted, (address) => this.#leaderAt(address));
    this.#isLookingBack = false;
    if (back !== undefined) this.#http.prefer(back);
  }

  /** The leader that the server at this address follows. Rejects when it is away and when there is no leader. */
  async #leaderAt(address: string): Promise<string> {
    const answer = await this.#http.askAt(address, LEADER_PATH, { deadlineMs: PROBE_DEADLINE_MS });
    const leader = answer.json();
    if (typeof leader !== 'string' || leader === '') throw new Error(`${address}: the Consul servers have no leader`);
    return leader;
  }

  /** Questions that hang at a server that is no longer asked would hear nothing until their deadline. */
  #back(afterOutage: boolean): void {
    const moved = this.#answering !== this.#answeredBefore;
    this.#answeredBefore = this.#answering;
    if (afterOutage || moved) this.#hub.nudgeAll();
    else this.#hub.nudgeTroubled();
  }

  /** Begins to watch what every proxy needs. */
  start(): void {
    void this.#link.start();
    this.entries.start();
  }

  async stop(): Promise<void> {
    this.#link.stop();
    this.entries.stop();
    this.#hub.stop();
    this.#oneShots.close();
    await this.#http.close();
  }

  /** Rejects when no address answers with a leader, saying what to do. */
  async requireLeader(): Promise<void> {
    const answer = await this.#http.ask(LEADER_PATH, {}, { deadlineMs: START_DEADLINE_MS });
    if (answer.json() === '')
      throw new Error(`Consul at ${this.#http.address} has no leader; wait for its servers to elect one`);
  }

  /**
   * Rejects with a ConsulError where Consul could not be asked and it is not known where the proxy was before: that is no
   * "unknown".
   */
  async locateProxy(id: string, signal?: AbortSignal): Promise<ProxyLocation> {
    const key = `location ${id}`;
    try {
      const location = await locateProxy(this.#budget, id, async () => (await this.#oneShots.agent()).node, signal);
      if (location.kind === 'found') this.#memory?.keep(key, JSON.stringify(location.node));
      return location;
    } catch (error) {
      const before = signal?.aborted === true ? undefined : this.#memory?.recall(key);
      if (before === undefined) throw error;
      return { kind: 'found', node: nodeName(String(JSON.parse(before.body))) };
    }
  }

  /** The datacenter of the agent that is asked. Rejects where it could not be asked. */
  async localDatacenter(): Promise<string> {
    return (await this.#oneShots.agent()).datacenter;
  }

  /** Of the agent that is asked. Rejects where it could not be asked. */
  defaultIntentionPolicy(): Promise<'allow' | 'deny' | 'notSet'> {
    return this.#oneShots.defaultIntentionPolicy();
  }

  watchNode(node: NodeName, listener: (state: WatchState<NodeProxies>) => void): Watched<NodeProxies> {
    return this.#hub.subscribe(nodeServicesWatch(node), listener);
  }

  /** Those of the agent that answers, as it knows them itself. */
  watchAgentChecks(listener: (state: WatchState<readonly ExposedCheck[]>) => void): Watched<readonly ExposedCheck[]> {
    return this.#hub.subscribe(agentChecksWatch, listener);
  }

  watchExposedChecks(
    node: NodeName,
    listener: (state: WatchState<readonly ExposedCheck[]>) => void,
  ): Watched<readonly ExposedCheck[]> {
    return this.#hub.subscribe(exposedChecksWatch(node), listener);
  }

  watchHealth(
    query: HealthQuery,
    localDatacenter: string,
    listener: (state: WatchState<ServiceHealth>) => void,
  ): Watched<ServiceHealth> {
    const spec =
      query.isPreparedQuery === true
        ? preparedQueryWatch(query, localDatacenter, this.#preparedQueryPollMs)
        : healthWatch(query, localDatacenter);
    return this.#hub.subscribe(spec, listener);
  }

  /** Instances at their own addresses, for a service whose instances have no sidecars. */
  watchPlainHealth(
    query: HealthQuery,
    localDatacenter: string,
    listener: (state: WatchState<ServiceHealth>) => void,
  ): Watched<ServiceHealth> {
    return this.#hub.subscribe(plainHealthWatch(query, localDatacenter), listener);
  }

  watchCaRoots(listener: (state: WatchState<CaRoots>) => void): Watched<CaRoots> {
    return this.#hub.subscribe(caRootsWatch, listener);
  }

  /** The first question makes Consul issue one. Only for whoever serves it to that service's own proxies. */
  watchLeaf(service: ServiceName, listener: (state: WatchState<LeafCertificate>) => void): Watched<LeafCertificate> {
    return this.#hub.subscribe(leafWatch(service), listener);
  }

  watchIntentions(listener: (state: WatchState<AllIntentions>) => void): Watched<AllIntentions> {
    return this.#hub.subscribe(intentionsWatch, listener);
  }

  /** What the console shows: every service, asked once and kept for seconds. */
  services(): Promise<readonly ServiceOverview[]> {
    return this.#oneShots.services(this.#clock.nowMs());
  }

  get status(): ConsulStatus {
    const link = this.#link.state;
    const reports = this.#hub.reports();
    return {
      address: this.#http.address,
      link,
      // A question that hangs has not failed yet; while Consul is known to be gone its answer is old all the same.
      watches: link.kind === 'down' ? reports.map((report) => staleReport(report, link.error)) : reports,
      questions: this.#budget.usage,
    };
  }
}

function staleReport(report: WatchReport, error: string): WatchReport {
  return report.state === 'current' ? { ...report, state: 'stale', error } : report;
}

/** Consul's word for a mesh without a CA: not trouble, but an answer. */
export function isConnectDisabled(error: string): boolean {
  return error.includes('Connect must be enabled');
}
