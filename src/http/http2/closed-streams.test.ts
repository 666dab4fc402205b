import { expect, test } from 'vitest';
import { ClosedStreams, ENDED, FORGOTTEN, NEVER_USED, RESET_BY_PEER, RESET_BY_US } from './closed-streams.ts';

test('remembers how each of the last thousand streams ended', () => {
  const closed = new ClosedStreams();
  const kinds = [ENDED, RESET_BY_PEER, RESET_BY_US];
  for (let id = 1; id < 10_000; id += 2) {
    closed.open(id);
    closed.close(id, kinds[id % 3] as number);
  }
  expect([9999, 9997, 9995].map((id) => closed.kindOf(id))).toEqual([9999, 9997, 9995].map((id) => kinds[id % 3]));
  expect(closed.kindOf(9999 - 2 * 1023)).toBe(kinds[(9999 - 2 * 1023) % 3]);
  expect(closed.kindOf(9999 - 2 * 1024)).toBe(FORGOTTEN);
});

test('streams passed over were never used, also where older ones had their place', () => {
  const closed = new ClosedStreams();
  for (let id = 1; id < 5000; id += 2) {
    closed.open(id);
    closed.close(id, ENDED);
  }
  closed.open(5007);
  expect([5001, 5003, 5005, 5007].map((id) => closed.kindOf(id))).toEqual(Array.from({ length: 4 }, () => NEVER_USED));
  expect(closed.kindOf(4999)).toBe(ENDED);
  closed.open(1_000_001);
  expect(closed.kindOf(999_999)).toBe(NEVER_USED);
  expect(closed.kindOf(5007)).toBe(FORGOTTEN);
});

test('a stream that ends long after it has been forgotten disturbs nobody', () => {
  const closed = new ClosedStreams();
  closed.open(1);
  closed.open(2049);
  closed.close(1, RESET_BY_US);
  expect(closed.kindOf(2049)).toBe(NEVER_USED);
});
