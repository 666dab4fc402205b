import type { Clock } from '../../base/clock.ts';
import type { Random } from '../../base/random.ts';
import { ConsulError, filteredError } from './consul-error.ts';
import type { ConsulAnswer, ConsulAsk, QueryParameters } from './consul-http.ts';
import { pause } from './pause.ts';
import { WakeLimiter } from './wake-limiter.ts';

/**
 * One blocking query on Consul, kept going until it is stopped.
 *
 *   unknown ──answer──▶ current ──error──▶ stale ──answer──▶ current
 *      └──────error────▶ failing ──answer──▶ current
 *
 * An error never changes the value; it only says that the value may be old.
 */
export type WatchState<T> =
  | { readonly kind: 'unknown' }
  | { readonly kind: 'failing'; readonly error: string; readonly failures: number }
  | { readonly kind: 'current'; readonly value: T; readonly lastSuccessWallMs: number }
  | {
      readonly kind: 'stale';
      readonly value: T;
      readonly lastSuccessWallMs: number;
      readonly error: string;
      readonly failures: number;
    };

/** What a watch knows, old or new; undefined while it has never been answered. */
export function knownValue<T>(state: WatchState<T>): T | undefined {
  return state.kind === 'current' || state.kind === 'stale' ? state.value : undefined;
}

export interface WatchTimings {
  /** How long Consul may hold an unanswered question. */
  readonly waitMs: number;
  /** Added to the wait and to Consul's own jitter of a sixteenth before the question is given up. */
  readonly slackMs: number;
  /** For a question that does not block. */
  readonly answerMs: number;
  readonly backoffBaseMs: number;
  /** Full jitter below this: with Consul back, nobody waits longer. */
  readonly backoffCapMs: number;
}

export const DEFAULT_TIMINGS: WatchTimings = {
  waitMs: 60_000,
  slackMs: 5_000,
  answerMs: 10_000,
  backoffBaseMs: 200,
  backoffCapMs: 4_000,
};

/** The longest `Retry-After` that is believed; a longer one would leave a watch blind. */
const MAX_RETRY_AFTER_MS = 30_000;

/** What this watch was told before the program started, and where it is kept for the next start. */
export interface QueryMemory {
  /** Undefined where nothing usable was kept. */
  recall(): { readonly body: unknown; readonly savedAtWallMs: number } | undefined;
  keep(body: unknown): void;
}

/** What an answer says beside its body. */
export type AnswerFacts = Pick<ConsulAnswer, 'defaultPolicy'>;

export interface BlockingQueryOptions<T> {
  readonly consul: ConsulAsk;
  readonly path: string;
  readonly query: QueryParameters;
  /** Reads a body; `previous` lets it keep the last good form of an entry that is bad now. Throws on a body of the wrong shape. */
  readonly parse: (body: unknown, previous: T | undefined, facts: AnswerFacts) => T;
  /** An answer from which the token's lack of rights took rows is an error, and not a smaller whole. */
  readonly mustBeWhole?: boolean | undefined;
  /** For a path that does not block: how long to wait before it is asked again. */
  readonly pollMs?: number | undefined;
  readonly memory?: QueryMemory | undefined;
  /** The body to keep, where parts of this one are faulty: those in their last good form. Without it the body is kept as it is. */
  readonly lastGoodBody?: ((body: unknown, value: T, kept: () => unknown) => unknown) | undefined;
  readonly clock: Clock;
  readonly random: Random;
  readonly timings?: WatchTimings;
  /** On every new value and on every change of state; never twice for the same value. */
  readonly onState: (state: WatchState<T>) => void;
  /** Consul threw its state away for another one: what every watch knows may be another thing now. */
  readonly onAbandoned?: (() => void) | undefined;
}

export class BlockingQuery<T> {
  readonly #options: BlockingQueryOptions<T>;
  readonly #timings: WatchTimings;
  readonly #limiter: WakeLimiter;
  readonly #stopped = new AbortController();
  #state: WatchState<T> = { kind: 'unknown' };
  /** Of the last answer that was taken. */
  #content: string | undefined;
  /**
   * How many rows it had. An agent's stream of events drops what a token may no longer read and says 200 to it, so fewer rows
   * are asked for again without blocking: that question goes to the servers, which refuse.
   */
  #rows = 0;
  #isStreamed = false;
  /** 0: ask without blocking. */
  #index = 0n;
  #failures = 0;
  /** Aborted to interrupt a question or a pause without ending the watch. */
  #nudge = new AbortController();
  #recalled: { readonly value: T; readonly lastSuccessWallMs: number } | undefined | 'unread' = 'unread';
  readonly counters = {
    asked: 0,
    changed: 0,
    unchanged: 0,
    failed: 0,
    indexResets: 0,
    abandoned: 0,
    doubted: 0,
    unreadableMemories: 0,
  };

