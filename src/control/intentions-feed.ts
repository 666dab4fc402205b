import { isDeepStrictEqual } from 'node:util';
import { type Consul, type EntriesChange, knownValue, type Watched } from './consul/consul.ts';
import { DefaultIntentionPolicy } from './default-intention-policy.ts';
import {
  type AllIntentions,
  errorAt,
  intentionProblems,
  intentionsOf,
  type Problem,
  type ServiceIntentions,
  type ServiceName,
  unenforcedIntentions,
  warningAt,
} from './translate/translate.ts';

export interface IntentionsFeedOptions {
  readonly consul: Consul;
  /** Sidecars authenticate each other, and hold callers to intentions. */
  readonly isEnforced: boolean;
  /** Whose intentions are not what they were; only where they are enforced. */
  readonly onChange: (change: EntriesChange) => void;
  readonly warn: (message: string) => void;
}

/**
 * The intentions of every service that has a connected sidecar. Where the mesh has no mutual TLS nothing enforces them, and each
 * denial is said to be unenforced, on the console and once in the log.
 */
export class IntentionsFeed {
  readonly isEnforced: boolean;
  readonly #options: IntentionsFeedOptions;
  readonly #policy: DefaultIntentionPolicy;
  /** How many proxies of each service are followed. */
  readonly #holders = new Map<ServiceName, number>();
  /** Watched from the first proxy on. */
  #watched: Watched<AllIntentions> | undefined;
  #told: ReadonlySet<string> = new Set();
  /** What proxies were last made of. */
  #inForce: AllIntentions | 'pending' | undefined = 'pending';

  constructor(options: IntentionsFeedOptions) {
    this.#options = options;
    this.isEnforced = options.isEnforced;
    this.#policy = new DefaultIntentionPolicy(options.consul, () => this.#settle());
  }

  /** Follows a service until it is released as often as it was retained. */
  retain(service: ServiceName): void {
    const held = this.#holders.get(service) ?? 0;
    this.#holders.set(service, held + 1);
    if (this.isEnforced && this.#watched === undefined) this.#policy.ask();
    this.#watched ??= this.#options.consul.watchIntentions(() => this.#heard());
    if (held === 0) this.#told = new Set([...this.#told, ...this.#tell([service])]);
  }

  release(service: ServiceName): void {
    const left = (this.#holders.get(service) ?? 1) - 1;
    if (left > 0) this.#holders.set(service, left);
    else this.#holders.delete(service);
  }

  /** About one service; undefined where they cannot be read, `pending` while nobody knows whether they can. */
  of(service: ServiceName): ServiceIntentions | 'pending' | undefined {
    const all = this.#current();
    return all === undefined || all === 'pending' ? all : intentionsOf(service, all);
  }

  problems(): readonly Problem[] {
    const state = this.#watched?.state;
    if (state?.kind === 'failing') {
      if (!this.isEnforced) return [warningAt('intentions', `never read so far: ${state.error}`)];
      return [errorAt('intentions', `never read so far, so sidecars let nobody in: ${state.error}`)];
    }
    if (this.isEnforced && this.#policy.error !== '') {
      const message = `default_intention_policy was never read so far, so sidecars let nobody in: ${this.#policy.error}`;
      return [errorAt('intentions', message)];
    }
    return this.#problemsOf(this.#holders.keys());
  }

  /** By service, in the order of the names. */
  all(): readonly { readonly service: ServiceName; readonly known: ServiceIntentions | undefined }[] {
    const all = this.#known();
    return [...this.#holders.keys()]
      .sort((a, b) => (a < b ? -1 : 1))
      .map((service) => ({ service, known: all === undefined ? undefined : intentionsOf(service, all) }));
  }

  stop(): void {
    this.#policy.stop();
    this.#watched?.release();
    this.#watched = undefined;
    this.#holders.clear();
  }

  #current(): AllIntentions | 'pending' | undefined {
    const state = this.#watched?.state;
    if (state === undefined) return 'pending';
    const all = knownValue(state);
    if (all === undefined) return state.kind === 'failing' ? undefined : 'pending';
    if (!this.isEnforced) return all;
    const { known, error } = this.#policy;
    if (known === undefined) return error === '' ? 'pending' : undefined;
    return known === 'notSet' ? all : { ...all, defaultPolicy: known };
  }

  #known(): AllIntentions | undefined {
    const current = this.#current();
    return current === 'pending' ? undefined : current;
  }

  #heard(): void {
    if (this.isEnforced) this.#policy.ask();
    this.#settle();
  }

  #settle(): void {
    if (this.#known() !== undefined) this.#told = this.#tell(this.#holders.keys());
    if (!this.isEnforced) return;
    const before = this.#inForce;
    this.#inForce = this.#current();
    const change = changeBetween(before, this.#inForce);
    if (change === 'everything' || change.size > 0) this.#options.onChange(change);
  }

  /** An intention for all services is every service's, and is told once. Gives what holds now. */
  #tell(services: Iterable<ServiceName>): ReadonlySet<string> {
    const lines = new Set(this.#problemsOf(services).map(({ where, message }) => `${where} ${message}`));
    for (const line of lines) if (!this.#told.has(line)) this.#options.warn(line);
    return lines;
  }

  #problemsOf(services: Iterable<ServiceName>): readonly Problem[] {
    const all = this.#known();
    if (all === undefined) return [];
    const problems = this.isEnforced ? intentionProblems : unenforcedIntentions;
    return [...services].flatMap((service) => problems(service, intentionsOf(service, all)));
  }
}

/** Services by name; one that is written for all of them, or the default, is everybody's. */
function changeBetween(
  before: AllIntentions | 'pending' | undefined,
  now: AllIntentions | 'pending' | undefined,
): EntriesChange {
  if (before === now) return new Set();
  if (typeof before !== 'object' || typeof now !== 'object') return 'everything';
  const isSame = (destination: string): boolean =>
    isDeepStrictEqual(before.byDestination.get(destination), now.byDestination.get(destination));
  if (before.defaultPolicy !== now.defaultPolicy || !isSame('*')) return 'everything';
  const names = new Set([...before.byDestination.keys(), ...now.byDestination.keys()]);
  return new Set([...names].filter((name) => !isSame(name)));
}
