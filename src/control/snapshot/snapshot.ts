/**
 * What every proxy should hold, of now: immutable, consistent before it is visible, versioned by content, encoded once.
 * This room takes ProtoJSON and gives bytes to whoever serves them. It knows no Consul, no stream and no acknowledgement;
 * it does not decide what a proxy gets, only that it gets it whole.
 */
import { CLUSTER_LOAD_ASSIGNMENT_TYPE } from '../../resource/type-url.ts';
import {
  composeSnapshot,
  type EncodedResource,
  type NodeIdentity,
  type NodeRefusal,
  type Snapshot,
  type SnapshotListener,
  type SnapshotSource,
  type SnapshotSubscription,
  snapshotWithType,
  type TypeSnapshot,
  typesOf,
} from '../../xds/server/server.ts';
import { type AssignmentSet, AssignmentSets } from './assignment-sets.ts';
import { BurstMerger } from './burst-merger.ts';
import { inconsistencies } from './consistency.ts';
import { type EncodeResult, ResourceEncoder, type ResourceTerms } from './resource-encoder.ts';
import type { ResourceLiteral } from './resource-literal.ts';

export { BurstMerger } from './burst-merger.ts';
export type { ResourceTerms } from './resource-encoder.ts';
export type { Json, ResourceLiteral } from './resource-literal.ts';

/** All of one proxy but its endpoints, which are shared by name. */
export interface ProxyParts {
  readonly resources: readonly ResourceLiteral[];
  /** Assignments that were published with {@link SnapshotStore.publishAssignment}. */
  readonly assignments: readonly string[];
}

export interface SnapshotStoreOptions {
  readonly nowMs: () => number;
  readonly terms?: ResourceTerms | undefined;
  /** The first stream of a node opened: somebody should make its parts. */
  readonly onWanted: (nodeId: string, node: NodeIdentity) => void;
  /** The last stream of a node ended. */
  readonly onUnwanted: (nodeId: string) => void;
  /** Assignments changed, and the snapshots made here that hold them have moved. */
  readonly onAssignments?: ((names: ReadonlySet<string>) => void) | undefined;
}

type Types = ReadonlyMap<string, TypeSnapshot>;

interface ProxyEntry {
  readonly listeners: Set<SnapshotListener>;
  state:
    | { readonly kind: 'empty' }
    | { readonly kind: 'refused'; readonly refusal: NodeRefusal }
    | {
        readonly kind: 'served';
        /** All types but the endpoints. */
        readonly types: Types;
        readonly assignments: AssignmentSet<ProxyEntry>;
        snapshot: Snapshot;
      };
}

export class SnapshotStore implements SnapshotSource {
  readonly #options: SnapshotStoreOptions;
  readonly #encoder: ResourceEncoder;
  readonly #proxies = new Map<string, ProxyEntry>();
  readonly #assignments = new AssignmentSets<ProxyEntry>();
  readonly #changedAssignments = new Set<string>();
  readonly #merger: BurstMerger;
  readonly counters = { snapshots: 0, unchanged: 0, refusedInconsistent: 0, assignmentChanges: 0 };

  constructor(options: SnapshotStoreOptions) {
    this.#options = options;
    this.#encoder = new ResourceEncoder(options.terms);
    this.#merger = new BurstMerger(() => this.#spreadAssignments(), options.nowMs);
  }

  get encoding(): ResourceEncoder['counters'] {
    return this.#encoder.counters;
  }

  open(node: NodeIdentity, listener: SnapshotListener): SnapshotSubscription {
    const proxy = this.#entry(node.id);
    const first = proxy.listeners.size === 0;
    proxy.listeners.add(listener);
    if (proxy.state.kind === 'served') listener.onSnapshot(proxy.state.snapshot);
    else if (proxy.state.kind === 'refused') listener.onRefused(proxy.state.refusal);
    if (first) this.#options.onWanted(node.id, node);
    return {
      close: () => {
        if (proxy.listeners.delete(listener) && proxy.listeners.size === 0) this.#options.onUnwanted(node.id);
      },
    };
  }

  snapshotOf(nodeId: string): Snapshot | undefined {
    const state = this.#proxies.get(nodeId)?.state;
    return state?.kind === 'served' ? state.snapshot : undefined;
  }

  /** An assignment as it is now, for snapshots that are made elsewhere. */
  assignment(name: string): EncodedResource | undefined {
    return this.#assignments.get(name);
  }

  /** One resource's bytes, shared with whoever has the same. */
  encode(literal: ResourceLiteral): EncodeResult {
    return this.#encoder.encode(literal);
  }

  /** Bytes that are nobody else's: secrets are not kept here. */
  encodeAnew(literal: ResourceLiteral): EncodeResult {
    return this.#encoder.encodeAnew(literal);
  }

