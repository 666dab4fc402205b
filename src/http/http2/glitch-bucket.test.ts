import { expect, test } from 'vitest';
import { GlitchBucket } from './glitch-bucket.ts';

function taken(bucket: GlitchBucket, nowMs: number): number {
  let count = 0;
  while (count < 10_000 && bucket.take(nowMs)) count += 1;
  return count;
}

test('holds its burst and fills by the second, never beyond', () => {
  const bucket = new GlitchBucket(500, 50);
  expect(taken(bucket, 1000)).toBe(500);
  expect(taken(bucket, 1000)).toBe(0);
  expect(taken(bucket, 2000)).toBe(50);
  expect(taken(bucket, 1_000_000)).toBe(500);
});

test('fills by nothing when time stands still or runs backwards', () => {
  const bucket = new GlitchBucket(3, 1000);
  expect(taken(bucket, 5000)).toBe(3);
  expect(taken(bucket, 1000)).toBe(0);
  expect(taken(bucket, 1001)).toBe(1);
});
