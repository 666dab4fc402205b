import {
  type Consul,
  type EntriesChange,
  knownValue,
  type NodeProxies,
  type ProxyLocation,
  type Watched,
} from './consul/consul.ts';
import type { EndpointFeed } from './endpoint-feed.ts';
import { chooseUnits, mergedParts } from './held-units.ts';
import { BurstMerger, type SnapshotStore } from './snapshot/snapshot.ts';
import {
  type ConfigEntries,
  type EndpointGroup,
  errorAt,
  type NodeName,
  type Problem,
  type ProxyRegistration,
  serviceId,
  type TranslatedUnit,
  translateProxy,
  warningAt,
} from './translate/translate.ts';

/** What every proxy's translation needs besides its registration; undefined while something of it was never read. */
export interface MeshState {
  readonly entries: ConfigEntries;
  readonly trustDomain: string;
}

export interface ProxyFeedOptions {
  readonly nodeId: string;
  readonly consul: Consul;
  readonly store: SnapshotStore;
  readonly endpoints: EndpointFeed;
  readonly mesh: () => MeshState | undefined;
  readonly nowMs: () => number;
  readonly onRegistration: (registration: ProxyRegistration) => void;
}

/**
 * Where a connected proxy's registration is.
 *
 *   locating ──found──▶ following ──registration gone──▶ lost ──found──▶ following
 *       └──not registered──▶ unregistered ──found──▶ following
 *
 * A lost proxy keeps what it was given. An unregistered one is refused, and looked for again meanwhile.
 */
export type ProxyFeedState =
  | { readonly kind: 'locating'; readonly error: string | undefined }
  | { readonly kind: 'unregistered'; readonly message: string }
  | { readonly kind: 'following'; readonly node: NodeName }
  | { readonly kind: 'lost'; readonly node: NodeName };

/** A sidecar often starts a moment before its registration: this long it waits before it is refused. */
const REGISTRATION_GRACE_MS = 2_000;
/**
 * A first snapshot waits this long for endpoints that Consul has not told yet. A proxy may come with a full configuration
 * from another server, and takes what is missing here for removed; but one unreadable service must not hold up the rest.
 */
const ENDPOINT_PATIENCE_MS = 10_000;
const FIRST_LOOK_AGAIN_MS = 200;
const LOOK_AGAIN_MS = 2_000;

/** Follows one proxy: finds its registration, translates it whenever something it is made of changes, and publishes it. */
export class ProxyFeed {
  readonly #options: ProxyFeedOptions;
  readonly #merger: BurstMerger;
  readonly #stopped = new AbortController();
  readonly #startedMs: number;
  #state: ProxyFeedState = { kind: 'locating', error: undefined };
  #watched: Watched<NodeProxies> | undefined;
  #registration: ProxyRegistration | undefined;
  #retained = new Map<string, EndpointGroup>();
  /** By key, the form of each unit that the proxy holds now. */
  #published = new Map<string, TranslatedUnit>();
  /** Whose entries the last translation asked for. */
  #services: ReadonlySet<string> = new Set();
  #translationProblems: readonly Problem[] = [];
  #lookAgain: NodeJS.Timeout | undefined;
  /** Ends the wait for the endpoints of a first snapshot. */
  #patience: NodeJS.Timeout | undefined;

  constructor(options: ProxyFeedOptions) {
    this.#options = options;
    this.#startedMs = options.nowMs();
    this.#merger = new BurstMerger(() => this.#translate(), options.nowMs);
  }

  get state(): ProxyFeedState {
    return this.#state;
  }

  get registration(): ProxyRegistration | undefined {
    return this.#registration;
  }