  /** The literal that all proxies with this content share. */
  share(literal: ResourceLiteral): ResourceLiteral {
    return this.#encoder.share(literal);
  }

  hasAssignment(name: string): boolean {
    return this.#assignments.has(name);
  }

  /** Makes a proxy's parts visible, whole; returns what stands against it, and then nothing has changed. */
  publish(nodeId: string, parts: ProxyParts): readonly string[] {
    const missing = parts.assignments.filter((name) => !this.#assignments.has(name));
    const faults = [
      ...missing.map((name) => `assignment "${name}" has not been published`),
      ...inconsistencies(parts.resources, new Set(parts.assignments)),
    ];
    const resources: EncodedResource[] = [];
    for (const literal of parts.resources) {
      const encoded = this.#encoder.encode(literal);
      if (encoded.ok) resources.push(encoded.resource);
      else faults.push(encoded.message);
    }
    if (faults.length > 0) {
      this.counters.refusedInconsistent += 1;
      return faults;
    }
    const proxy = this.#entry(nodeId);
    const before = proxy.state.kind === 'served' ? proxy.state.assignments : undefined;
    const assignments = this.#assignments.join(parts.assignments, proxy);
    if (before !== undefined && before !== assignments) this.#assignments.leave(before, proxy);
    this.#serve(proxy, typesOf(resources), assignments);
    return [];
  }

  /** The endpoints of one cluster have changed, for every proxy that holds it. Returns what is wrong with them. */
  publishAssignment(literal: ResourceLiteral): readonly string[] {
    const encoded = this.#encoder.encodeAnew(literal);
    if (!encoded.ok) return [encoded.message];
    if (this.#assignments.get(literal.name)?.version === encoded.resource.version) return [];
    this.#assignments.put(encoded.resource);
    this.counters.assignmentChanges += 1;
    this.#changedAssignments.add(literal.name);
    this.#merger.request();
    return [];
  }

  /** Nobody wants it any more. */
  removeAssignment(name: string): void {
    this.#assignments.remove(name);
  }

  /** A node that gets nothing. One that is being served keeps what it has. */
  refuse(nodeId: string, refusal: NodeRefusal): void {
    const proxy = this.#entry(nodeId);
    if (proxy.state.kind === 'served') return;
    proxy.state = { kind: 'refused', refusal };
    for (const listener of [...proxy.listeners]) listener.onRefused(refusal);
  }

  /** Forgets a node that nobody asks for. */
  forget(nodeId: string): void {
    const proxy = this.#proxies.get(nodeId);
    if (proxy === undefined || proxy.listeners.size > 0) return;
    if (proxy.state.kind === 'served') this.#assignments.leave(proxy.state.assignments, proxy);
    this.#proxies.delete(nodeId);
  }

  stop(): void {
    this.#merger.stop();
  }

  #entry(nodeId: string): ProxyEntry {
    const known = this.#proxies.get(nodeId);
    if (known !== undefined) return known;
    const entry: ProxyEntry = { listeners: new Set(), state: { kind: 'empty' } };
    this.#proxies.set(nodeId, entry);
    return entry;
  }

  /** Only the proxies that hold a changed assignment are touched, and of them only that type; replicas share the work. */
  #spreadAssignments(): void {
    const changed = new Set(this.#changedAssignments);
    this.#changedAssignments.clear();
    for (const set of this.#assignments.refresh(changed)) {
      for (const proxy of set.holders) this.#serveAssignments(proxy, set);
    }
    this.#options.onAssignments?.(changed);
  }

  #serve(proxy: ProxyEntry, types: Types, assignments: AssignmentSet<ProxyEntry>): void {
    const before = proxy.state.kind === 'served' ? proxy.state.snapshot : undefined;
    const { state } = assignments;
    const whole = state === undefined ? types : new Map([...types, [CLUSTER_LOAD_ASSIGNMENT_TYPE, state]]);
    const snapshot = composeSnapshot(whole, before);
    proxy.state = { kind: 'served', types, assignments, snapshot };
    this.#tell(proxy, snapshot, before);
  }

  /** A thousand proxies may hold what has changed: as little as can be is made anew for each. */
  #serveAssignments(proxy: ProxyEntry, assignments: AssignmentSet<ProxyEntry>): void {
    const { state } = proxy;
    if (state.kind !== 'served' || assignments.state === undefined) return;
    const before = state.snapshot;
    state.snapshot = snapshotWithType(before, CLUSTER_LOAD_ASSIGNMENT_TYPE, assignments.state);
    this.#tell(proxy, state.snapshot, before);
  }

  #tell(proxy: ProxyEntry, snapshot: Snapshot, before: Snapshot | undefined): void {
    if (snapshot === before) {
      this.counters.unchanged += 1;
      return;
    }
    this.counters.snapshots += 1;
    for (const listener of [...proxy.listeners]) listener.onSnapshot(snapshot);
  }
}
