import type { Clock } from '../../base/clock.ts';
import type { Random } from '../../base/random.ts';
import {
  type AnswerFacts,
  BlockingQuery,
  DEFAULT_TIMINGS,
  type QueryMemory,
  type WatchState,
  type WatchTimings,
} from './blocking-query.ts';
import type { ConsulAsk, QueryParameters } from './consul-http.ts';
import type { WatchMemory } from './watch-memory.ts';

/** A watch that nobody holds is kept this long, so that a proxy that reconnects finds it warm. */
const DEFAULT_LINGER_MS = 30_000;
/** Watches one control server keeps at most; beyond it a subscriber is told, not served silently late. */
const MAX_WATCHES = 20_000;

/** A path whose answers always come too early must not make all others ask all the time. */
const START_OVER_INTERVAL_MS = 10_000;

/** One thing that can be watched. Two specifications with the same key are the same watch. */
export interface WatchSpec<T> {
  readonly key: string;
  readonly path: string;
  readonly query: QueryParameters;
  readonly parse: (body: unknown, previous: T | undefined, facts: AnswerFacts) => T;
  /** An answer from which the token's lack of rights took rows is an error, and not a smaller whole. */
  readonly mustBeWhole?: boolean | undefined;
  /** For a path that does not block: how long to wait before it is asked again. */
  readonly pollMs?: number | undefined;
  readonly lastGoodBody?: ((body: unknown, value: T, kept: () => unknown) => unknown) | undefined;
  /** Holds a key: it is never kept on disk. */
  readonly isSecret?: boolean | undefined;
}

export interface Watched<T> {
  /** Of now; the listener is told of every later one. */
  readonly state: WatchState<T>;
  release(): void;
}

export interface WatchReport {
  readonly key: string;
  readonly state: 'unknown' | 'failing' | 'current' | 'stale';
  readonly subscribers: number;
  readonly lastSuccessWallMs: number | undefined;
  readonly error: string | undefined;
  /** Answered last from the agent's stream of events. */
  readonly isStreamed: boolean;
  readonly asked: number;
  readonly changed: number;
}

export interface WatchHubOptions {
  readonly consul: ConsulAsk;
  readonly clock: Clock;
  readonly random: Random;
  readonly timings?: WatchTimings | undefined;
  readonly lingerMs?: number | undefined;
  readonly memory?: WatchMemory | undefined;
  /** A listener threw: a fault of the program, not of Consul. */
  readonly onSubscriberFault?: ((error: unknown) => void) | undefined;
}

interface SharedWatch {
  readonly key: string;
  readonly query: BlockingQuery<unknown>;
  readonly listeners: Set<(state: WatchState<unknown>) => void>;
  linger: NodeJS.Timeout | undefined;
}

/** Watches shared by everyone who asks for the same thing, counted, and let go a while after the last one left. */
export class WatchHub {
  readonly #options: WatchHubOptions;
  readonly #watches = new Map<string, SharedWatch>();
  #stopped = false;
  #startedOverMs = Number.NEGATIVE_INFINITY;

  constructor(options: WatchHubOptions) {
    this.#options = options;
  }

  subscribe<T>(spec: WatchSpec<T>, listener: (state: WatchState<T>) => void): Watched<T> {
    const watch = this.#watches.get(spec.key) ?? this.#open(spec);
    clearTimeout(watch.linger);
    watch.linger = undefined;
    // The key names the type: whoever subscribes with this key reads the same T.
    const own = (state: WatchState<unknown>): void => listener(state as WatchState<T>);
    watch.listeners.add(own);
    return {
      get state(): WatchState<T> {
        return watch.query.state as WatchState<T>;
      },
      release: () => {
        if (watch.listeners.delete(own) && watch.listeners.size === 0) this.#lingerThenClose(watch);
      },
    };
  }

