import { type EncodedResource, encodedResource } from '../encoded-resource.ts';
import { buildSnapshot } from '../server/snapshot.ts';
import type {
  NodeIdentity,
  NodeRefusal,
  Snapshot,
  SnapshotListener,
  SnapshotSource,
  SnapshotSubscription,
} from '../server/snapshot-source.ts';
import { encodeFields } from '../wire.ts';

/** A snapshot source for tests: every node gets the same resources, set by hand. */
export class MemorySource implements SnapshotSource {
  readonly opened: NodeIdentity[] = [];
  readonly #listeners = new Set<SnapshotListener>();
  #snapshot: Snapshot | undefined;
  #refusal: NodeRefusal | undefined;

  get openCount(): number {
    return this.#listeners.size;
  }

  get snapshot(): Snapshot | undefined {
    return this.#snapshot;
  }

  open(node: NodeIdentity, listener: SnapshotListener): SnapshotSubscription {
    this.opened.push(node);
    this.#listeners.add(listener);
    if (this.#refusal !== undefined) listener.onRefused(this.#refusal);
    else if (this.#snapshot !== undefined) listener.onSnapshot(this.#snapshot);
    return { close: () => this.#listeners.delete(listener) };
  }

  set(resources: Iterable<EncodedResource>): void {
    const snapshot = buildSnapshot(resources, this.#snapshot);
    this.#snapshot = snapshot;
    for (const listener of [...this.#listeners]) listener.onSnapshot(snapshot);
  }

  refuse(refusal: NodeRefusal): void {
    this.#refusal = refusal;
    for (const listener of [...this.#listeners]) listener.onRefused(refusal);
  }
}

/** A resource that holds nothing but its name (field 1 in every type) and, so that versions differ in bytes, its version. */
export function namedResource(typeUrl: string, name: string, version: string, ttlMs?: number): EncodedResource {
  const message = namedMessage(name, version);
  return encodedResource({ typeUrl, name, version, message, ...(ttlMs === undefined ? {} : { ttlMs }) });
}

export function namedMessage(name: string, version: string): Buffer {
  return encodeFields([
    { field: 1, value: name },
    { field: 15, value: version },
  ]);
}
