import fc from 'fast-check';
import { expect, test } from 'vitest';
import { seededRandom } from '../../base/random.ts';
import { DEFAULT_BACKOFF, ReconnectBackoff } from './reconnect-backoff.ts';

test('pauses grow to the longest one, each shortened by chance by half at most, and begin anew after a success', () => {
  fc.assert(
    fc.property(fc.integer(), (seed) => {
      const backoff = new ReconnectBackoff(DEFAULT_BACKOFF, seededRandom(seed));
      const { baseMs, factor, maxMs } = DEFAULT_BACKOFF;
      for (let attempt = 0; attempt < 20; attempt += 1) {
        const wholeMs = Math.min(maxMs, baseMs * factor ** attempt);
        const delayMs = backoff.nextDelayMs();
        expect(delayMs).toBeLessThanOrEqual(wholeMs);
        expect(delayMs).toBeGreaterThanOrEqual(wholeMs / 2);
      }
      backoff.reset();
      expect(backoff.nextDelayMs()).toBeLessThanOrEqual(baseMs);
    }),
  );
});

test('two sidecars that lose one server do not come back at one moment', () => {
  const delays = [1, 2, 3, 4].map((seed) => new ReconnectBackoff(DEFAULT_BACKOFF, seededRandom(seed)).nextDelayMs());
  expect(new Set(delays).size).toBe(4);
});
