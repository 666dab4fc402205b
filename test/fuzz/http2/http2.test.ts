import { expect, test } from 'vitest';
import { type Http2RunResult, runHttp2 } from './http2.ts';

const RUNS = 2000;
const FIRST_SEED = 20_261_122;

test('hostile conversations end in good order: nothing thrown, left behind or lost, however the bytes are cut', () => {
  const results: Http2RunResult[] = [];
  for (let run = 0; run < RUNS; run += 1) results.push(runHttp2(FIRST_SEED + run));
  expect(results.filter(({ detail }) => detail !== '')).toEqual([]);
  const refused = results.filter(({ connectionsRefused }) => connectionsRefused > 0).length;
  const ended = results.filter(({ messagesEnded }) => messagesEnded > 0).length;
  expect(Math.min(refused, ended, RUNS - refused)).toBeGreaterThan(RUNS / 5);
});

test('a seed gives the same run again', () => {
  expect(runHttp2(7)).toEqual(runHttp2(7));
});
