import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { assignment, endpoint } from '../../../test/support/resources.ts';
import type { ClusterLoadAssignment } from '../../resource/cluster-load-assignment.ts';
import type { ResourceChange } from '../config/config.ts';
import { StaleEndpoints } from './stale-endpoints.ts';

const KEPT = assignment('web', [endpoint(80)], { staleAfterMs: 1_000 });
let published: (readonly ClusterLoadAssignment[])[] = [];
let stale: StaleEndpoints;

function change(...changed: readonly ClusterLoadAssignment[]): ResourceChange {
  return { kind: 'assignments', changed, removed: [] };
}

beforeEach(() => {
  vi.useFakeTimers();
  published = [];
  const clock = { nowMs: () => performance.now(), wallMs: () => Date.now() };
  stale = new StaleEndpoints({ clock, onChanged: (assignments) => published.push(assignments) });
});

afterEach(() => {
  stale.stop();
  vi.useRealTimers();
});

test('endpoints leave when the server has been silent about them for that long, once', () => {
  stale.changed(change(KEPT, assignment('for-ever', [endpoint(81)])));
  vi.advanceTimersByTime(999);
  expect(published).toEqual([]);
  vi.advanceTimersByTime(10_000);
  expect(published).toEqual([[{ ...KEPT, localities: [] }]]);
});

test('the same assignment said again keeps them, and brings them back', () => {
  stale.changed(change(KEPT));
  vi.advanceTimersByTime(900);
  stale.confirmed(change(KEPT));
  vi.advanceTimersByTime(900);
  expect(published).toEqual([]);
  vi.advanceTimersByTime(101);
  stale.confirmed(change(KEPT));
  expect(published.at(-1)).toEqual([KEPT]);
  expect(published).toHaveLength(2);
});

test('an assignment that is removed, or comes without the policy, is waited for no more', () => {
  const other = assignment('other', [endpoint(80)], { staleAfterMs: 1_000 });
  stale.changed(change(KEPT, other));
  stale.changed({ kind: 'assignments', changed: [assignment('other', [endpoint(80)])], removed: ['web'] });
  vi.advanceTimersByTime(10_000);
  expect(published).toEqual([]);
});
