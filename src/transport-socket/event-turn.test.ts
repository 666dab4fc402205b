import { setImmediate as nextRound } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { EventTurn } from './event-turn.ts';

function turnOf(errors: unknown[] = []): EventTurn {
  let nowMs = 0;
  return new EventTurn({ nowMs: () => nowMs++, wallMs: () => 0 }, (error) => errors.push(error));
}

describe('event turn', () => {
  test('what several entries of one round wrote leaves behind the last of them, in the order it was marked', async () => {
    const turn = turnOf();
    const calls: string[] = [];
    turn.enter();
    turn.markDirty({ flush: () => calls.push('flush of first') });
    calls.push('first');
    turn.leave();
    turn.enter();
    turn.markDirty({ flush: () => calls.push('flush of second') });
    calls.push('second');
    turn.leave();
    await nextRound();
    expect(calls).toEqual(['first', 'second', 'flush of first', 'flush of second']);
  });

  test('what a flush marks is flushed in the same round, once', async () => {
    const turn = turnOf();
    const calls: string[] = [];
    turn.markDirty({
      flush() {
        calls.push('outer');
        turn.markDirty({ flush: () => calls.push('inner') });
      },
    });
    await nextRound();
    expect(calls).toEqual(['outer', 'inner']);
    await nextRound();
    expect(calls).toEqual(['outer', 'inner']);
  });

  test('what is full leaves when its entry ends, ahead of what is not', async () => {
    const turn = turnOf();
    const calls: string[] = [];
    turn.enter();
    turn.markDirty({ flush: () => calls.push('small') });
    turn.enter();
    turn.markFull({ flush: () => calls.push('full') });
    turn.leave();
    calls.push('entry');
    turn.leave();
    calls.push('next entry');
    await nextRound();
    expect(calls).toEqual(['entry', 'full', 'next entry', 'small']);
  });

  test('with a bound on what waits, the first of a long entry leave before the next is marked, and all of them once', async () => {
    const options = { maxDirty: 2, flushesEachEntry: true };
    const turn = new EventTurn({ nowMs: () => 0, wallMs: () => 0 }, () => undefined, options);
    const calls: string[] = [];
    const mark = (name: string): void => {
      turn.markDirty({ flush: () => calls.push(`flush ${name}`) });
      calls.push(name);
    };
    turn.enter();
    for (const name of ['a', 'b', 'c']) mark(name);
    turn.leave();
    await new Promise<void>((resolve) => process.nextTick(resolve));
    expect(calls).toEqual(['a', 'b', 'flush a', 'flush b', 'c', 'flush c']);
  });

  test('a flush that marks more than the bound is not begun anew', () => {
    const turn = new EventTurn({ nowMs: () => 0, wallMs: () => 0 }, () => undefined, { maxDirty: 1 });
    const calls: string[] = [];
    turn.markDirty({
      flush() {
        calls.push('outer begins');
        for (const name of ['x', 'y']) turn.markDirty({ flush: () => calls.push(name) });
        calls.push('outer ends');
      },
    });
    turn.flush();
    expect(calls).toEqual(['outer begins', 'outer ends', 'x', 'y']);
  });

  test('a flush that throws is reported, and the others still leave', async () => {
    const errors: unknown[] = [];
    const turn = turnOf(errors);
    const calls: string[] = [];
    turn.markDirty({
      flush() {
        throw new Error('broken');
      },
    });
    turn.markDirty({ flush: () => calls.push('other') });
    await nextRound();
    expect(calls).toEqual(['other']);
    expect(errors).toEqual([new Error('broken')]);
    expect(turn.unexpectedErrors).toBe(1);
  });

  test('the clock is read at the outermost entrance only', () => {
    const turn = turnOf();
    turn.enter();
    const before = turn.nowMs;
    turn.enter();
    expect(turn.nowMs).toBe(before);
    turn.leave();
    turn.leave();
    turn.enter();
    expect(turn.nowMs).toBeGreaterThan(before);
    turn.leave();
  });

  test('once something is to be flushed, a reading of the clock serves a few entries of that round and none of the next', async () => {
    const turn = turnOf();
    const entered = (): number => {
      turn.enter();
      const { nowMs } = turn;
      turn.leave();
      return nowMs;
    };
    turn.enter();
    const first = turn.nowMs;
    turn.markDirty({ flush: () => undefined });
    turn.leave();
    expect(Array.from({ length: 7 }, entered)).toEqual(new Array(7).fill(first));
    const second = entered();
    expect(second).toBeGreaterThan(first);
    await nextRound();
    expect(entered()).toBeGreaterThan(second);
  });

  test('deadlines are always judged by a new reading', () => {
    const turn = turnOf();
    turn.markDirty({ flush: () => undefined });
    const before = turn.nowMs;
    turn.advance();
    expect(turn.nowMs).toBeGreaterThan(before);
  });
});
