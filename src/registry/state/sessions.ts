/** Sessions: what holds locks in the key/value store, until they are destroyed or nobody renews them. */
import { randomUUID } from 'node:crypto';
import { ApiError } from '../api-error.ts';
import type { ChangeIndex } from './change-index.ts';

export type SessionBehavior = 'release' | 'delete';

export interface SessionRow {
  readonly ID: string;
  readonly Name: string;
  readonly Node: string;
  readonly LockDelay: number;
  readonly Behavior: SessionBehavior;
  /** Go duration, empty: lives until destroyed. */
  readonly TTL: string;
  readonly NodeChecks: readonly string[];
  readonly ServiceChecks: null;
  readonly CreateIndex: number;
  readonly ModifyIndex: number;
}

export interface NewSession {
  readonly name: string;
  readonly node: string;
  readonly behavior: SessionBehavior;
  readonly ttlText: string;
  /** 0: no TTL. */
  readonly ttlMs: number;
}

const MAX_SESSIONS = 4096;

export class Sessions {
  readonly #changes: ChangeIndex;
  readonly #onEnd: (session: string, behavior: SessionBehavior) => void;
  readonly #rows = new Map<
    string,
    { readonly row: SessionRow; timer: NodeJS.Timeout | undefined; readonly ttlMs: number }
  >();

  constructor(changes: ChangeIndex, onEnd: (session: string, behavior: SessionBehavior) => void) {
    this.#changes = changes;
    this.#onEnd = onEnd;
  }

  create(session: NewSession): SessionRow {
    if (this.#rows.size >= MAX_SESSIONS) {
      throw new ApiError(500, `this agent holds ${MAX_SESSIONS} sessions already; destroy some first`);
    }
    const index = this.#changes.next();
    const row: SessionRow = {
      ID: randomUUID(),
      Name: session.name,
      Node: session.node,
      LockDelay: 0,
      Behavior: session.behavior,
      TTL: session.ttlText,
      NodeChecks: ['serfHealth'],
      ServiceChecks: null,
      CreateIndex: index,
      ModifyIndex: index,
    };
    const entry = { row, timer: undefined, ttlMs: session.ttlMs };
    this.#rows.set(row.ID, entry);
    this.renew(row.ID);
    this.#changes.publish(index, ['sessions']);
    return row;
  }

  get(id: string): SessionRow | undefined {
    return this.#rows.get(id)?.row;
  }

  list(): SessionRow[] {
    return [...this.#rows.values()].map((entry) => entry.row);
  }

  /** Undefined when there is no such session (any more). */
  renew(id: string): SessionRow | undefined {
    const entry = this.#rows.get(id);
    if (entry === undefined) return undefined;
    clearTimeout(entry.timer);
    // Consul, too, lets a session live up to twice its TTL.
    if (entry.ttlMs > 0) entry.timer = setTimeout(() => this.destroy(id), entry.ttlMs * 2).unref();
    return entry.row;
  }

  destroy(id: string): void {
    const entry = this.#rows.get(id);
    if (entry === undefined) return;
    clearTimeout(entry.timer);
    this.#rows.delete(id);
    this.#changes.publish(this.#changes.next(), ['sessions']);
    this.#onEnd(id, entry.row.Behavior);
  }

  stop(): void {
    for (const entry of this.#rows.values()) clearTimeout(entry.timer);
    this.#rows.clear();
  }
}
