import { describe, expect, it } from 'vitest';
import { assignment, cluster, endpoint } from '../../../test/support/resources.ts';
import { systemClock } from '../../base/clock.ts';
import { seededRandom } from '../../base/random.ts';
import type { Endpoint } from '../../resource/cluster-load-assignment.ts';
import { ClusterSet } from './cluster-set.ts';
import {
  CLUSTER_FIELD,
  createSharedCounterMemory,
  HEALTH_FLAG,
  HOST_FIELD,
  SharedCounters,
} from './shared-counters.ts';

const PICKS = 400;

class Clusters {
  readonly counters = new SharedCounters(createSharedCounterMemory(), createSharedCounterMemory());
  readonly set = new ClusterSet(this.counters, {
    clock: systemClock,
    random: seededRandom(3),
    hash64: (text) => BigInt(text.length),
  });
  #slot = 1;

  add(name: string, endpoints: readonly Endpoint[]): void {
    this.set.upsert({ cluster: cluster(name, { healthyPanicThresholdPercent: 0 }), slot: this.#slot++ });
    const slots = new Map(endpoints.map(({ address }) => [portText(address), this.#slot++]));
    this.set.assign({ clusterName: name, assignment: assignment(name, endpoints), slots });
  }

  aggregate(name: string, clusters: readonly string[]): void {
    const config = cluster(name, { discovery: { kind: 'aggregate', clusters }, healthyPanicThresholdPercent: 0 });
    this.set.upsert({ cluster: config, slot: this.#slot++ });
  }

  /** Marks hosts of a cluster as failed by their active health check. */
  fail(name: string, count: number): void {
    const failing = this.set.get(name);
    if (failing === undefined) throw new Error(`no cluster ${name}`);
    for (const host of failing.hosts.slice(0, count)) {
      this.counters.setBits(this.counters.hostCell(host.slot, HOST_FIELD.health), HEALTH_FLAG.failedActiveCheck);
    }
    this.counters.add(this.counters.clusterCell(failing.slot, CLUSTER_FIELD.healthGeneration), 1);
  }

  shares(name: string): Record<string, number> {
    const counts: Record<string, number> = {};
    for (let pick = 0; pick < PICKS; pick++) {
      const chosen = this.set.choose(name)?.name ?? '(none)';
      counts[chosen] = (counts[chosen] ?? 0) + 1 / PICKS;
    }
    return counts;
  }
}

function portText(address: Endpoint['address']): string {
  return address.kind === 'ip' ? `${address.host}:${address.port}` : address.path;
}

describe('an aggregate cluster', () => {
  it('sends everything to its first cluster while that is well', () => {
    const clusters = new Clusters();
    clusters.add('primary', [endpoint(1), endpoint(2)]);
    clusters.add('fallback', [endpoint(3)]);
    clusters.aggregate('all', ['primary', 'fallback']);
    expect(clusters.shares('all')).toEqual({ primary: expect.closeTo(1) });
  });

  it('spills to the next what the first can no longer take, and all of it when the first is down', () => {
    const clusters = new Clusters();
    clusters.add('primary', [endpoint(1), endpoint(2)]);
    clusters.add('fallback', [endpoint(3)]);
    clusters.aggregate('all', ['primary', 'fallback']);
    expect(clusters.shares('all')['fallback']).toBeUndefined();
    clusters.fail('primary', 1);
    // Half of the hosts at an overprovisioning of 140 % carry 70 %.
    expect(clusters.shares('all')['primary']).toBeGreaterThan(0.6);
    expect(clusters.shares('all')['primary']).toBeLessThan(0.8);
    clusters.fail('primary', 2);
    expect(clusters.shares('all')).toEqual({ fallback: expect.closeTo(1) });
  });

  it('looks through aggregates in it, and past clusters that do not exist', () => {
    const clusters = new Clusters();
    clusters.add('a', [endpoint(1, { healthStatus: 'unhealthy' })]);
    clusters.add('b', [endpoint(2)]);
    clusters.aggregate('inner', ['a', 'missing', 'b']);
    clusters.aggregate('outer', ['also-missing', 'inner']);
    expect(clusters.shares('outer')).toEqual({ b: expect.closeTo(1) });
  });

  it('answers for its clusters where none is well, and not at all where none exists', () => {
    const clusters = new Clusters();
    clusters.add('a', [endpoint(1, { healthStatus: 'unhealthy' })]);
    clusters.aggregate('sick', ['a']);
    clusters.aggregate('empty', ['missing']);
    expect(clusters.shares('sick')).toEqual({ a: expect.closeTo(1) });
    expect(clusters.set.choose('empty')).toBeUndefined();
  });

  it('ends where aggregates name each other', () => {
    const clusters = new Clusters();
    clusters.add('a', [endpoint(1)]);
    clusters.aggregate('left', ['right']);
    clusters.aggregate('right', ['left', 'a']);
    expect(clusters.shares('left')).toEqual({ a: expect.closeTo(1) });
  });

  it('looks at each aggregate once, however often they name each other', () => {
    const clusters = new Clusters();
    clusters.add('web', [endpoint(1)]);
    const names = Array.from({ length: 30 }, (_, index) => `all-${index}`);
    for (const name of names) clusters.aggregate(name, [...names, 'web']);
    expect(clusters.shares('all-0')).toEqual({ web: expect.closeTo(1) });
  });

  it('follows its clusters as they come and go', () => {
    const clusters = new Clusters();
    clusters.add('fallback', [endpoint(3)]);
    clusters.aggregate('all', ['primary', 'fallback']);
    expect(clusters.shares('all')).toEqual({ fallback: expect.closeTo(1) });
    clusters.add('primary', [endpoint(1)]);
    expect(clusters.shares('all')).toEqual({ primary: expect.closeTo(1) });
    clusters.set.remove('primary');
    expect(clusters.shares('all')).toEqual({ fallback: expect.closeTo(1) });
  });
});
