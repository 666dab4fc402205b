import { expect, test } from 'vitest';
import { type RunResult, runHttp1 } from './http1.ts';

const RUNS = 5000;
const FIRST_SEED = 20_261_122;

test('hostile requests are refused or forwarded in a form every parser reads the same way, and answers keep their request', () => {
  const results: RunResult[] = [];
  for (let run = 0; run < RUNS; run += 1) results.push(runHttp1(FIRST_SEED + run));
  expect(results.filter(({ detail }) => detail !== '')).toEqual([]);
  const forwarded = results.reduce((sum, result) => sum + result.requestsForwarded, 0);
  const refused = results.reduce((sum, result) => sum + result.requestsRefused, 0);
  expect(Math.min(forwarded, refused)).toBeGreaterThan(RUNS / 5);
});

test('a seed gives the same run again', () => {
  expect(runHttp1(7)).toEqual(runHttp1(7));
});
