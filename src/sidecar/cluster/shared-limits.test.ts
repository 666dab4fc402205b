import { describe, expect, it } from 'vitest';
import type { Clock } from '../../base/clock.ts';
import { createSharedCounterMemory, MAX_LIMIT_SLOTS, SharedCounters, settleLedger } from './shared-counters.ts';
import { SharedLimits } from './shared-limits.ts';

let exhausted = 0;

class TestClock implements Clock {
  /** Threads have clocks of their own that began at different times. */
  readonly #originMs: number;
  static wall = 1_000_000;

  constructor(originMs: number) {
    this.#originMs = originMs;
  }

  nowMs(): number {
    return TestClock.wall - this.#originMs;
  }

  wallMs(): number {
    return TestClock.wall;
  }
}

function workers(): {
  one: SharedLimits;
  two: SharedLimits;
  shared: SharedArrayBuffer;
  ledgerOfOne: SharedArrayBuffer;
} {
  const shared = createSharedCounterMemory();
  const ledgerOfOne = createSharedCounterMemory();
  const one = new SharedLimits(new SharedCounters(shared, ledgerOfOne), new TestClock(5), {
    increment: () => void exhausted++,
  });
  const two = new SharedLimits(new SharedCounters(shared, createSharedCounterMemory()), new TestClock(777), {
    increment: () => void exhausted++,
  });
  return { one, two, shared, ledgerOfOne };
}

describe('limits of all workers together', () => {
  it('of what is under way at a time', () => {
    const { one, two } = workers();
    const [a, b] = [one.concurrency('k', 2), two.concurrency('k', 2)];
    expect([a.tryAcquire(), b.tryAcquire(), a.tryAcquire(), b.tryAcquire()]).toEqual([true, true, false, false]);
    a.release();
    expect([b.tryAcquire(), a.tryAcquire()]).toEqual([true, false]);
    expect(two.concurrency('other', 1).tryAcquire()).toBe(true);
  });

  it('what a worker held that died is free again', () => {
    const { one, two, shared, ledgerOfOne } = workers();
    expect(one.concurrency('k', 1).tryAcquire()).toBe(true);
    expect(two.concurrency('k', 1).tryAcquire()).toBe(false);
    settleLedger(shared, ledgerOfOne);
    expect(two.concurrency('k', 1).tryAcquire()).toBe(true);
  });

  it('of a bucket: full at first, filled by the step, never beyond its size', () => {
    const { one, two } = workers();
    const size = { maxTokens: 3, tokensPerFill: 2, fillIntervalMs: 100 };
    const [a, b] = [one.bucket('k', size), two.bucket('k', size)];
    expect([a.take(), b.take(), a.take(), b.take()]).toEqual([true, true, true, false]);
    TestClock.wall += 100;
    expect([b.take(), a.take(), b.take()]).toEqual([true, true, false]);
    TestClock.wall += 1_000;
    expect(a.remaining()).toBe(3);
    expect(one.bucket('k', { ...size, maxTokens: 4 }).remaining()).toBe(4);
  });

  it('a clock that was set back does not close a bucket for good', () => {
    const { one } = workers();
    const bucket = one.bucket('k', { maxTokens: 1, tokensPerFill: 1, fillIntervalMs: 100 });
    expect(bucket.take()).toBe(true);
    TestClock.wall -= 500_000;
    expect(bucket.take()).toBe(true);
    TestClock.wall += 100;
    expect(bucket.take()).toBe(true);
  });

  it('beyond the table they hold for each worker by itself, and are counted', () => {
    const { one } = workers();
    for (let index = 0; index < MAX_LIMIT_SLOTS; index++) one.concurrency(`k${index}`, 1);
    expect(exhausted).toBe(0);
    const last = one.concurrency('last', 1);
    expect([last.tryAcquire(), last.tryAcquire()]).toEqual([true, false]);
    expect(exhausted).toBe(1);
  });
});