  constructor(options: BlockingQueryOptions<T>) {
    this.#options = options;
    this.#timings = options.timings ?? DEFAULT_TIMINGS;
    this.#limiter = new WakeLimiter(options.clock.nowMs());
  }

  get state(): WatchState<T> {
    return this.#state;
  }

  /** Begins to ask; the promise settles when the watch was stopped, and never rejects. */
  async start(): Promise<void> {
    while (!this.#stopped.signal.aborted) {
      await this.#pause(this.#limiter.delayMs(this.#options.clock.nowMs()));
      if (this.#stopped.signal.aborted) return;
      const pauseMs = await this.#askOnce();
      if (pauseMs > 0) await this.#pause(pauseMs);
    }
  }

  stop(): void {
    this.#stopped.abort();
    this.#nudge.abort();
  }

  /** Ends a pause or a question in flight and asks again: Consul is known to be back, so waiting serves nobody. */
  nudge(): void {
    if (this.#stopped.signal.aborted) return;
    const nudged = this.#nudge;
    this.#nudge = new AbortController();
    nudged.abort();
  }

  /** Asks anew, without blocking: the index that is known may be of a state that is no more. */
  startOver(): void {
    this.#index = 0n;
    this.nudge();
  }

  /** Asks, and answers how long to pause before the next question. */
  async #askOnce(): Promise<number> {
    const { signal } = this.#nudge;
    const { clock } = this.#options;
    const asked = { index: this.#index, atMs: clock.nowMs() };
    this.counters.asked += 1;
    try {
      const answer = await this.#options.consul.ask(this.#options.path, this.#parameters(), {
        deadlineMs: this.#deadlineMs(),
        signal,
      });
      this.#accept(answer);
      if (asked.index > 0n && this.#isAbandoned(answer, asked.index, clock.nowMs() - asked.atMs)) this.#abandon();
      return this.#pollPauseMs();
    } catch (error) {
      if (signal.aborted) return 0;
      return this.#fail(error);
    }
  }

  #parameters(): QueryParameters {
    if (this.#index === 0n) return this.#options.query;
    return { ...this.#options.query, index: this.#index.toString(), wait: `${this.#timings.waitMs}ms` };
  }

  /** Spread by a tenth, so that what began together does not ask together for ever. */
  #pollPauseMs(): number {
    const { pollMs, random } = this.#options;
    return pollMs === undefined ? 0 : pollMs * (0.9 + 0.2 * random.next());
  }

  #deadlineMs(): number {
    const { waitMs, slackMs, answerMs } = this.#timings;
    return this.#index === 0n ? answerMs : waitMs + waitMs / 16 + slackMs;
  }

  /** Whether the last answer came from the agent's own stream of events, at no cost to the servers. */
  get isStreamed(): boolean {
    return this.#isStreamed;
  }

