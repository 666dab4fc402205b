import { type Consul, knownValue, type Watched } from './consul/consul.ts';
import {
  type AllIntentions,
  intentionsOf,
  type Problem,
  type ServiceIntentions,
  type ServiceName,
  unenforcedIntentions,
  warningAt,
} from './translate/translate.ts';

/**
 * The intentions of every service that has a connected sidecar. They are known and shown; nothing here enforces them, and
 * each denial is said to be unenforced, on the console and once in the log.
 */
export class IntentionsFeed {
  readonly #consul: Consul;
  readonly #warn: (message: string) => void;
  /** How many proxies of each service are followed. */
  readonly #holders = new Map<ServiceName, number>();
  /** Watched from the first proxy on. */
  #watched: Watched<AllIntentions> | undefined;
  #told: ReadonlySet<string> = new Set();

  constructor(consul: Consul, warn: (message: string) => void) {
    this.#consul = consul;
    this.#warn = warn;
  }

  /** Follows a service until it is released as often as it was retained. */
  retain(service: ServiceName): void {
    const held = this.#holders.get(service) ?? 0;
    this.#holders.set(service, held + 1);
    this.#watched ??= this.#consul.watchIntentions(() => this.#tellAll());
    if (held === 0) this.#told = new Set([...this.#told, ...this.#tell([service])]);
  }

  release(service: ServiceName): void {
    const left = (this.#holders.get(service) ?? 1) - 1;
    if (left > 0) this.#holders.set(service, left);
    else this.#holders.delete(service);
  }

  problems(): readonly Problem[] {
    const state = this.#watched?.state;
    if (state?.kind === 'failing') return [warningAt('intentions', `never read so far: ${state.error}`)];
    return this.#unenforced(this.#holders.keys());
  }

  /** By service, in the order of the names. */
  all(): readonly { readonly service: ServiceName; readonly known: ServiceIntentions | undefined }[] {
    const all = this.#watched === undefined ? undefined : knownValue(this.#watched.state);
    return [...this.#holders.keys()]
      .sort((a, b) => (a < b ? -1 : 1))
      .map((service) => ({ service, known: all === undefined ? undefined : intentionsOf(service, all) }));
  }

  stop(): void {
    this.#watched?.release();
    this.#watched = undefined;
    this.#holders.clear();
  }

  #tellAll(): void {
    const all = this.#watched === undefined ? undefined : knownValue(this.#watched.state);
    if (all !== undefined) this.#told = this.#tell(this.#holders.keys());
  }

  /** An intention for all services is every service's, and is told once. Gives what holds now. */
  #tell(services: Iterable<ServiceName>): ReadonlySet<string> {
    const lines = new Set(this.#unenforced(services).map(({ where, message }) => `${where} ${message}`));
    for (const line of lines) if (!this.#told.has(line)) this.#warn(line);
    return lines;
  }

  #unenforced(services: Iterable<ServiceName>): readonly Problem[] {
    const all = this.#watched === undefined ? undefined : knownValue(this.#watched.state);
    if (all === undefined) return [];
    return [...services].flatMap((service) => unenforcedIntentions(service, intentionsOf(service, all)));
  }
}
