/**
 * The asking half of xDS: one ADS stream to the best control server that answers, what is held of each type, and the answers to what
 * comes. It knows the protocol, versions and servers. It does not know what a resource means: its owner says what is wanted, and
 * decodes.
 */
import { type Clock, systemClock } from '../../base/clock.ts';
import { type Random, systemRandom } from '../../base/random.ts';
import type { ControlServer, Node } from '../../resource/bootstrap.ts';
import { RESOURCE_TYPES } from '../../resource/type-url.ts';
import type { DiscoveryResponse } from '../discovery-codec.ts';
import { AbsenceTimers } from './absence-timers.ts';
import { newClientCounters, type XdsClientState, type XdsClientTypeView, type XdsClientView } from './client-state.ts';
import type { LastGoodConfig, LastGoodResource } from './last-good-config.ts';
import { type BackoffPolicy, DEFAULT_BACKOFF } from './reconnect-backoff.ts';
import { ServerFailover } from './server-failover.ts';
import type { StreamAttempt } from './stream-attempt.ts';
import { type DecodeResource, type HeldResource, TypeLedger, type Wanted } from './type-ledger.ts';

export type { XdsClientCounters, XdsClientState, XdsClientTypeView, XdsClientView } from './client-state.ts';
export {
  type LastGoodConfig,
  LastGoodConfigWriter,
  type LastGoodLoad,
  type LastGoodResource,
  loadLastGoodConfig,
} from './last-good-config.ts';
export { type ClusterTotals, LoadReporter } from './load-reporter.ts';
export { type BackoffPolicy, DEFAULT_BACKOFF } from './reconnect-backoff.ts';
export type { DecodeResource, HeldResource, RejectedResource, Wanted } from './type-ledger.ts';

/** One type's change, already accepted: resources that are new or differ, and names that are gone. */
export interface ResourceUpdate<Value> {
  readonly typeUrl: string;
  readonly changed: readonly HeldResource<Value>[];
  readonly removed: readonly string[];
}

/** What a client needs. */
export interface XdsClientOptions<Value> {
  /** In order of preference; at least one. */
  readonly servers: readonly ControlServer[];
  readonly node: Node;
  readonly isDelta: boolean;
  readonly userAgentVersion: string;
  readonly decode: DecodeResource<Value>;
  /**
   * Good resources of a response, before the response is answered: subscriptions that follow from them, set in here, reach the server
   * ahead of the ACK, and so ahead of what refers to them.
   */
  readonly onUpdate: (update: ResourceUpdate<Value>) => void;
  /** Resources of a response that are held already, just as they are. */
  readonly onConfirmed?: (typeUrl: string, confirmed: readonly HeldResource<Value>[]) => void;
  /** A name that was asked for does not exist; once per stream and name. What is held stays held. */
  readonly onDoesNotExist?: (typeUrl: string, name: string) => void;
  /** No server renewed these within their time to live: they are taken away, and an update follows. */
  readonly onLapsed?: (typeUrl: string, names: readonly string[]) => void;
  /** Each response that had faults, for the log: one line per resource. */
  readonly onRejected?: (typeUrl: string, version: string, faults: readonly string[]) => void;
  readonly onState?: (state: XdsClientState, lastError: string) => void;
  /** gRPC metadata of every stream. */
  readonly metadata?: Readonly<Record<string, string>>;
  /** Keep what a server takes away: a server that has lost its memory then takes nobody down. */
  readonly ignoresDeletion?: boolean;
  readonly typeUrls?: readonly string[];
  readonly clock?: Clock;
  readonly random?: Random;
  readonly backoff?: BackoffPolicy;
  readonly doesNotExistTimeoutMs?: number;
  /** A server that is silent for this long is left for the next one, where there is one. */
  readonly firstResponseTimeoutMs?: number;
  /** How often a client that had to move looks whether a preferred server is back. */
  readonly returnIntervalMs?: number;
}

const DEFAULT_DOES_NOT_EXIST_TIMEOUT_MS = 15_000;
const DEFAULT_FIRST_RESPONSE_TIMEOUT_MS = 15_000;
const DEFAULT_RETURN_INTERVAL_MS = 30_000;
/** Node's timers take no more. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** One client for the life of a sidecar. Never gives up: what it holds stays in force while no server answers. */
export class XdsClient<Value> {
  readonly #options: XdsClientOptions<Value>;
  readonly #ledgers: ReadonlyMap<string, TypeLedger<Value>>;
  readonly #servers: ServerFailover;
  readonly #absence: AbsenceTimers;
  readonly #clock: Clock;
  readonly #counters = newClientCounters();
  #lapseTimer: NodeJS.Timeout | undefined;
  #lapseAtMs = Number.POSITIVE_INFINITY;

