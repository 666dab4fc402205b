/**
 * Blocking queries: a client names the index (or hash) it has seen, and the answer waits until there is something newer or
 * its time is up. Those who wait are bounded, all together and per client address, and a client that hangs up waits no longer.
 */

import { parseGoDurationMs } from '../../base/go-duration.ts';
import type { Random } from '../../base/random.ts';
import { ApiError } from '../api-error.ts';
import type { ChangeIndex, Topic } from '../state/change-index.ts';

export const DEFAULT_WAIT_MS = 300_000;
export const MAX_WAIT_MS = 600_000;
/** The server adds up to this share of the wait, so that a herd that began together does not return together. */
const JITTER_FRACTION = 1 / 16;

export interface WaitingOptions {
  readonly changes: ChangeIndex;
  readonly random: Random;
  /** Consul's agents cap connections per client at 200; one waiting query holds one. */
  readonly maxWaitingPerClient: number;
  readonly maxWaiting: number;
}

export interface WaitRequest {
  readonly topics: readonly Topic[];
  readonly client: string;
  readonly waitMs: number;
  /** True once there is something newer than what the client has. */
  isDue(): boolean;
}

/** Why a wait ended; `gone` means that nobody listens any more. */
export type WaitEnd = 'due' | 'timeout' | 'abandoned' | 'gone';

export class Waiting {
  readonly #options: WaitingOptions;
  readonly #perClient = new Map<string, number>();
  readonly #ends = new Set<(end: WaitEnd) => void>();

  constructor(options: WaitingOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#ends.size;
  }

  /** Calls `ended` once. The returned function ends the wait early: the client went away. */
  begin(request: WaitRequest, ended: (end: WaitEnd) => void): () => void {
    const { maxWaiting, maxWaitingPerClient, changes, random } = this.#options;
    const mine = this.#perClient.get(request.client) ?? 0;
    if (mine >= maxWaitingPerClient || this.#ends.size >= maxWaiting) {
      throw new ApiError(429, 'Your IP is issuing too many concurrent connections, please rate limit your calls\n');
    }
    this.#perClient.set(request.client, mine + 1);
    const finish = (end: WaitEnd): void => {
      if (!this.#ends.delete(finish)) return;
      clearTimeout(timer);
      unsubscribe();
      this.#release(request.client);
      ended(end);
    };
    this.#ends.add(finish);
    const unsubscribe = changes.subscribe(request.topics, () => {
      if (request.isDue()) finish('due');
    });
    const waitMs = request.waitMs + random.next() * request.waitMs * JITTER_FRACTION;
    const timer = setTimeout(() => finish('timeout'), waitMs);
    timer.unref();
    return () => finish('gone');
  }

  /** Answer everybody now, as a server does whose store was replaced. */
  releaseAll(): void {
    for (const finish of [...this.#ends]) finish('abandoned');
  }

  #release(client: string): void {
    const left = (this.#perClient.get(client) ?? 1) - 1;
    if (left <= 0) this.#perClient.delete(client);
    else this.#perClient.set(client, left);
  }
}

/** `?wait=`: a Go duration; absent or nothing: five minutes; never more than ten. */
export function waitMsOf(query: URLSearchParams): number {
  const text = query.get('wait');
  if (text === null || text === '') return DEFAULT_WAIT_MS;
  const ms = parseGoDurationMs(text);
  if (ms === undefined || ms < 0) throw new ApiError(400, 'Invalid wait time');
  if (ms === 0) return DEFAULT_WAIT_MS;
  return Math.min(ms, MAX_WAIT_MS);
}

export function indexOf(query: URLSearchParams): number {
  const text = query.get('index');
  if (text === null || text === '') return 0;
  if (!/^\d{1,20}$/.test(text)) throw new ApiError(400, 'Invalid index');
  return Number(text);
}
