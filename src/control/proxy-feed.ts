import type { Consul, EntriesChange, WatchMemory } from './consul/consul.ts';
import type { EndpointFeed } from './endpoint-feed.ts';
import { ExposedChecksFeed } from './exposed-checks-feed.ts';
import { HeldMemory } from './held-memory.ts';
import { chooseUnits, mergedParts } from './held-units.ts';
import { RegistrationFeed, type RegistrationState } from './registration-feed.ts';
import { BurstMerger, type SnapshotStore } from './snapshot/snapshot.ts';
import {
  type ConfigEntries,
  type EndpointGroup,
  effectiveExpose,
  errorAt,
  type MutualTls,
  type MutualTlsTerms,
  type Problem,
  type ProxyRegistration,
  type ServiceName,
  type TranslatedProxy,
  type TranslatedUnit,
  translateProxy,
} from './translate/translate.ts';

/** What every proxy's translation needs besides its registration; undefined while something of it was never read. */
export interface MeshState {
  readonly entries: ConfigEntries;
  readonly trustDomain: string;
  /** Absent: the mesh speaks plaintext. */
  readonly mutualTls?: MutualTlsTerms | undefined;
}

export interface ProxyFeedOptions {
  readonly nodeId: string;
  readonly consul: Consul;
  readonly store: SnapshotStore;
  readonly endpoints: EndpointFeed;
  /** For sidecars of this service. */
  readonly mesh: (service: ServiceName) => MeshState | undefined;
  readonly mutualTls: MutualTls;
  readonly memory?: WatchMemory | undefined;
  readonly nowMs: () => number;
  readonly onRegistration: (registration: ProxyRegistration) => void;
  /** After each translation and each reading of its registration; none once nobody follows the proxy. */
  readonly onProblems: (problems: readonly Problem[]) => void;
}

/**
 * A first snapshot waits this long for endpoints and intentions that Consul has not told yet. A proxy may come with a full
 * configuration from another server, and takes what is missing here for removed; but one unreadable service must not hold up
 * the rest.
 */
const FIRST_PATIENCE_MS = 10_000;

/** Follows one proxy: translates its registration whenever something it is made of changes, and publishes the result. */
export class ProxyFeed {
  readonly #options: ProxyFeedOptions;
  readonly #where: string;
  readonly #registration: RegistrationFeed;
  readonly #checks: ExposedChecksFeed;
  readonly #merger: BurstMerger;
  readonly #startedMs: number;
  readonly #held: HeldMemory;
  /** The groups this proxy holds or waits for. */
  readonly #retained = new Map<string, EndpointGroup>();
  /** By key, the form of each unit that the proxy holds now. */
  #published: ReadonlyMap<string, TranslatedUnit> = new Map();
  /** Whose entries the last translation asked for. */
  #services: ReadonlySet<string> = new Set();
  #problems: readonly Problem[] = [];
  /** Ends the wait of a first snapshot. */
  #patience: NodeJS.Timeout | undefined;

