import { describe, expect, it } from 'vitest';
import { WakeLimiter } from './wake-limiter.ts';

/** Wakes as fast as the limiter allows for a while; how many there were. */
function wakesWithin(durationMs: number, changed: boolean): number {
  const limiter = new WakeLimiter(0);
  let wakes = 0;
  for (let nowMs = 0; nowMs <= durationMs; wakes += 1) {
    nowMs += limiter.delayMs(nowMs);
    limiter.woke(changed);
  }
  return wakes;
}

describe('wake limiter', () => {
  it('lets a burst of two through at once', () => {
    const limiter = new WakeLimiter(0);
    expect(limiter.delayMs(0)).toBe(0);
    expect(limiter.delayMs(0)).toBe(0);
    expect(limiter.delayMs(0)).toBeGreaterThan(0);
  });

  it('keeps a hot index that brings news to about two questions a second', () => {
    expect(wakesWithin(60_000, true)).toBeLessThan(140);
    expect(wakesWithin(60_000, true)).toBeGreaterThan(100);
  });

  it('slows a hot index that brings nothing towards one question in 15 seconds', () => {
    expect(wakesWithin(600_000, false)).toBeLessThan(70);
  });

  it('restores the full pace after a quiet spell', () => {
    const limiter = new WakeLimiter(0);
    for (let wake = 0; wake < 10; wake += 1) {
      limiter.delayMs(0);
      limiter.woke(true);
    }
    expect(limiter.delayMs(60_000)).toBe(0);
    expect(limiter.delayMs(60_000)).toBe(0);
  });
});
