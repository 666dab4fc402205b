import type { JwtKeySource } from '../../../resource/jwt-authn.ts';
import { jsonWebKeysIn } from '../../../resource/jwt-key-set-decode.ts';
import type { FilterContext } from '../filter-context.ts';
import type { UpstreamCallOutcome } from '../upstream-calls.ts';
import type { JwtCounters } from './jwt-counters.ts';
import { KeySet } from './key-set.ts';

/** After a fetch that failed, requests of so long fail with it: whoever has the keys is not asked for each of them. */
const PAUSE_AFTER_FAILURE_MS = 1_000;

/** Where a provider's keys come from. */
export interface KeySource {
  /** undefined: there are none, and no token is good. */
  current(): Promise<KeySet | undefined>;
  /** Moves when other keys take the place of those before: what those have verified is to be verified anew. */
  readonly generation: number;
}

export function keySourceOf(
  source: JwtKeySource,
  context: Pick<FilterContext, 'calls' | 'turn' | 'files'>,
  counters: JwtCounters,
): KeySource {
  switch (source.kind) {
    case 'remote':
      return new RemoteKeySource(source, context, counters);
    case 'file':
      return new FileKeySource(source.path, context.files);
    case 'local': {
      const keys = Promise.resolve(new KeySet(source.keys));
      return { current: () => keys, generation: 0 };
    }
  }
}

/** Keys of a file that others read and look after; read as keys when a token first needs them, and after each change. */
class FileKeySource implements KeySource {
  readonly #path: string;
  readonly #files: FilterContext['files'];
  #text: string | undefined = undefined;
  /** Before the file is there no token is good. */
  #keys = Promise.resolve(new KeySet([]));
  #generation = 0;

  constructor(path: string, files: FilterContext['files']) {
    this.#path = path;
    this.#files = files;
  }

  get generation(): number {
    this.#takeChange();
    return this.#generation;
  }

  current(): Promise<KeySet> {
    this.#takeChange();
    return this.#keys;
  }

  #takeChange(): void {
    const text = this.#files.fileText(this.#path);
    if (text === undefined || text === this.#text) return;
    this.#text = text;
    const keys = jsonWebKeysIn(text);
    // What is no key set leaves the last good one in force.
    if (typeof keys === 'string') return;
    this.#keys = Promise.resolve(new KeySet(keys));
    this.#generation++;
  }
}

/**
 * Keys fetched through a cluster when a token first needs them, and again when they are too old. Requests that come
 * meanwhile wait for the same answer, as long as the fetch may take. Old keys are not used on: who withdrew one meant it.
 */
class RemoteKeySource implements KeySource {
  /** As in Envoy, what is remembered outlives the keys: it holds for as long as the token says. */
  readonly generation = 0;
  readonly #source: Extract<JwtKeySource, { readonly kind: 'remote' }>;
  readonly #context: Pick<FilterContext, 'calls' | 'turn'>;
  readonly #counters: JwtCounters;
  /** The last answer, or the one that is awaited; undefined before the first. */
  #fetched: Promise<KeySet | undefined> | undefined = undefined;
  #goodUntilMs = Number.POSITIVE_INFINITY;

  constructor(
    source: Extract<JwtKeySource, { readonly kind: 'remote' }>,
    context: Pick<FilterContext, 'calls' | 'turn'>,
    counters: JwtCounters,
  ) {
    this.#source = source;
    this.#context = context;
    this.#counters = counters;
  }

  current(): Promise<KeySet | undefined> {
    const { clock } = this.#context.turn;
    if (this.#fetched === undefined || clock.nowMs() >= this.#goodUntilMs) {
      this.#goodUntilMs = Number.POSITIVE_INFINITY;
      this.#fetched = this.#fetch().then((keys) => {
        (keys === undefined ? this.#counters.fetchFailed : this.#counters.fetchSucceeded).increment();
        const lifetimeMs = keys === undefined ? PAUSE_AFTER_FAILURE_MS : this.#source.cacheDurationMs;
        this.#goodUntilMs = clock.nowMs() + lifetimeMs;
        return keys;
      });
    }
    return this.#fetched;
  }

  #fetch(): Promise<KeySet | undefined> {
    const { clusterName, authority, path, timeoutMs } = this.#source;
    const { calls, turn } = this.#context;
    const pairs = ['accept', 'application/json'];
    const body = new Uint8Array();
    const request = { clusterName, method: 'GET', path, authority, pairs, body, timeoutMs, isGrpc: false };
    return new Promise((resolve) => {
      // Called from a promise, outside of any event of a socket: the turn begins here.
      turn.enter();
      try {
        calls.start(request, (outcome) => resolve(keysOf(outcome)));
      } finally {
        turn.leave();
      }
    });
  }
}

function keysOf(outcome: UpstreamCallOutcome): KeySet | undefined {
  if (outcome.kind === 'failed' || outcome.status !== 200) return undefined;
  const keys = jsonWebKeysIn(outcome.body.toString('utf8'));
  return typeof keys === 'string' ? undefined : new KeySet(keys);
}
