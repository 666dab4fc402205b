import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Deadline, Deadlines } from './deadlines.ts';

class Recorder {
  readonly firedAtMs: number[] = [];
  readonly deadline = new Deadline(this);
  onFire: () => void = () => undefined;

  onDeadline(_deadline: Deadline, nowMs: number): void {
    this.firedAtMs.push(nowMs);
    this.onFire();
  }
}

describe('deadlines', () => {
  it('fire once, never early, and at most one tick late, whatever the distance and the steps of time', () => {
    const delays = fc.array(fc.integer({ min: 0, max: 3_000_000 }), { minLength: 1, maxLength: 20 });
    const steps = fc.array(fc.integer({ min: 1, max: 200_000 }), { minLength: 1, maxLength: 60 });
    fc.assert(
      fc.property(delays, steps, fc.integer({ min: 0, max: 1_000_000 }), (dueIn, advances, startMs) => {
        const wheel = new Deadlines(startMs);
        const recorders = dueIn.map((delay) => {
          const recorder = new Recorder();
          wheel.schedule(recorder.deadline, startMs + delay);
          return recorder;
        });
        let nowMs = startMs;
        for (const step of [...advances, 3_000_100]) {
          const beforeMs = nowMs;
          nowMs += step;
          wheel.advance(nowMs);
          recorders.forEach((recorder, index) => {
            const dueMs = startMs + (dueIn[index] ?? 0);
            const isFired = recorder.firedAtMs.length === 1;
            if (nowMs < dueMs) expect(isFired).toBe(false);
            if (beforeMs < dueMs && nowMs >= dueMs + 10) expect(isFired).toBe(true);
          });
        }
        expect(recorders.every((recorder) => recorder.firedAtMs.length === 1)).toBe(true);
        expect(wheel.isEmpty).toBe(true);
      }),
      { numRuns: 60 },
    );
  });

  it('moving one later costs no relinking, and it fires at the last time given', () => {
    const wheel = new Deadlines(0);
    let earlier = 0;
    wheel.onEarlier = () => {
      earlier++;
    };
    const recorder = new Recorder();
    for (let atMs = 100; atMs <= 5_000; atMs += 10) wheel.schedule(recorder.deadline, atMs);
    expect(earlier).toBe(1);
    wheel.advance(4_999);
    expect(recorder.firedAtMs).toEqual([]);
    wheel.advance(5_001);
    expect(recorder.firedAtMs).toEqual([5_001]);
  });

  it('moving one earlier takes effect', () => {
    const wheel = new Deadlines(0);
    const recorder = new Recorder();
    wheel.schedule(recorder.deadline, 60_000);
    wheel.schedule(recorder.deadline, 50);
    wheel.advance(50);
    expect(recorder.firedAtMs).toEqual([50]);
  });

  it('disarmed and removed ones never fire, and removal lets go at once', () => {
    const wheel = new Deadlines(0);
    const disarmed = new Recorder();
    const removed = new Recorder();
    wheel.schedule(disarmed.deadline, 100);
    wheel.schedule(removed.deadline, 20_000);
    wheel.schedule(disarmed.deadline, Number.POSITIVE_INFINITY);
    wheel.remove(removed.deadline);
    wheel.advance(100_000);
    expect([...disarmed.firedAtMs, ...removed.firedAtMs]).toEqual([]);
    expect(wheel.isEmpty).toBe(true);
  });

  it('an owner may re-arm itself and remove others while it is told', () => {
    const wheel = new Deadlines(0);
    const victim = new Recorder();
    const other = new Recorder();
    const again = new Recorder();
    again.onFire = () => {
      wheel.remove(victim.deadline);
      if (again.firedAtMs.length === 1) wheel.schedule(other.deadline, 40);
      if (again.firedAtMs.length < 3) wheel.schedule(again.deadline, 0);
    };
    // The last one linked is the first one told.
    wheel.schedule(victim.deadline, 30);
    wheel.schedule(other.deadline, 30);
    wheel.schedule(again.deadline, 30);
    wheel.advance(30);
    wheel.advance(60);
    expect(victim.firedAtMs).toEqual([]);
    expect(other.firedAtMs).toEqual([60]);
    expect(again.firedAtMs).toEqual([30, 60, 60]);
  });

  it('says when to wake: never later than the next deadline is due', () => {
    const wheel = new Deadlines(0);
    expect(wheel.nextWakeMs()).toBeUndefined();
    const near = new Recorder();
    wheel.schedule(near.deadline, 55);
    expect(wheel.nextWakeMs()).toBe(60);
    wheel.remove(near.deadline);
    const far = new Recorder();
    wheel.schedule(far.deadline, 100_000);
    let nowMs = 0;
    for (let wakes = 0; wakes < 200 && far.firedAtMs.length === 0; wakes++) {
      nowMs = wheel.nextWakeMs() ?? Number.NaN;
      wheel.advance(nowMs);
    }
    expect(far.firedAtMs).toEqual([100_000]);
  });
});