  #accept(answer: ConsulAnswer): void {
    this.#isStreamed = answer.isStreamed;
    if (answer.isFilteredByAcls && this.#options.mustBeWhole === true) throw filteredError(this.#options.path);
    const changed = contentOf(answer) !== this.#content;
    if (changed && !this.#take(answer)) return;
    else if (this.#state.kind !== 'unknown') this.#confirm();
    this.#advance(answer.index);
    this.#failures = 0;
    this.#limiter.woke(changed);
  }

  /** False where the answer is not believed before the servers themselves were asked. */
  #take(answer: ConsulAnswer): boolean {
    const body = answer.json();
    const rows = Array.isArray(body) ? body.length : 0;
    if (answer.isStreamed && rows < this.#rows) {
      this.#index = 0n;
      this.counters.doubted += 1;
      return false;
    }
    const { lastGoodBody, memory } = this.#options;
    // A part that is faulty now may have been good before the program started.
    const before = knownValue(this.#state) ?? (lastGoodBody === undefined ? undefined : this.#recall()?.value);
    const value = this.#options.parse(body, before, answer);
    memory?.keep(lastGoodBody === undefined ? body : lastGoodBody(body, value, () => memory.recall()?.body));
    this.#content = contentOf(answer);
    this.#rows = rows;
    // Consul itself has spoken: what was known before the start is of no more use.
    this.#recalled = undefined;
    this.counters.changed += 1;
    this.#enter({ kind: 'current', value, lastSuccessWallMs: this.#options.clock.wallMs() });
    return true;
  }

  /** The same body again: fresher, not new. Subscribers hear of it only when the watch was stale before. */
  #confirm(): void {
    this.counters.unchanged += 1;
    if (this.#state.kind !== 'current' && this.#state.kind !== 'stale') return;
    const confirmed: WatchState<T> = {
      kind: 'current',
      value: this.#state.value,
      lastSuccessWallMs: this.#options.clock.wallMs(),
    };
    if (this.#state.kind === 'stale') this.#enter(confirmed);
    else this.#state = confirmed;
  }

  /**
   * An answer before its time that knows of nothing new. So Consul ends the questions that it holds when a snapshot is
   * restored: with what it knew before. Asked on with that index, it would hold them until the restored state has come as far.
   */
  #isAbandoned({ index, isCutShort }: ConsulAnswer, askedIndex: bigint, heldMs: number): boolean {
    return index === askedIndex && isCutShort !== true && heldMs < this.#timings.waitMs;
  }

  #abandon(): void {
    this.counters.abandoned += 1;
    this.#index = 0n;
    this.#options.onAbandoned?.();
  }

  /** Consul's rules: start over when the index fell, and otherwise never block on 0. A path without an index is polled by the limiter. */
  #advance(index: bigint | undefined): void {
    if (this.#options.pollMs !== undefined) return;
    if (index !== undefined && index < this.#index) {
      this.counters.indexResets += 1;
      this.#index = 0n;
      return;
    }
    this.#index = index === undefined ? 0n : index > 0n ? index : 1n;
  }

  #fail(error: unknown): number {
    this.#failures += 1;
    this.counters.failed += 1;
    const message = error instanceof Error ? error.message : String(error);
    // After trouble the next question does not block: a fresh whole answer, whatever the servers went through.
    this.#index = 0n;
    this.#enter(this.#failed(message));
    return this.#backoffMs(error);
  }

  #failed(error: string): WatchState<T> {
    const failures = this.#failures;
    if (this.#state.kind === 'current' || this.#state.kind === 'stale') {
      const { value, lastSuccessWallMs } = this.#state;
      return { kind: 'stale', value, lastSuccessWallMs, error, failures };
    }
    const recalled = this.#recall();
    if (recalled !== undefined) return { kind: 'stale', ...recalled, error, failures };
    return { kind: 'failing', error, failures };
  }

  /** What was known before the program started. Read once; one that this program no longer understands is nothing. */
  #recall(): { readonly value: T; readonly lastSuccessWallMs: number } | undefined {
    if (this.#recalled !== 'unread') return this.#recalled;
    this.#recalled = undefined;
    try {
      const found = this.#options.memory?.recall();
      if (found === undefined) return undefined;
      const value = this.#options.parse(found.body, undefined, { defaultPolicy: '' });
      this.#recalled = { value, lastSuccessWallMs: found.savedAtWallMs };
    } catch {
      this.counters.unreadableMemories += 1;
    }
    return this.#recalled;
  }

  #backoffMs(error: unknown): number {
    const { backoffBaseMs, backoffCapMs } = this.#timings;
    const ceilingMs = Math.min(backoffCapMs, backoffBaseMs * 2 ** Math.min(this.#failures - 1, 16));
    const jitteredMs = this.#options.random.next() * ceilingMs;
    const told =
      error instanceof ConsulError && error.failure.kind === 'status' ? error.failure.retryAfterMs : undefined;
    return told === undefined ? jitteredMs : Math.min(MAX_RETRY_AFTER_MS, told) + jitteredMs;
  }

  #enter(state: WatchState<T>): void {
    this.#state = state;
    this.#options.onState(state);
  }

  async #pause(durationMs: number): Promise<void> {
    await pause(durationMs, this.#nudge.signal);
  }
}

/** Equal for answers that say the same. */
function contentOf({ bodyHash, defaultPolicy }: ConsulAnswer): string {
  return `${bodyHash} ${defaultPolicy}`;
}
