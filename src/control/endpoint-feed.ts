import { type Consul, knownValue, type Watched } from './consul/consul.ts';
import { InstanceWatch, type PlainInstances } from './instance-watch.ts';
import type { SnapshotStore } from './snapshot/snapshot.ts';
import {
  type EndpointGroup,
  type EndpointSource,
  errorAt,
  loadAssignment,
  type Problem,
  type ServiceHealth,
  warningAt,
} from './translate/translate.ts';

export interface EndpointFeedOptions {
  readonly consul: Consul;
  readonly store: SnapshotStore;
  readonly localDatacenter: () => string;
  readonly plainInstances: PlainInstances;
  readonly onFirstAssignment: (name: string) => void;
}

interface FollowedGroup {
  group: EndpointGroup;
  watched: InstanceWatch;
  /** Of the failover targets, in their order. */
  failover: readonly InstanceWatch[];
  holders: number;
  problems: readonly Problem[];
}

/**
 * Health in, assignments out: one watch and one assignment per endpoint group, however many proxies refer to it. A group
 * that has never been answered has no assignment; an empty one is published only when Consul said that it is empty.
 */
export class EndpointFeed {
  readonly #options: EndpointFeedOptions;
  readonly #followed = new Map<string, FollowedGroup>();

  constructor(options: EndpointFeedOptions) {
    this.#options = options;
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
    this.#followed.set(group.name, this.#follow(group, followed.holders));
    release(followed);
    this.#publish(group.name);
  }

  release(name: string): void {
    const followed = this.#followed.get(name);
    if (followed === undefined) return;
    followed.holders -= 1;
    if (followed.holders > 0) return;
    release(followed);
    this.#followed.delete(name);
    this.#options.store.removeAssignment(name);
  }

  problems(): readonly Problem[] {
    return [...this.#followed.values()].flatMap(({ problems, watched, failover, group }) => [
      ...problems,
      ...neverRead(watched, group, 'proxies that use it wait'),
      ...failover.flatMap((each, at) => neverRead(each, group.failover?.[at] ?? group, 'nothing fails over to it')),
      ...[watched, ...failover].flatMap(leftOut),
    ]);
  }

  stop(): void {
    for (const followed of this.#followed.values()) release(followed);
    this.#followed.clear();
  }

  #follow(group: EndpointGroup, holders: number): FollowedGroup {
    const { consul, localDatacenter, plainInstances } = this.#options;
    const watch = ({ query }: EndpointSource): InstanceWatch =>
      new InstanceWatch({
        ...{ consul, query, localDatacenter: localDatacenter(), plainInstances },
        onNews: () => this.#publish(group.name),
      });
    return { group, watched: watch(group), failover: (group.failover ?? []).map(watch), holders, problems: [] };
  }

  #publish(name: string): void {
    const followed = this.#followed.get(name);
    if (followed === undefined) return;
    const failover = followed.failover.map(({ state }) => knownValue(state));
    const health = knownValue(followed.watched.state) ?? unreadable(followed.watched, failover);
    if (health === undefined) return;
    const { resource, problems } = loadAssignment(followed.group, health, failover);
    const { store, onFirstAssignment } = this.#options;
    const first = !store.hasAssignment(name);
    const faults = store.publishAssignment(resource);
    followed.problems = [...problems, ...faults.map((message) => errorAt(`assignment ${name}`, message))];
    if (first && faults.length === 0) onFirstAssignment(name);
  }
}

function release({ watched, failover }: FollowedGroup): void {
  for (const each of [watched, ...failover]) each.release();
}

/** Instances that nobody can ask for are what a failover is there for: where it is known, they count as none. */
function unreadable(
  { state }: Watched<ServiceHealth>,
  failover: readonly (ServiceHealth | undefined)[],
): ServiceHealth | undefined {
  return state.kind === 'failing' && failover.some((health) => health !== undefined) ? { instances: [] } : undefined;
}

/** Nobody proves who they are there, so a strict mesh does not call them; whoever wonders is told. */
function leftOut({ leftOutCount, query }: InstanceWatch): readonly Problem[] {
  if (leftOutCount === 0) return [];
  const message = `${leftOutCount} instances have no sidecar, so nobody calls them: give them sidecars, or run --mtls permissive`;
  return [warningAt(`service ${query.service} in ${query.datacenter}`, message)];
}

function neverRead(
  { state }: Watched<ServiceHealth>,
  { query }: EndpointSource,
  consequence: string,
): readonly Problem[] {
  if (state.kind !== 'failing') return [];
  const where = `health of ${query.service} in ${query.datacenter}`;
  return [errorAt(where, `never read so far, so ${consequence}: ${state.error}`)];
}
