import { type Consul, knownValue, type Watched } from './consul/consul.ts';
import {
  type Problem,
  type ServiceIntentions,
  type ServiceName,
  unenforcedIntentions,
  warningAt,
} from './translate/translate.ts';

interface FollowedService {
  readonly watched: Watched<ServiceIntentions>;
  problems: readonly Problem[];
  holders: number;
}

/**
 * The intentions of every service that has a connected sidecar. They are known and shown; nothing here enforces them, and
 * each denial is said to be unenforced, on the console and once in the log.
 */
export class IntentionsFeed {
  readonly #consul: Consul;
  readonly #warn: (message: string) => void;
  readonly #followed = new Map<ServiceName, FollowedService>();

  constructor(consul: Consul, warn: (message: string) => void) {
    this.#consul = consul;
    this.#warn = warn;
  }

  /** Follows a service until it is released as often as it was retained. */
  retain(service: ServiceName): void {
    const followed = this.#followed.get(service);
    if (followed !== undefined) {
      followed.holders += 1;
      return;
    }
    const watched = this.#consul.watchIntentions(service, () => this.#read(service));
    this.#followed.set(service, { watched, problems: [], holders: 1 });
    this.#read(service);
  }

  release(service: ServiceName): void {
    const followed = this.#followed.get(service);
    if (followed === undefined) return;
    followed.holders -= 1;
    if (followed.holders > 0) return;
    followed.watched.release();
    this.#followed.delete(service);
  }

  problems(): readonly Problem[] {
    return [...this.#followed].flatMap(([service, { watched, problems }]) => {
      const { state } = watched;
      if (state.kind !== 'failing') return problems;
      return [...problems, warningAt(`intentions of ${service}`, `never read so far: ${state.error}`)];
    });
  }

  /** By service, in the order of the names. */
  all(): readonly { readonly service: ServiceName; readonly known: ServiceIntentions | undefined }[] {
    return [...this.#followed]
      .map(([service, { watched }]) => ({ service, known: knownValue(watched.state) }))
      .sort((a, b) => (a.service < b.service ? -1 : 1));
  }

  stop(): void {
    for (const { watched } of this.#followed.values()) watched.release();
    this.#followed.clear();
  }

  #read(service: ServiceName): void {
    const followed = this.#followed.get(service);
    const known = followed === undefined ? undefined : knownValue(followed.watched.state);
    if (followed === undefined || known === undefined) return;
    // An intention for all services is every service's, and is told once.
    const told = new Set([...this.#followed.values()].flatMap(({ problems }) => problems.map(lineOf)));
    followed.problems = unenforcedIntentions(service, known);
    for (const line of followed.problems.map(lineOf)) if (!told.has(line)) this.#warn(line);
  }
}

function lineOf({ where, message }: Problem): string {
  return `${where} ${message}`;
}
