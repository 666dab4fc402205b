import { describe, expect, it } from 'vitest';
import { assignment, cluster, endpoint } from '../../../test/support/resources.ts';
import { seededRandom } from '../../base/random.ts';
import { ClusterSet } from './cluster-set.ts';
import { PLAIN_PICK } from './runtime-cluster.ts';
import { createSharedCounterMemory, SharedCounters } from './shared-counters.ts';

describe('slow start', () => {
  const slowStart = { windowMs: 10_000, aggression: 1, minWeightPercent: 10 };

  function setup() {
    let nowMs = 0;
    const clusters = new ClusterSet(new SharedCounters(createSharedCounterMemory(), createSharedCounterMemory()), {
      clock: { nowMs: () => nowMs, wallMs: () => 0 },
      random: seededRandom(1),
      hash64: () => 0n,
    });
    clusters.upsert({ cluster: cluster('web', { loadBalancing: { kind: 'roundRobin', slowStart } }), slot: 0 });
    const assign = (...ports: number[]): void =>
      clusters.assign({
        clusterName: 'web',
        assignment: assignment(
          'web',
          ports.map((port) => endpoint(port)),
        ),
        slots: new Map(ports.map((port) => [`127.0.0.1:${port}`, port])),
      });
    const shareOf = (port: number): number => {
      let hits = 0;
      for (let pick = 0; pick < 1100; pick++) {
        if (clusters.get('web')?.pick(PLAIN_PICK)?.addressText === `127.0.0.1:${port}`) hits++;
      }
      return hits / 1100;
    };
    return { assign, shareOf, at: (ms: number) => (nowMs = ms) };
  }

  it('a new host begins at its minimum, grows with time, and ends at its full share', () => {
    const { assign, shareOf, at } = setup();
    assign(1);
    at(100_000);
    assign(1, 2);
    expect(shareOf(2)).toBeCloseTo(10 / 110, 2);
    at(105_000);
    expect(shareOf(2)).toBeCloseTo(50 / 150, 2);
    at(110_001);
    expect(shareOf(2)).toBeCloseTo(0.5, 2);
  });

  it('hosts that start together share evenly from the beginning', () => {
    const { assign, shareOf } = setup();
    assign(1, 2);
    expect(shareOf(1)).toBeCloseTo(0.5, 2);
  });
});
