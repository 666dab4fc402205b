import type { Clock } from '../../base/clock.ts';
import type { ClusterLoadAssignment } from '../../resource/cluster-load-assignment.ts';
import type { ResourceChange } from '../config/config.ts';

export interface StaleEndpointsOptions {
  readonly clock: Clock;
  /** Assignments as they are to be from now on: emptied ones, and those that came back. */
  readonly onChanged: (assignments: readonly ClusterLoadAssignment[]) => void;
}

interface Watched {
  readonly assignment: ClusterLoadAssignment;
  readonly staleAtMs: number;
  readonly isStale: boolean;
}

/** Beyond this a timer of Node's fires at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/**
 * `endpoint_stale_after`: an assignment that its server has not repeated in time loses its endpoints, as in Envoy, and has
 * them again when the server repeats it, changed or not. One timer for all, set for the one that is due next.
 */
export class StaleEndpoints {
  readonly #options: StaleEndpointsOptions;
  readonly #watched = new Map<string, Watched>();
  #timer: NodeJS.Timeout | undefined;

  constructor(options: StaleEndpointsOptions) {
    this.#options = options;
  }

  /** New and removed assignments, which are already in force. */
  changed(change: ResourceChange): void {
    if (change.kind !== 'assignments') return;
    for (const name of change.removed) this.#watched.delete(name);
    for (const assignment of change.changed) this.#watch(assignment);
    this.#arm();
  }

  /** Assignments that the server repeated as they were. */
  confirmed(change: ResourceChange): void {
    if (change.kind !== 'assignments' || this.#watched.size === 0) return;
    const back = change.changed.filter(({ clusterName }) => this.#watched.get(clusterName)?.isStale === true);
    for (const assignment of change.changed) this.#watch(assignment);
    this.#arm();
    if (back.length > 0) this.#options.onChanged(back);
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#watched.clear();
  }

  #watch(assignment: ClusterLoadAssignment): void {
    const { clusterName, staleAfterMs } = assignment;
    if (staleAfterMs === undefined) this.#watched.delete(clusterName);
    else {
      const staleAtMs = this.#options.clock.nowMs() + staleAfterMs;
      this.#watched.set(clusterName, { assignment, staleAtMs, isStale: false });
    }
  }

  #arm(): void {
    clearTimeout(this.#timer);
    let nextMs = Number.POSITIVE_INFINITY;
    for (const { staleAtMs, isStale } of this.#watched.values()) if (!isStale) nextMs = Math.min(nextMs, staleAtMs);
    if (nextMs === Number.POSITIVE_INFINITY) return;
    const waitMs = Math.max(0, Math.ceil(nextMs - this.#options.clock.nowMs()));
    this.#timer = setTimeout(() => this.#expire(), Math.min(waitMs, LONGEST_TIMER_MS));
  }

  #expire(): void {
    const nowMs = this.#options.clock.nowMs();
    const emptied: ClusterLoadAssignment[] = [];
    for (const [name, watched] of this.#watched) {
      if (watched.isStale || watched.staleAtMs > nowMs) continue;
      this.#watched.set(name, { ...watched, isStale: true });
      emptied.push({ ...watched.assignment, localities: [] });
    }
    this.#arm();
    if (emptied.length > 0) this.#options.onChanged(emptied);
  }
}
