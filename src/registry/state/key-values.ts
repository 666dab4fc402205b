/** The key/value store: check-and-set, locks held by sessions, and indexes per key and per prefix. */
import type { ChangeIndex } from './change-index.ts';

export interface KeyValueRow {
  readonly LockIndex: number;
  readonly Key: string;
  readonly Flags: number;
  /** Base64, as Consul's JSON has it; null for an empty value. */
  readonly Value: string | null;
  readonly Session?: string;
  readonly CreateIndex: number;
  readonly ModifyIndex: number;
}

export interface KeyValueWrite {
  readonly key: string;
  readonly value: Buffer;
  readonly flags: number;
}

/** Deleted keys whose index is remembered one by one; beyond it the oldest are remembered together. */
const MAX_TOMBSTONES = 4096;

export class KeyValues {
  readonly #changes: ChangeIndex;
  readonly #rows = new Map<string, KeyValueRow>();
  readonly #tombstones = new Map<string, number>();
  #forgottenTombstoneIndex = 1;

  constructor(changes: ChangeIndex) {
    this.#changes = changes;
  }

  get size(): number {
    return this.#rows.size;
  }

  get(key: string): KeyValueRow | undefined {
    return this.#rows.get(key);
  }

  list(prefix: string): KeyValueRow[] {
    return [...this.#rows.values()]
      .filter((row) => row.Key.startsWith(prefix))
      .sort((a, b) => (a.Key < b.Key ? -1 : 1));
  }

  /** The highest index at which anything under the prefix changed, deletions included. */
  prefixIndex(prefix: string): number {
    let highest = this.#forgottenTombstoneIndex;
    for (const [key, row] of this.#rows) {
      if (key.startsWith(prefix)) highest = Math.max(highest, row.ModifyIndex);
    }
    for (const [key, index] of this.#tombstones) {
      if (key.startsWith(prefix)) highest = Math.max(highest, index);
    }
    return Math.min(highest, this.#changes.current);
  }

  set(write: KeyValueWrite, expectedIndex?: number): boolean {
    const known = this.#rows.get(write.key);
    if (expectedIndex !== undefined && expectedIndex !== (known?.ModifyIndex ?? 0)) return false;
    this.#store(write, known, known?.Session, known?.LockIndex ?? 0);
    return true;
  }

  /** False when another session holds the key. */
  acquire(write: KeyValueWrite, session: string): boolean {
    const known = this.#rows.get(write.key);
    if (known?.Session !== undefined && known.Session !== session) return false;
    const lockIndex = (known?.LockIndex ?? 0) + (known?.Session === session ? 0 : 1);
    this.#store(write, known, session, lockIndex);
    return true;
  }

  /** False unless this very session holds the key. */
  release(write: KeyValueWrite, session: string): boolean {
    const known = this.#rows.get(write.key);
    if (known === undefined || known.Session !== session) return false;
    this.#store(write, known, undefined, known.LockIndex);
    return true;
  }

  delete(key: string, expectedIndex?: number): boolean {
    const known = this.#rows.get(key);
    if (expectedIndex !== undefined && expectedIndex !== (known?.ModifyIndex ?? 0)) return false;
    if (known !== undefined) this.#remove(key, this.#changes.next());
    return true;
  }

  deleteTree(prefix: string): void {
    const rows = this.list(prefix);
    if (rows.length === 0) return;
    const index = this.#changes.next();
    for (const row of rows) this.#remove(row.Key, index);
  }

  /** A session ended: its keys are released or deleted, as it asked for when it was made. */
  endSession(session: string, behavior: 'release' | 'delete'): void {
    for (const row of [...this.#rows.values()]) {
      if (row.Session !== session) continue;
      if (behavior === 'delete') this.#remove(row.Key, this.#changes.next());
      else this.#store(writeOf(row), row, undefined, row.LockIndex);
    }
  }

  #store(write: KeyValueWrite, known: KeyValueRow | undefined, session: string | undefined, lockIndex: number): void {
    const index = this.#changes.next();
    this.#rows.set(write.key, {
      LockIndex: lockIndex,
      Key: write.key,
      Flags: write.flags,
      Value: write.value.length === 0 ? null : write.value.toString('base64'),
      ...(session === undefined ? {} : { Session: session }),
      CreateIndex: known?.CreateIndex ?? index,
      ModifyIndex: index,
    });
    this.#tombstones.delete(write.key);
    this.#changes.publish(index, [keyTopic(write.key), 'kv']);
  }

  #remove(key: string, index: number): void {
    this.#rows.delete(key);
    this.#tombstones.set(key, index);
    const oldest = this.#tombstones.keys().next();
    if (this.#tombstones.size > MAX_TOMBSTONES && oldest.done !== true) {
      this.#forgottenTombstoneIndex = Math.max(this.#forgottenTombstoneIndex, this.#tombstones.get(oldest.value) ?? 1);
      this.#tombstones.delete(oldest.value);
    }
    this.#changes.publish(index, ['kv']);
    this.#changes.forget(index, keyTopic(key));
  }
}

export function keyTopic(key: string): string {
  return `key:${key}`;
}

function writeOf(row: KeyValueRow): KeyValueWrite {
  return { key: row.Key, value: Buffer.from(row.Value ?? '', 'base64'), flags: row.Flags };
}
