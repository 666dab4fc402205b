import { expect, test } from 'vitest';
import { NackPace } from './nack-pace.ts';

test('a new refusal is told at once, the same one again ever more slowly, and an ACK forgets it', () => {
  const pace = new NackPace();
  const waits = (...faults: readonly string[]): number => pace.waitMs('cluster', faults);
  expect([waits('a'), waits('a'), waits('a'), waits('a')]).toEqual([0, 1_000, 2_000, 4_000]);
  expect(waits('b')).toBe(0);
  expect(waits('b')).toBe(1_000);
  expect(pace.waitMs('listener', ['b'])).toBe(0);
  expect(waits()).toBe(0);
  expect(waits('b')).toBe(0);
  for (let again = 0; again < 20; again++) waits('b');
  expect(waits('b')).toBe(30_000);
});