  constructor(options: XdsClientOptions<Value>) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    const typeUrls = options.typeUrls ?? RESOURCE_TYPES;
    this.#ledgers = new Map(
      typeUrls.map((typeUrl) => [typeUrl, new TypeLedger(typeUrl, options.decode, options.ignoresDeletion)]),
    );
    this.#absence = new AbsenceTimers(
      options.doesNotExistTimeoutMs ?? DEFAULT_DOES_NOT_EXIST_TIMEOUT_MS,
      (typeUrl, name) => {
        this.#servers.askAgain(typeUrl, name);
        this.#tellAbsent(typeUrl, name);
      },
    );
    const patienceMs = options.firstResponseTimeoutMs ?? DEFAULT_FIRST_RESPONSE_TIMEOUT_MS;
    const { node, isDelta, userAgentVersion, metadata = {} } = options;
    this.#servers = new ServerFailover({
      servers: options.servers,
      attempt: {
        ledgers: this.#ledgers,
        identity: { node, userAgentName: 'weft', userAgentVersion },
        isDelta,
        metadata,
        // A lone server may have nothing to say yet, and nobody else would say it sooner; keepalive finds a dead one.
        firstResponseTimeoutMs: options.servers.length > 1 ? patienceMs : undefined,
      },
      clock: this.#clock,
      random: options.random ?? systemRandom,
      backoff: options.backoff ?? DEFAULT_BACKOFF,
      returnIntervalMs: options.returnIntervalMs ?? DEFAULT_RETURN_INTERVAL_MS,
      counters: this.#counters,
      onState: (state) => this.#onState(state),
      onResponse: (attempt, response, bytes) => this.#onResponse(attempt, response, bytes),
    });
  }

  get state(): XdsClientState {
    return this.#servers.state;
  }

  start(): void {
    this.#servers.start();
  }

  /** For good. */
  stop(): void {
    clearTimeout(this.#lapseTimer);
    this.#servers.stop();
  }

  /** Says what is wanted of a type; what is no longer wanted is dropped without an update. Equal names change nothing. */
  setSubscription(typeUrl: string, wanted: Wanted): void {
    const ledger = this.#ledgerOf(typeUrl);
    if (isSameWanted(ledger.wanted, wanted)) return;
    ledger.want(typeof wanted === 'string' ? wanted : new Set(wanted));
    this.#servers.onWantedChanged(typeUrl);
    this.#awaitMissing(ledger);
  }

  /** What is in force, of one type. */
  resources(typeUrl: string): ReadonlyMap<string, HeldResource<Value>> {
    return this.#ledgerOf(typeUrl).held;
  }

  /**
   * Takes the config of an earlier run as if it had just come; call it before `start`, with or without subscriptions. Types come in
   * order of delivery, so that subscriptions that follow from one are set before the next. Answers with one line per resource that is
   * no longer good. What has a time to live is given it once more.
   */
  restore(config: LastGoodConfig): readonly string[] {
    const faults: string[] = [];
    for (const [typeUrl, ledger] of this.#ledgers) {
      const changed: HeldResource<Value>[] = [];
      for (const resource of config.types.get(typeUrl) ?? []) {
        const restored = ledger.restore(resource, this.#clock.nowMs());
        if (restored === undefined) continue;
        if ('value' in restored) changed.push(restored);
        else faults.push(`${resource.name}: ${restored.map((fault) => `${fault.field}: ${fault.message}`).join('; ')}`);
      }
      if (changed.length > 0) this.#options.onUpdate({ typeUrl, changed, removed: [] });
    }
    this.#awaitLapse();
    return faults;
  }

  /** What is to be kept for the next run: the bytes of everything in force. */
  lastGood(): LastGoodConfig {
    const types = new Map<string, readonly LastGoodResource[]>();
    for (const [typeUrl, { held }] of this.#ledgers) types.set(typeUrl, [...held.values()]);
    return { nodeId: this.#options.node.id, types };
  }

  view(): XdsClientView {
    return {
      state: this.#servers.state,
      lastError: this.#servers.lastError,
      types: [...this.#ledgers.values()].map(typeView),
      counters: this.#counters,
    };
  }

  #ledgerOf(typeUrl: string): TypeLedger<Value> {
    const ledger = this.#ledgers.get(typeUrl);
    if (ledger === undefined) throw new Error(`xDS client: ${typeUrl} is none of the types this client was made for`);
    return ledger;
  }

  #onState(state: XdsClientState): void {
    // Silence says that a name does not exist only where somebody is there to be silent.
    if (state.kind !== 'streaming') this.#absence.clear();
    if (state.kind === 'connecting') for (const ledger of this.#ledgers.values()) this.#awaitMissing(ledger);
    this.#options.onState?.(state, this.#servers.lastError);
  }

  #onResponse(attempt: StreamAttempt, response: DiscoveryResponse, bytes: number): readonly string[] {
    this.#counters.responses += 1;
    this.#counters.responseBytes += bytes;
    const ledger = this.#ledgers.get(response.typeUrl);
    if (ledger === undefined) return [`type_url: ${response.typeUrl} was not asked for`];
    const scope = attempt.scopeOf(response.typeUrl);
    const update = ledger.apply(response, scope, this.#clock.nowMs());
    const { changed, confirmed, removed, kept, absent, missed, faults } = update;
    this.#awaitLapse();
    this.#counters.resourcesChanged += changed.length;
    this.#counters.resourcesRemoved += removed.length;
    this.#counters.deletionsIgnored += kept.length;
    if (faults.length === 0) this.#counters.acknowledged += 1;
    else {
      this.#counters.rejected += 1;
      this.#options.onRejected?.(response.typeUrl, response.version, faults);
    }
    this.#awaitMissing(ledger);
    if (changed.length > 0 || removed.length > 0) {
      this.#options.onUpdate({ typeUrl: response.typeUrl, changed, removed });
    }
    if (confirmed.length > 0) this.#options.onConfirmed?.(response.typeUrl, confirmed);
    for (const name of absent) this.#tellAbsent(response.typeUrl, name);
    if (missed.length > 0) attempt.startOver(`renewed "${missed[0]}" after its time to live; asking for it anew`);
    return faults;
  }

  #awaitMissing(ledger: TypeLedger<Value>): void {
    if (!this.#servers.isTrying || typeof ledger.wanted === 'string') return;
    const isMissing = (name: string): boolean => !ledger.held.has(name) && !ledger.rejected.has(name);
    this.#absence.await(ledger.typeUrl, new Set([...ledger.wanted].filter(isMissing)));
  }

  /** One timer, for whichever resource may lapse first. Servers that are gone renew nothing, so it runs with and without a stream. */
  #awaitLapse(): void {
    const atMs = Math.min(...[...this.#ledgers.values()].map(({ nextLapseMs }) => nextLapseMs));
    if (atMs === this.#lapseAtMs) return;
    this.#lapseAtMs = atMs;
    clearTimeout(this.#lapseTimer);
    if (atMs === Number.POSITIVE_INFINITY || this.state.kind === 'stopped') return;
    const delayMs = Math.min(Math.max(Math.ceil(atMs - this.#clock.nowMs()), 0), MAX_TIMER_MS);
    this.#lapseTimer = setTimeout(() => this.#lapse(), delayMs);
    this.#lapseTimer.unref();
  }

  /** What refers goes before what it refers to. */
  #lapse(): void {
    this.#lapseAtMs = Number.POSITIVE_INFINITY;
    const nowMs = this.#clock.nowMs();
    for (const [typeUrl, ledger] of [...this.#ledgers].reverse()) {
      const { removed, kept } = ledger.lapse(nowMs);
      this.#counters.deletionsIgnored += kept.length;
      if (removed.length === 0) continue;
      this.#counters.resourcesLapsed += removed.length;
      this.#awaitMissing(ledger);
      this.#options.onLapsed?.(typeUrl, removed);
      this.#options.onUpdate({ typeUrl, changed: [], removed });
    }
    this.#awaitLapse();
  }

  #tellAbsent(typeUrl: string, name: string): void {
    this.#counters.absent += 1;
    this.#options.onDoesNotExist?.(typeUrl, name);
  }
}

function isSameWanted(before: Wanted, after: Wanted): boolean {
  if (typeof before === 'string' || typeof after === 'string') return before === after;
  return before.size === after.size && before.isSubsetOf(after);
}

function typeView({ typeUrl, wanted, held, rejected }: TypeLedger<unknown>): XdsClientTypeView {
  return {
    typeUrl,
    wanted: typeof wanted === 'string' ? wanted : wanted.size,
    held: held.size,
    rejected: [...rejected.values()].map(({ name, version, faults }) => ({ name, version, faults })),
  };
}
