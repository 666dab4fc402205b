import { CLUSTER_LOAD_ASSIGNMENT_TYPE } from '../../resource/type-url.ts';
import { changedTypeSnapshot, type EncodedResource, type TypeSnapshot, typesOf } from '../../xds/server/server.ts';

/** The assignments that one proxy holds; proxies that hold the same (replicas of one service) share it and its state. */
export interface AssignmentSet<Holder> {
  readonly key: string;
  readonly names: readonly string[];
  readonly holders: Set<Holder>;
  /** Of now; undefined where there are no names. */
  state: TypeSnapshot | undefined;
}

/** All assignments, and who holds which: a change of one touches its holders, however many others there are. */
export class AssignmentSets<Holder> {
  readonly #assignments = new Map<string, EncodedResource>();
  readonly #sets = new Map<string, AssignmentSet<Holder>>();
  readonly #setsByName = new Map<string, Set<AssignmentSet<Holder>>>();

  has(name: string): boolean {
    return this.#assignments.has(name);
  }

  get(name: string): EncodedResource | undefined {
    return this.#assignments.get(name);
  }

  put(assignment: EncodedResource): void {
    this.#assignments.set(assignment.name, assignment);
  }

  /** Sets that hold it keep what they have: never a reference to nothing. */
  remove(name: string): void {
    this.#assignments.delete(name);
  }

  /** The set of these names, all of which are there. */
  join(names: readonly string[], holder: Holder): AssignmentSet<Holder> {
    const key = names.join('\0');
    const set = this.#sets.get(key) ?? this.#open(key, names);
    set.holders.add(holder);
    return set;
  }

  leave(set: AssignmentSet<Holder>, holder: Holder): void {
    if (!set.holders.delete(holder) || set.holders.size > 0) return;
    this.#sets.delete(set.key);
    for (const name of set.names) {
      const sharing = this.#setsByName.get(name);
      sharing?.delete(set);
      if (sharing?.size === 0) this.#setsByName.delete(name);
    }
  }

  /** Brings the sets that hold any of these names up to date, and gives those that have moved. */
  refresh(names: ReadonlySet<string>): ReadonlySet<AssignmentSet<Holder>> {
    const moved = new Map<AssignmentSet<Holder>, EncodedResource[]>();
    for (const name of names) {
      const assignment = this.#assignments.get(name);
      if (assignment === undefined) continue;
      for (const set of this.#setsByName.get(name) ?? []) {
        if (set.state?.resources.get(name) === assignment) continue;
        const changed = moved.get(set);
        if (changed === undefined) moved.set(set, [assignment]);
        else changed.push(assignment);
      }
    }
    for (const [set, changed] of moved) {
      if (set.state !== undefined) set.state = changedTypeSnapshot(set.state, changed);
    }
    return new Set(moved.keys());
  }

  #open(key: string, names: readonly string[]): AssignmentSet<Holder> {
    const assignments = names.map((name) => this.#assignments.get(name)).filter((one) => one !== undefined);
    const state = typesOf(assignments).get(CLUSTER_LOAD_ASSIGNMENT_TYPE);
    const set: AssignmentSet<Holder> = { key, names, holders: new Set(), state };
    this.#sets.set(key, set);
    for (const name of names) {
      const sharing = this.#setsByName.get(name);
      if (sharing === undefined) this.#setsByName.set(name, new Set([set]));
      else sharing.add(set);
    }
    return set;
  }
}
