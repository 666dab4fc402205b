import { type Consul, knownValue, type Watched } from './consul/consul.ts';
import type { SnapshotStore } from './snapshot/snapshot.ts';
import {
  type EndpointGroup,
  errorAt,
  loadAssignment,
  type Problem,
  type ServiceHealth,
} from './translate/translate.ts';

interface FollowedGroup {
  group: EndpointGroup;
  watched: Watched<ServiceHealth>;
  holders: number;
  problems: readonly Problem[];
}

/**
 * Health in, assignments out: one watch and one assignment per endpoint group, however many proxies refer to it. A group
 * that has never been answered has no assignment; an empty one is published only when Consul said that it is empty.
 */
export class EndpointFeed {
  readonly #consul: Consul;
  readonly #store: SnapshotStore;
  readonly #localDatacenter: () => string;
  readonly #onFirstAssignment: (name: string) => void;
  readonly #followed = new Map<string, FollowedGroup>();

  constructor(
    consul: Consul,
    store: SnapshotStore,
    localDatacenter: () => string,
    onFirstAssignment: (name: string) => void,
  ) {
    this.#consul = consul;
    this.#store = store;
    this.#localDatacenter = localDatacenter;
    this.#onFirstAssignment = onFirstAssignment;
  }

  /** Follows a group until it is released as often as it was retained. A group of the same name with other terms replaces it. */
  retain(group: EndpointGroup): void {
    const followed = this.#followed.get(group.name);
    if (followed === undefined) {
      this.#followed.set(group.name, this.#follow(group, 1));
      this.#publish(group.name);
      return;
    }
    followed.holders += 1;
    if (JSON.stringify(followed.group) === JSON.stringify(group)) return;
    const replaced = followed.watched;
    this.#followed.set(group.name, this.#follow(group, followed.holders));
    replaced.release();
    this.#publish(group.name);
  }

  release(name: string): void {
    const followed = this.#followed.get(name);
    if (followed === undefined) return;
    followed.holders -= 1;
    if (followed.holders > 0) return;
    followed.watched.release();
    this.#followed.delete(name);
    this.#store.removeAssignment(name);
  }

  problems(): readonly Problem[] {
    return [...this.#followed.values()].flatMap(({ problems, watched, group }) => {
      const { state } = watched;
      if (state.kind !== 'failing') return problems;
      const message = `never read so far, so proxies that use it wait: ${state.error}`;
      return [...problems, errorAt(`health of ${group.query.service}`, message)];
    });
  }

  stop(): void {
    for (const { watched } of this.#followed.values()) watched.release();
    this.#followed.clear();
  }

  #follow(group: EndpointGroup, holders: number): FollowedGroup {
    const watched = this.#consul.watchHealth(group.query, this.#localDatacenter(), () => this.#publish(group.name));
    return { group, watched, holders, problems: [] };
  }

  #publish(name: string): void {
    const followed = this.#followed.get(name);
    const health = followed === undefined ? undefined : knownValue(followed.watched.state);
    if (followed === undefined || health === undefined) return;
    const { resource, problems } = loadAssignment(followed.group, health);
    const first = !this.#store.hasAssignment(name);
    const faults = this.#store.publishAssignment(resource);
    followed.problems = [...problems, ...faults.map((message) => errorAt(`assignment ${name}`, message))];
    if (first && faults.length === 0) this.#onFirstAssignment(name);
  }
}
