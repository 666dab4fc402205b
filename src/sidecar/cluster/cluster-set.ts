import type { ClusterLoadAssignment } from '../../resource/cluster-load-assignment.ts';
import { AggregateChoice } from './aggregate-choice.ts';
import type { Host } from './host.ts';
import { type ClusterInputs, RuntimeCluster, type SlottedCluster } from './runtime-cluster.ts';
import type { SharedCounters } from './shared-counters.ts';

/** An assignment with a slot for each endpoint, by address text. */
export interface SlottedAssignment {
  readonly clusterName: string;
  readonly assignment: ClusterLoadAssignment;
  readonly slots: ReadonlyMap<string, number>;
}

/** The clusters of one worker by name. Live: an endpoint update changes the set in place and touches no listener. */
export class ClusterSet {
  readonly #clusters = new Map<string, RuntimeCluster>();
  readonly #aggregates = new Map<string, AggregateChoice>();
  readonly #counters: SharedCounters;
  readonly #inputs: ClusterInputs;
  readonly #hostRemovedListeners: ((host: Host) => void)[] = [];

  constructor(counters: SharedCounters, inputs: ClusterInputs) {
    this.#counters = counters;
    this.#inputs = inputs;
  }

  get(name: string): RuntimeCluster | undefined {
    return this.#clusters.get(name);
  }

  /** The cluster that takes a request to this name: itself, or the chosen one of an aggregate. */
  choose(name: string): RuntimeCluster | undefined {
    const cluster = this.#clusters.get(name);
    if (cluster?.config.discovery.kind !== 'aggregate') return cluster;
    const choice = this.#aggregates.get(name) ?? new AggregateChoice(this.#inputs.random, (child) => this.get(child));
    this.#aggregates.set(name, choice);
    return choice.choose(cluster.config);
  }

  values(): IterableIterator<RuntimeCluster> {
    return this.#clusters.values();
  }

  /** Pools close their connections to a host that has left its cluster. */
  onHostRemoved(listener: (host: Host) => void): void {
    this.#hostRemovedListeners.push(listener);
  }

  upsert(slotted: SlottedCluster): void {
    const { cluster, slot, hostSlot } = slotted;
    const known = this.#clusters.get(cluster.name);
    const isKept = known?.slot === slot && (known.destinations === undefined) === (hostSlot === undefined);
    if (isKept) known.configure(cluster);
    else {
      if (known !== undefined) this.#announceGone(known.hosts);
      this.#clusters.set(cluster.name, new RuntimeCluster(slotted, this.#counters, this.#inputs));
    }
  }

  remove(name: string): void {
    const cluster = this.#clusters.get(name);
    if (cluster === undefined) return;
    this.#clusters.delete(name);
    this.#aggregates.delete(name);
    this.#announceGone(cluster.hosts);
  }

  assign({ clusterName, assignment, slots }: SlottedAssignment): void {
    const cluster = this.#clusters.get(clusterName);
    if (cluster !== undefined) this.#announceGone(cluster.assign(assignment, slots));
  }

  #announceGone(hosts: readonly Host[]): void {
    for (const host of hosts) for (const listener of this.#hostRemovedListeners) listener(host);
  }
}
