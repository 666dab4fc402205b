import { addressText } from '../../resource/address.ts';
import type { ClusterLoadAssignment } from '../../resource/cluster-load-assignment.ts';
import { MAX_CLUSTER_SLOTS, MAX_HOST_SLOTS } from '../cluster/shared-counters.ts';
import { type Activation, NOTHING_ACTIVE } from './activation.ts';
import { SlotAllocator } from './slot-allocator.ts';
import type { WorkerUpdate } from './worker-update.ts';

/** Streams longer than this that outlive their host may count in a slot of its successor; nothing else suffers. */
const SLOT_REST_MS = 600_000;

/** Turns activations into updates for workers and gives clusters and hosts their slots in the shared counters. */
export class UpdateMaker {
  readonly #clusterSlots = new SlotAllocator(MAX_CLUSTER_SLOTS, SLOT_REST_MS);
  readonly #hostSlots = new SlotAllocator(MAX_HOST_SLOTS, SLOT_REST_MS);
  readonly #onSlotFreed: (kind: 'cluster' | 'host', slot: number) => void;
  #version = 0;

  constructor(onSlotFreed: (kind: 'cluster' | 'host', slot: number) => void) {
    this.#onSlotFreed = onSlotFreed;
  }

  get version(): number {
    return this.#version;
  }

  /** The difference, or undefined where there is none. Resources are compared by identity: an unchanged one is the same object. */
  difference(previous: Activation, next: Activation, nowMs: number): WorkerUpdate | undefined {
    const update = this.#compare(previous, next, nowMs, this.#version + 1);
    this.#freeSlots(next, nowMs);
    if (isEmpty(update)) return undefined;
    this.#version++;
    return update;
  }

  /** Everything, for a worker that starts fresh. */
  whole(next: Activation, nowMs: number): WorkerUpdate {
    return this.#compare(NOTHING_ACTIVE, next, nowMs, this.#version);
  }

  clusterSlot(name: string): number | undefined {
    return this.#clusterSlots.known(name);
  }

  hostSlot(clusterName: string, address: string): number | undefined {
    return this.#hostSlots.known(hostKey(clusterName, address));
  }

  #compare(previous: Activation, next: Activation, nowMs: number, version: number): WorkerUpdate {
    const clusters = changed(previous.clusters, next.clusters).flatMap((cluster) => {
      const slot = this.#clusterSlots.slotFor(cluster.name, nowMs);
      if (slot === undefined) return [];
      if (cluster.discovery.kind !== 'originalDst') return [{ cluster, slot }];
      const hostSlot = this.#hostSlots.slotFor(hostKey(cluster.name, ANY_DESTINATION), nowMs);
      return hostSlot === undefined ? [] : [{ cluster, slot, hostSlot }];
    });
    const replaced = new Set(clusters.map(({ cluster }) => cluster.name));
    const assignments = [...next.assignments]
      .filter(
        ([name, assignment]) =>
          previous.assignments.get(name) !== assignment || (replaced.has(name) && !previous.clusters.has(name)),
      )
      .map(([clusterName, assignment]) => ({
        clusterName,
        assignment,
        slots: this.#slotsOf(clusterName, assignment, nowMs),
      }));
    return {
      version,
      clusters,
      assignments,
      routeConfigurations: changed(previous.routeConfigurations, next.routeConfigurations),
      listeners: changed(previous.listeners, next.listeners),
      removedListeners: removed(previous.listeners, next.listeners),
      removedRouteConfigurations: removed(previous.routeConfigurations, next.routeConfigurations),
      removedClusters: removed(previous.clusters, next.clusters),
      secrets: changed(previous.secrets, next.secrets),
      removedSecrets: removed(previous.secrets, next.secrets),
      files: [...next.files]
        .filter(([path, text]) => previous.files.get(path) !== text)
        .map(([path, text]) => ({ path, text })),
      removedFiles: removed(previous.files, next.files),
    };
  }

  #slotsOf(clusterName: string, assignment: ClusterLoadAssignment, nowMs: number): Map<string, number> {
    const slots = new Map<string, number>();
    for (const group of assignment.localities) {
      for (const endpoint of group.endpoints) {
        const address = addressText(endpoint.address);
        const slot = this.#hostSlots.slotFor(hostKey(clusterName, address), nowMs);
        if (slot !== undefined) slots.set(address, slot);
      }
    }
    return slots;
  }

  #freeSlots(next: Activation, nowMs: number): void {
    for (const slot of this.#clusterSlots.retain(new Set(next.clusters.keys()), nowMs))
      this.#onSlotFreed('cluster', slot);
    const hosts = new Set<string>();
    for (const { name, discovery } of next.clusters.values()) {
      if (discovery.kind === 'originalDst') hosts.add(hostKey(name, ANY_DESTINATION));
    }
    for (const [clusterName, assignment] of next.assignments) {
      for (const group of assignment.localities) {
        for (const endpoint of group.endpoints) hosts.add(hostKey(clusterName, addressText(endpoint.address)));
      }
    }
    for (const slot of this.#hostSlots.retain(hosts, nowMs)) this.#onSlotFreed('host', slot);
  }
}

/** Hosts of an ORIGINAL_DST cluster come and go within workers; all of them count in one slot. */
const ANY_DESTINATION = '*';

function hostKey(clusterName: string, address: string): string {
  return `${clusterName}\n${address}`;
}

function changed<R>(previous: ReadonlyMap<string, R>, next: ReadonlyMap<string, R>): R[] {
  return [...next].filter(([name, resource]) => previous.get(name) !== resource).map(([, resource]) => resource);
}

function removed<R>(previous: ReadonlyMap<string, R>, next: ReadonlyMap<string, R>): string[] {
  return [...previous.keys()].filter((name) => !next.has(name));
}

function isEmpty(update: WorkerUpdate): boolean {
  return Object.values(update).every((part) => !Array.isArray(part) || part.length === 0);
}
