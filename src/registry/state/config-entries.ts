/** Config entries by kind and name: each with its own index, each kind with the index of its last change. */
import { isDeepStrictEqual } from 'node:util';
import type { ChangeIndex } from './change-index.ts';

export interface NewConfigEntry {
  readonly Kind: string;
  readonly Name: string;
  readonly [field: string]: unknown;
}

export interface ConfigEntryRow extends NewConfigEntry {
  readonly CreateIndex: number;
  readonly ModifyIndex: number;
}

export class ConfigEntries {
  readonly #changes: ChangeIndex;
  readonly #rows = new Map<string, Map<string, ConfigEntryRow>>();

  /** Named in what is said of circles. */
  readonly datacenter: string;

  constructor(changes: ChangeIndex, datacenter = 'dc1') {
    this.#changes = changes;
    this.datacenter = datacenter;
  }

  get(kind: string, name: string): ConfigEntryRow | undefined {
    return this.#rows.get(kind)?.get(name);
  }

  list(kind: string): ConfigEntryRow[] {
    return [...(this.#rows.get(kind)?.values() ?? [])].sort((a, b) => (a.Name < b.Name ? -1 : 1));
  }

  count(): number {
    let total = 0;
    for (const rows of this.#rows.values()) total += rows.size;
    return total;
  }

  /** False when `expectedIndex` (0: must not exist) is not the entry's: nothing was written. */
  put(entry: NewConfigEntry, expectedIndex?: number): boolean {
    const known = this.get(entry.Kind, entry.Name);
    if (expectedIndex !== undefined && expectedIndex !== (known?.ModifyIndex ?? 0)) return false;
    if (known !== undefined && sameEntry(known, entry)) return true;
    const index = this.#changes.next();
    const row: ConfigEntryRow = { ...entry, CreateIndex: known?.CreateIndex ?? index, ModifyIndex: index };
    const rows = this.#rows.get(entry.Kind) ?? new Map<string, ConfigEntryRow>();
    rows.set(entry.Name, row);
    this.#rows.set(entry.Kind, rows);
    this.#changes.publish(index, [configKindTopic(entry.Kind), configEntryTopic(entry.Kind, entry.Name)]);
    return true;
  }

  /** False when there was nothing to delete, or not at `expectedIndex`. */
  delete(kind: string, name: string, expectedIndex?: number): boolean {
    const known = this.get(kind, name);
    if (known === undefined) return false;
    if (expectedIndex !== undefined && expectedIndex !== known.ModifyIndex) return false;
    this.#rows.get(kind)?.delete(name);
    const index = this.#changes.next();
    this.#changes.publish(index, [configKindTopic(kind)]);
    this.#changes.forget(index, configEntryTopic(kind, name));
    return true;
  }
}

export function configKindTopic(kind: string): string {
  return `config-kind:${kind}`;
}

export function configEntryTopic(kind: string, name: string): string {
  return `config-entry:${kind}/${name}`;
}

function sameEntry(known: ConfigEntryRow, fresh: NewConfigEntry): boolean {
  const { CreateIndex: _created, ModifyIndex: _modified, ...rest } = known;
  return isDeepStrictEqual(rest, { ...fresh });
}
