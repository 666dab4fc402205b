import { expect, test } from 'vitest';
import { Lifetimes } from './lifetimes.ts';

test('what is not renewed ends when its time is over, once; what is renewed, unlimited or forgotten does not', () => {
  const lifetimes = new Lifetimes();
  for (const name of ['lost', 'renewed', 'unlimited', 'forgotten']) lifetimes.begin(name, 100, 0);
  lifetimes.begin('renewed', 100, 50);
  lifetimes.begin('unlimited', undefined, 50);
  lifetimes.forget('forgotten');
  expect([lifetimes.earliestMs, lifetimes.takeEnded(99)]).toEqual([100, []]);
  expect(lifetimes.takeEnded(100)).toEqual(['lost']);
  expect([lifetimes.earliestMs, lifetimes.takeEnded(149)]).toEqual([150, []]);
  expect([lifetimes.takeEnded(150), lifetimes.earliestMs]).toEqual([['renewed'], Number.POSITIVE_INFINITY]);
});