  /** Consul is known to be back: every watch in trouble asks now instead of at the end of its pause. */
  nudgeTroubled(): void {
    for (const { query } of this.#watches.values()) if (query.state.kind !== 'current') query.nudge();
  }

  /** Consul was away without any watch noticing (a hung agent holds its questions): every watch asks again. */
  nudgeAll(): void {
    for (const { query } of this.#watches.values()) query.nudge();
  }

  /** What one watch noticed holds for all of them, and some would notice it only at the end of their wait. */
  #startOver(noticed: BlockingQuery<unknown>): void {
    const nowMs = this.#options.clock.nowMs();
    if (nowMs - this.#startedOverMs < START_OVER_INTERVAL_MS) return;
    this.#startedOverMs = nowMs;
    for (const { query } of this.#watches.values()) if (query !== noticed) query.startOver();
  }

  reports(): readonly WatchReport[] {
    return [...this.#watches.values()].map(report).sort((a, b) => (a.key < b.key ? -1 : 1));
  }

  stop(): void {
    this.#stopped = true;
    for (const watch of this.#watches.values()) {
      clearTimeout(watch.linger);
      watch.query.stop();
    }
    this.#watches.clear();
  }

  #open<T>(spec: WatchSpec<T>): SharedWatch {
    if (this.#stopped) throw new Error(`the watch hub is stopped; ${spec.key} cannot be watched`);
    if (this.#watches.size >= MAX_WATCHES) {
      throw new Error(
        `${spec.key}: ${MAX_WATCHES} watches are open already; run another control server beside this one`,
      );
    }
    const listeners = new Set<(state: WatchState<unknown>) => void>();
    const { consul, clock, random } = this.#options;
    const query = new BlockingQuery<unknown>({
      consul,
      clock,
      random,
      path: spec.path,
      query: spec.query,
      timings: this.#options.timings ?? DEFAULT_TIMINGS,
      mustBeWhole: spec.mustBeWhole,
      pollMs: spec.pollMs,
      memory: this.#memoryOf(spec),
      lastGoodBody:
        spec.lastGoodBody === undefined
          ? undefined
          : (body, value, kept) => spec.lastGoodBody?.(body, value as T, kept),
      parse: (body, previous, facts) => spec.parse(body, previous as T | undefined, facts),
      onAbandoned: () => this.#startOver(query),
      onState: (state) => {
        for (const listener of [...listeners]) this.#tell(listener, state);
      },
    });
    const watch: SharedWatch = { key: spec.key, query, listeners, linger: undefined };
    this.#watches.set(spec.key, watch);
    void query.start();
    return watch;
  }

  #memoryOf({ key, isSecret }: Pick<WatchSpec<unknown>, 'key' | 'isSecret'>): QueryMemory | undefined {
    const { memory } = this.#options;
    if (memory === undefined || isSecret === true) return undefined;
    return {
      recall: () => {
        const found = memory.recall(key);
        return found === undefined ? undefined : { body: JSON.parse(found.body), savedAtWallMs: found.savedAtWallMs };
      },
      keep: (body) => memory.keep(key, JSON.stringify(body)),
    };
  }

  /** A subscriber that fails must not end a watch that others hold. */
  #tell(listener: (state: WatchState<unknown>) => void, state: WatchState<unknown>): void {
    try {
      listener(state);
    } catch (error) {
      this.#options.onSubscriberFault?.(error);
    }
  }

  #lingerThenClose(watch: SharedWatch): void {
    if (this.#stopped) return;
    watch.linger = setTimeout(() => {
      if (watch.listeners.size > 0) return;
      watch.query.stop();
      this.#watches.delete(watch.key);
      this.#options.memory?.forget(watch.key);
    }, this.#options.lingerMs ?? DEFAULT_LINGER_MS);
    watch.linger.unref();
  }
}

function report({ key, query, listeners }: SharedWatch): WatchReport {
  const { state, counters } = query;
  return {
    key,
    state: state.kind,
    subscribers: listeners.size,
    lastSuccessWallMs: state.kind === 'current' || state.kind === 'stale' ? state.lastSuccessWallMs : undefined,
    error: state.kind === 'failing' || state.kind === 'stale' ? state.error : undefined,
    isStreamed: query.isStreamed,
    asked: counters.asked,
    changed: counters.changed,
  };
}