  constructor(options: ProxyFeedOptions) {
    this.#options = options;
    this.#where = `proxy ${options.nodeId}`;
    this.#startedMs = options.nowMs();
    this.#held = new HeldMemory(options.nodeId, options.memory, options.mutualTls);
    this.#merger = new BurstMerger(() => this.#translate(), options.nowMs);
    this.#checks = new ExposedChecksFeed(options.consul, () => this.#merger.request());
    this.#registration = new RegistrationFeed({
      nodeId: options.nodeId,
      consul: options.consul,
      nowMs: options.nowMs,
      onRegistration: (registration) => {
        options.onRegistration(registration);
        this.#merger.request();
      },
      onUnregistered: (message) => options.store.refuse(options.nodeId, { kind: 'not-found', message }),
      onProblems: () => options.onProblems(this.problems()),
    });
  }

  get state(): RegistrationState {
    return this.#registration.state;
  }

  get registration(): ProxyRegistration | undefined {
    return this.#registration.registration;
  }

  problems(): readonly Problem[] {
    return [...this.#registration.problems(), ...this.#checks.problems(), ...this.#problems];
  }

  start(): void {
    this.#registration.start();
  }

  /** Something that proxies are made of has changed: the entries of these services, or something that concerns all. */
  refresh(change: EntriesChange): void {
    const concerned = change === 'everything' || !this.#services.isDisjointFrom(change);
    if (concerned) this.#merger.request();
  }

  /** An assignment is there for the first time; translation is due where this proxy waits for it. */
  assignmentArrived(name: string): void {
    if (this.#retained.has(name)) this.#merger.request();
  }

  stop(): void {
    this.#registration.stop();
    this.#checks.stop();
    this.#merger.stop();
    this.#options.onProblems([]);
    clearTimeout(this.#patience);
    for (const name of this.#retained.keys()) this.#options.endpoints.release(name);
    this.#retained.clear();
  }

  /** A fault of ours, or a bound that was reached, leaves this proxy as it is and the server running. */
  #translate(): void {
    try {
      this.#translateNow();
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      this.#problems = [errorAt(this.#where, `keeps what it has; translating it failed: ${message}`)];
    }
    this.#options.onProblems(this.problems());
  }

  /** Translates, takes each part that is complete, holds the others at the form the proxy has, and publishes the whole. */
  #translateNow(): void {
    const { registration } = this.#registration;
    const mesh = registration === undefined ? undefined : this.#options.mesh(registration.destinationService);
    if (mesh === undefined || registration === undefined) return;
    if (isWithoutIntentions(mesh) && this.#published.size === 0 && !this.#waitedLongEnough()) return;
    const expose = effectiveExpose(registration, mesh.entries);
    this.#checks.follow(expose.checks ? registration.node : undefined);
    const translated = translateProxy({ registration, ...mesh, exposedChecks: this.#checks.checks });
    this.#problems = translated.problems;
    this.#services = translated.services;
    const recalled = this.#recalledFor(translated);
    const wanted = new Map([...translated.units, ...recalled].flatMap(groupsByName));
    this.#retain(wanted);
    const isComplete = (unit: TranslatedUnit): boolean => this.#isComplete(unit);
    const known = new Map([
      ...recalled.filter(isComplete).map((unit) => [unit.key, unit] as const),
      ...this.#published,
    ]);
    const { units, waiting } = chooseUnits(translated, known, isComplete);
    const isWaiting = waiting || this.#checks.isWaiting || !recalled.every(isComplete);
    // A first snapshot with parts missing would have the proxy refuse connections that a moment later work.
    if (isWaiting && this.#published.size === 0 && !this.#waitedLongEnough()) return;
    this.#publish(units, translated);
    this.#releaseAllBut(new Map([...wanted, ...[...this.#published.values()].flatMap(groupsByName)]));
  }

  /** Faulty parts that this server has never seen in a good form, in the form they had before it started. */
  #recalledFor({ faultyUnits }: TranslatedProxy): readonly TranslatedUnit[] {
    return faultyUnits
      .filter((key) => !this.#published.has(key))
      .map((key) => this.#held.recalled.get(key))
      .filter((unit) => unit !== undefined);
  }

  #publish(units: readonly TranslatedUnit[], { problems, faultyUnits }: TranslatedProxy): void {
    const faults = this.#options.store.publish(this.#options.nodeId, mergedParts(units));
    this.#problems = [...problems, ...faults.map((message) => errorAt(this.#where, message))];
    if (faults.length === 0) {
      this.#published = new Map(units.map((unit) => [unit.key, unit]));
      this.#held.keep(units.filter(({ key }) => faultyUnits.includes(key)));
      return;
    }
    if (this.#held.recalled.size === 0) return;
    // What was kept may be what cannot be served; without it all else can.
    this.#held.giveUp();
    this.#merger.request();
  }

  #isComplete(unit: TranslatedUnit): boolean {
    return unit.endpointGroups.every(({ name }) => this.#options.store.hasAssignment(name));
  }

  #waitedLongEnough(): boolean {
    const leftMs = this.#startedMs + FIRST_PATIENCE_MS - this.#options.nowMs();
    if (leftMs <= 0) return true;
    clearTimeout(this.#patience);
    this.#patience = setTimeout(() => this.#merger.request(), leftMs);
    this.#patience.unref();
    return false;
  }

  #retain(groups: ReadonlyMap<string, EndpointGroup>): void {
    for (const [name, group] of groups) {
      const before = this.#retained.get(name);
      if (before !== undefined && JSON.stringify(before) === JSON.stringify(group)) continue;
      this.#options.endpoints.retain(group);
      this.#retained.set(name, group);
      if (before !== undefined) this.#options.endpoints.release(name);
    }
  }

  /** What the proxy neither holds nor waits for is let go, after it left the snapshot. */
  #releaseAllBut(needed: ReadonlyMap<string, EndpointGroup>): void {
    for (const name of [...this.#retained.keys()]) {
      if (needed.has(name)) continue;
      this.#retained.delete(name);
      this.#options.endpoints.release(name);
    }
  }
}

/** They could not be read so far: whoever is served now lets nobody in. */
function isWithoutIntentions({ mutualTls }: MeshState): boolean {
  return mutualTls !== undefined && mutualTls.intentions === undefined;
}

function groupsByName({ endpointGroups }: TranslatedUnit): readonly (readonly [string, EndpointGroup])[] {
  return endpointGroups.map((group) => [group.name, group] as const);
}
