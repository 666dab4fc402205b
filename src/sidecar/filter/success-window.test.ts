import { expect, it } from 'vitest';
import { SuccessWindow } from './success-window.ts';

function windowOf(successes: number, failures: number, atMs = 0): SuccessWindow {
  const window = new SuccessWindow(30_000);
  for (let index = 0; index < successes; index++) window.record(true, atMs);
  for (let index = 0; index < failures; index++) window.record(false, atMs);
  return window;
}

it('refuses nobody while successes reach the threshold', () => {
  expect(windowOf(95, 5).rejectionProbability(0.95, 1, 0)).toBe(0);
  expect(windowOf(0, 0).rejectionProbability(0.95, 1, 0)).toBe(0);
});

it('refuses more the more successes are missing, and earlier with more aggression', () => {
  const half = windowOf(50, 50);
  expect(half.rejectionProbability(0.95, 1, 0)).toBeCloseTo((100 - 50 / 0.95) / 101, 10);
  expect(half.rejectionProbability(0.95, 2, 0)).toBeCloseTo(Math.sqrt((100 - 50 / 0.95) / 101), 10);
  expect(windowOf(0, 100).rejectionProbability(0.95, 1, 0)).toBeCloseTo(100 / 101, 10);
});

it('forgets by the second, and counts the rate over the whole window', () => {
  const window = windowOf(0, 60);
  window.record(true, 1_500);
  expect(window.requestsPerSecond(29_999)).toBeCloseTo(61 / 30, 10);
  expect(window.requestsPerSecond(30_000)).toBeCloseTo(1 / 30, 10);
  expect(window.rejectionProbability(0.95, 1, 30_000)).toBe(0);
  expect(window.requestsPerSecond(31_500)).toBe(0);
});
