import { expect, test } from 'vitest';
import { prioritiesToAvoid } from './previous-priorities.ts';

const HEALTHY = { eligible: 2, total: 2 };
const DOWN = { eligible: 0, total: 2 };

function avoided(tried: readonly number[], updateFrequency: number, levels = [HEALTHY, HEALTHY, HEALTHY]): number[] {
  return [...prioritiesToAvoid({ tried, updateFrequency }, levels)];
}

test('priorities of tries are left out after each so many of them', () => {
  expect(avoided([0], 1)).toEqual([0]);
  expect(avoided([0, 1], 1)).toEqual([0, 1]);
  expect(avoided([0], 2)).toEqual([]);
  expect(avoided([0, 0], 2)).toEqual([0]);
  expect(avoided([0, 0, 1], 2)).toEqual([0]);
  expect(avoided([0, 0, 1, 1], 2)).toEqual([0, 1]);
});

test('once no healthy priority would be left it begins anew', () => {
  expect(avoided([0, 1, 2], 1)).toEqual([]);
  expect(avoided([0, 1, 2, 0], 1)).toEqual([0]);
  expect(avoided([0, 1], 1, [HEALTHY, HEALTHY, DOWN])).toEqual([]);
  expect(avoided([0], 1, [DOWN, DOWN])).toEqual([]);
});
