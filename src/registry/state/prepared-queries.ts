/** Prepared queries, stored as they came: a name, a service, and which instances count. */
import { randomUUID } from 'node:crypto';
import { ApiError } from '../api-error.ts';
import type { JsonObject } from '../input/shape.ts';
import type { ChangeIndex } from './change-index.ts';

export interface PreparedQueryRow {
  readonly ID: string;
  readonly Name: string;
  readonly Service: JsonObject;
  readonly DNS: JsonObject;
  readonly CreateIndex: number;
  readonly ModifyIndex: number;
}

const MAX_QUERIES = 4096;

export class PreparedQueries {
  readonly #changes: ChangeIndex;
  readonly #rows = new Map<string, PreparedQueryRow>();

  constructor(changes: ChangeIndex) {
    this.#changes = changes;
  }

  list(): PreparedQueryRow[] {
    return [...this.#rows.values()];
  }

  get(id: string): PreparedQueryRow | undefined {
    return this.#rows.get(id);
  }

  named(idOrName: string): PreparedQueryRow | undefined {
    return this.#rows.get(idOrName) ?? this.list().find((row) => row.Name !== '' && row.Name === idOrName);
  }

  /** A new one without `id`; otherwise in place of the one with that id. */
  put(
    fields: Omit<PreparedQueryRow, 'ID' | 'CreateIndex' | 'ModifyIndex'>,
    id: string = randomUUID(),
  ): PreparedQueryRow {
    const known = this.#rows.get(id);
    if (known === undefined && this.#rows.size >= MAX_QUERIES) {
      throw new ApiError(500, `this agent holds ${MAX_QUERIES} prepared queries already; delete some first`);
    }
    const index = this.#changes.next();
    const row = { ...fields, ID: id, CreateIndex: known?.CreateIndex ?? index, ModifyIndex: index };
    this.#rows.set(id, row);
    this.#changes.publish(index, ['prepared-queries']);
    return row;
  }

  delete(id: string): boolean {
    if (!this.#rows.delete(id)) return false;
    this.#changes.publish(this.#changes.next(), ['prepared-queries']);
    return true;
  }
}
