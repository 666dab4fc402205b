import type { Clock } from '../../base/clock.ts';
import { MAX_LIMIT_SLOTS, type SharedCounters } from './shared-counters.ts';

/** Fields of a limit's slot. The first two are the hash of its key. */
export const LIMIT_FIELD = { keyHigh: 0, keyLow: 1, used: 2, fill: 3 } as const;

/** How a bucket is filled: `tokensPerFill` each `fillIntervalMs`, never beyond `maxTokens`. */
export interface BucketSize {
  readonly maxTokens: number;
  readonly tokensPerFill: number;
  readonly fillIntervalMs: number;
}

/**
 * Limits that hold for all workers together, by a key that each worker makes from the same configuration. Whoever asks
 * first claims a slot; slots are not given back, because configuration that returns finds its counts again. When all are
 * taken, further limits hold for each worker by itself and are counted.
 */
export class SharedLimits {
  readonly #counters: SharedCounters;
  readonly #clock: Clock;
  /** Between this thread's clock and the one clock that all threads share. */
  readonly #offsetMs: number;
  /** Limits for which no slot was left. */
  readonly #exhausted: { increment(): void };

  constructor(counters: SharedCounters, clock: Clock, exhausted: { increment(): void }) {
    this.#exhausted = exhausted;
    this.#counters = counters;
    this.#clock = clock;
    this.#offsetMs = clock.wallMs() - clock.nowMs();
  }

  /** So many at a time. */
  concurrency(key: string, limit: number): ConcurrencyLimit {
    return new ConcurrencyLimit(this.#cells(key), limit);
  }

  bucket(key: string, size: BucketSize): SharedTokenBucket {
    const { maxTokens, tokensPerFill, fillIntervalMs } = size;
    const cells = this.#cells(`${key}/${maxTokens}/${tokensPerFill}/${fillIntervalMs}`);
    return new SharedTokenBucket(cells, size, () => this.#clock.nowMs() + this.#offsetMs);
  }

  #cells(key: string): LimitCells {
    const counters = this.#counters;
    const high = fnv1a(key, 0x811c9dc5) | 1;
    const low = fnv1a(key, 0x01000193);
    for (let probe = 0; probe < MAX_LIMIT_SLOTS; probe++) {
      const slot = ((low >>> 0) + probe) % MAX_LIMIT_SLOTS;
      const highCell = counters.limitCell(slot, LIMIT_FIELD.keyHigh);
      const lowCell = counters.limitCell(slot, LIMIT_FIELD.keyLow);
      // Whoever takes an empty slot writes its low half second; until then its low half is 0 and may still become ours.
      const holder = counters.compareExchange(highCell, 0, high);
      if (holder !== 0 && holder !== high) continue;
      const lower = counters.compareExchange(lowCell, 0, low);
      if (lower !== 0 && lower !== low) continue;
      const used = counters.limitCell(slot, LIMIT_FIELD.used);
      return new LimitCells(counters, used, counters.limitCell(slot, LIMIT_FIELD.fill));
    }
    this.#exhausted.increment();
    return new LimitCells(undefined, 0, 1);
  }
}

/** The two numbers of a limit, in shared memory or, without a slot, in this worker's own. */
class LimitCells {
  readonly #counters: SharedCounters | undefined;
  readonly #used: number;
  readonly #fill: number;
  readonly #own = [0, 0];

  constructor(counters: SharedCounters | undefined, used: number, fill: number) {
    this.#counters = counters;
    this.#used = used;
    this.#fill = fill;
  }

  /** Returns what was used before. What a dead worker held is taken back with its ledger. */
  addHeld(amount: number): number {
    return this.#counters === undefined ? this.#addOwn(amount) : this.#counters.add(this.#used, amount);
  }

  /** The same for what nobody holds: spent is spent. */
  addSpent(amount: number): number {
    return this.#counters === undefined ? this.#addOwn(amount) : this.#counters.shift(this.#used, amount);
  }

  get used(): number {
    return this.#counters?.get(this.#used) ?? this.#own[0] ?? 0;
  }

  get fill(): number {
    return this.#counters?.get(this.#fill) ?? this.#own[1] ?? 0;
  }

  /** False where another worker was first. */
  moveFill(from: number, to: number): boolean {
    if (this.#counters !== undefined) return this.#counters.compareExchange(this.#fill, from, to) === from;
    this.#own[1] = to;
    return true;
  }

  /** Lowers what is used, not below zero. */
  giveBack(amount: number): void {
    while (true) {
      const { used } = this;
      const left = Math.max(0, used - amount);
      if (used <= 0) return;
      if (this.#counters === undefined) {
        this.#own[0] = left;
        return;
      }
      if (this.#counters.compareExchange(this.#used, used, left) === used) return;
    }
  }

  #addOwn(amount: number): number {
    const before = this.#own[0] ?? 0;
    this.#own[0] = before + amount;
    return before;
  }
}

export class ConcurrencyLimit {
  readonly #cells: LimitCells;
  readonly #limit: number;

  constructor(cells: LimitCells, limit: number) {
    this.#cells = cells;
    this.#limit = limit;
  }

  /** False where all places are taken: then there is nothing to release. */
  tryAcquire(): boolean {
    if (this.#cells.addHeld(1) < this.#limit) return true;
    this.#cells.addHeld(-1);
    return false;
  }

  release(): void {
    this.#cells.addHeld(-1);
  }
}

/** Envoy's token bucket, one for all workers: kept as what is used of it, so that an untouched slot is a full bucket. */
export class SharedTokenBucket {
  readonly #cells: LimitCells;
  readonly #size: BucketSize;
  readonly #nowMs: () => number;

  constructor(cells: LimitCells, size: BucketSize, nowMs: () => number) {
    this.#cells = cells;
    this.#size = size;
    this.#nowMs = nowMs;
  }

  /** False where there is none left. */
  take(): boolean {
    this.#refill();
    if (this.#cells.addSpent(1) < this.#size.maxTokens) return true;
    this.#cells.addSpent(-1);
    return false;
  }

  /** Tokens that are there now. */
  remaining(): number {
    this.#refill();
    return Math.max(0, this.#size.maxTokens - this.#cells.used);
  }

  /** Until the next fill. */
  resetMs(): number {
    const { fillIntervalMs } = this.#size;
    return fillIntervalMs - (this.#nowMs() % fillIntervalMs);
  }

  /** One worker wins each fill. A clock that was set back waits for nothing: the count of fills starts anew. */
  #refill(): void {
    const { tokensPerFill, fillIntervalMs, maxTokens } = this.#size;
    // Positive, in 31 bits, and never 0, which is a bucket that nobody has used.
    const now = (Math.floor(this.#nowMs() / fillIntervalMs) & 0x3fffffff) + 1;
    const last = this.#cells.fill;
    if (now === last || !this.#cells.moveFill(last, now)) return;
    const fills = now - last;
    this.#cells.giveBack(fills < 0 ? tokensPerFill : Math.min(maxTokens, fills * tokensPerFill));
  }
}

function fnv1a(text: string, seed: number): number {
  let hash = seed;
  for (let index = 0; index < text.length; index++) {
    hash ^= text.charCodeAt(index);
    hash = Math.imul(hash, 0x01000193);
  }
  return hash === 0 ? 1 : hash;
}