  problems(): readonly Problem[] {
    const where = `proxy ${this.#options.nodeId}`;
    const problem = stateProblem(this.#state, where);
    const registered = this.#watched === undefined ? undefined : knownValue(this.#watched.state);
    return [
      ...(problem === undefined ? [] : [problem]),
      ...(registered?.problems.get(serviceId(this.#options.nodeId)) ?? []),
      ...this.#translationProblems,
    ];
  }

  start(): void {
    void this.#locate();
  }

  /** Something that proxies are made of has changed: the entries of these services, or something that concerns all. */
  refresh(change: EntriesChange): void {
    const concerned = change === 'everything' || !this.#services.isDisjointFrom(change);
    if (this.#registration !== undefined && concerned) this.#merger.request();
  }

  /** An assignment is there for the first time; translation is due where this proxy waits for it. */
  assignmentArrived(name: string): void {
    if (this.#retained.has(name)) this.#merger.request();
  }

  stop(): void {
    this.#stopped.abort();
    clearTimeout(this.#lookAgain);
    clearTimeout(this.#patience);
    this.#merger.stop();
    this.#watched?.release();
    for (const name of this.#retained.keys()) this.#options.endpoints.release(name);
    this.#retained.clear();
  }

  async #locate(): Promise<void> {
    try {
      const location = await this.#options.consul.locateProxy(this.#options.nodeId, this.#stopped.signal);
      if (!this.#stopped.signal.aborted) this.#located(location);
    } catch (error) {
      if (this.#stopped.signal.aborted) return;
      // Consul could not be asked: that says nothing about the proxy, so nobody is refused.
      if (this.#state.kind === 'locating') this.#state = { kind: 'locating', error: errorText(error) };
      this.#lookAgainLater();
    }
  }

  #located(location: ProxyLocation): void {
    if (location.kind === 'found') {
      this.#follow(location.node);
      return;
    }
    if (this.#state.kind === 'lost') {
      this.#lookAgainLater();
      return;
    }
    const waitedMs = this.#options.nowMs() - this.#startedMs;
    if (location.kind === 'notAProxy' || waitedMs >= REGISTRATION_GRACE_MS) {
      const message = refusalMessage(this.#options.nodeId, location);
      this.#state = { kind: 'unregistered', message };
      this.#options.store.refuse(this.#options.nodeId, { kind: 'not-found', message });
    }
    this.#lookAgainLater();
  }

  #follow(node: NodeName): void {
    this.#watched?.release();
    this.#state = { kind: 'following', node };
    this.#watched = this.#options.consul.watchNode(node, () => this.#readRegistration());
    this.#readRegistration();
  }

  #readRegistration(): void {
    const known = this.#watched === undefined ? undefined : knownValue(this.#watched.state);
    if (known === undefined) return;
    const registration = known.proxies.get(serviceId(this.#options.nodeId));
    if (registration === undefined) {
      this.#registrationGone();
      return;
    }
    if (this.#state.kind === 'lost') this.#state = { kind: 'following', node: this.#state.node };
    if (JSON.stringify(registration) === JSON.stringify(this.#registration)) return;
    this.#registration = registration;
    this.#options.onRegistration(registration);
    this.#merger.request();
  }

  /** It left this node, or the agent knows it and the catalog does not yet. */
  #registrationGone(): void {
    if (this.#state.kind !== 'following') return;
    if (this.#registration !== undefined) this.#state = { kind: 'lost', node: this.#state.node };
    this.#lookAgainLater();
  }

  #lookAgainLater(): void {
    clearTimeout(this.#lookAgain);
    const young = this.#options.nowMs() - this.#startedMs < REGISTRATION_GRACE_MS;
    this.#lookAgain = setTimeout(() => void this.#locate(), young ? FIRST_LOOK_AGAIN_MS : LOOK_AGAIN_MS);
    this.#lookAgain.unref();
  }

  /** A fault of ours, or a bound that was reached, leaves this proxy as it is and the server running. */
  #translate(): void {
    try {
      this.#translateNow();
    } catch (error) {
      const where = `proxy ${this.#options.nodeId}`;
      this.#translationProblems = [errorAt(where, `keeps what it has; translating it failed: ${errorText(error)}`)];
    }
  }

  /** Translates, takes each part that is complete, holds the others at the form the proxy has, and publishes the whole. */
  #translateNow(): void {
    const mesh = this.#options.mesh();
    if (mesh === undefined || this.#registration === undefined) return;
    const translated = translateProxy({ registration: this.#registration, ...mesh });
    this.#translationProblems = translated.problems;
    this.#services = translated.services;
    const wanted = new Map(translated.units.flatMap(groupsByName));
    this.#retain(wanted);
    const { units, waiting } = chooseUnits(translated, this.#published, (unit) => this.#isComplete(unit));
    // A first snapshot with parts missing would have the proxy refuse connections that a moment later work.
    if (waiting && this.#published.size === 0 && !this.#waitedLongEnough()) return;
    this.#publish(units, translated.problems);
    this.#releaseAllBut(new Map([...wanted, ...[...this.#published.values()].flatMap(groupsByName)]));
  }

  #publish(units: readonly TranslatedUnit[], problems: readonly Problem[]): void {
    const faults = this.#options.store.publish(this.#options.nodeId, mergedParts(units));
    const where = `proxy ${this.#options.nodeId}`;
    this.#translationProblems = [...problems, ...faults.map((message) => errorAt(where, message))];
    if (faults.length === 0) this.#published = new Map(units.map((unit) => [unit.key, unit]));
  }

  #isComplete(unit: TranslatedUnit): boolean {
    return unit.endpointGroups.every(({ name }) => this.#options.store.hasAssignment(name));
  }

  #waitedLongEnough(): boolean {
    const leftMs = this.#startedMs + ENDPOINT_PATIENCE_MS - this.#options.nowMs();
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
      this.#retained.set(name, group);
      this.#options.endpoints.retain(group);
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

function groupsByName({ endpointGroups }: TranslatedUnit): readonly (readonly [string, EndpointGroup])[] {
  return endpointGroups.map((group) => [group.name, group] as const);
}

function refusalMessage(nodeId: string, location: Exclude<ProxyLocation, { kind: 'found' }>): string {
  const fix =
    'Register the service with connect.sidecar_service, and start the sidecar with the id of that registration';
  if (location.kind === 'unknown') {
    return `proxy "${nodeId}" is not registered in Consul. ${fix} (<service id>-sidecar-proxy).`;
  }
  const kind = location.serviceKind === '' ? 'an ordinary service' : `a ${location.serviceKind}`;
  return `"${nodeId}" is registered in Consul as ${kind}, not as a connect-proxy. ${fix} (${nodeId}-sidecar-proxy?).`;
}

function stateProblem(state: ProxyFeedState, where: string): Problem | undefined {
  switch (state.kind) {
    case 'following':
      return undefined;
    case 'locating':
      return state.error === undefined ? undefined : errorAt(where, `cannot be looked up yet: ${state.error}`);
    case 'unregistered':
      return errorAt(where, state.message);
    case 'lost':
      return warningAt(where, `left node ${state.node}; it keeps what it has. Register it again, or stop it`);
  }
}

function errorText(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
