import type { PriorityHealth } from './priority-load.ts';

/** What `envoy.retry_priorities.previous_priorities` goes by. */
export interface PreviousPriorities {
  /** Priorities of the hosts tried so far, in order. */
  readonly tried: readonly number[];
  /** Tries between one look at `tried` and the next; at least 1. */
  readonly updateFrequency: number;
}

/**
 * Which priorities the next try is to leave out: those of all tries up to the last multiple of `updateFrequency`. Where that
 * leaves no healthy host at all, everything tried is forgotten and it begins anew, as in Envoy.
 */
export function prioritiesToAvoid(
  { tried, updateFrequency }: PreviousPriorities,
  levels: readonly PriorityHealth[],
): ReadonlySet<number> {
  let avoided = new Set<number>();
  let since: number[] = [];
  for (const priority of tried) {
    since.push(priority);
    if (since.length % updateFrequency !== 0) continue;
    avoided = new Set([...avoided, ...since]);
    if (levels.some(({ eligible }, level) => eligible > 0 && !avoided.has(level))) continue;
    avoided = new Set();
    since = [];
  }
  return avoided;
}
