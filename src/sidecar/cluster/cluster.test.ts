import { describe, expect, it } from 'vitest';
import { assignment, cluster, endpoint } from '../../../test/support/resources.ts';
import { systemClock } from '../../base/clock.ts';
import { seededRandom } from '../../base/random.ts';
import { addressText } from '../../resource/address.ts';
import type { Cluster } from '../../resource/cluster.ts';
import type { ClusterLoadAssignment } from '../../resource/cluster-load-assignment.ts';
import { ClusterSet } from './cluster-set.ts';
import type { Host } from './host.ts';
import { priorityShares } from './priority-load.ts';
import { PLAIN_PICK, type RuntimeCluster } from './runtime-cluster.ts';
import {
  CLUSTER_FIELD,
  createSharedCounterMemory,
  HEALTH_FLAG,
  HOST_FIELD,
  SharedCounters,
  settleLedger,
} from './shared-counters.ts';

const inputs = { clock: systemClock, random: seededRandom(3), hash64: (text: string) => BigInt(text.length) };

function slotsFor(value: ClusterLoadAssignment): Map<string, number> {
  const slots = new Map<string, number>();
  for (const group of value.localities)
    for (const one of group.endpoints)
      slots.set(addressText(one.address), one.address.kind === 'ip' ? one.address.port : 0);
  return slots;
}

function setup(config: Cluster, value: ClusterLoadAssignment) {
  const shared = createSharedCounterMemory();
  const counters = new SharedCounters(shared, createSharedCounterMemory());
  const set = new ClusterSet(counters, inputs);
  set.upsert({ cluster: config, slot: 1 });
  set.assign({ clusterName: config.name, assignment: value, slots: slotsFor(value) });
  const runtime = set.get(config.name);
  if (runtime === undefined) throw new Error('cluster is missing');
  return { set, counters, shared, runtime };
}

it('a retry leaves the priorities that were tried, and comes back to them when nothing else is healthy', () => {
  const level = (priority: number, port: number) => ({
    locality: { region: '', zone: '', subZone: '' },
    priority,
    loadBalancingWeight: 1,
    endpoints: [endpoint(port)],
  });
  const { runtime } = setup(cluster('web'), assignment('web', [], { localities: [level(0, 1), level(1, 2)] }));
  const pickAfter = (...tried: readonly number[]): unknown =>
    runtime.pick({ ...PLAIN_PICK, previousPriorities: { tried, updateFrequency: 1 } })?.addressText;
  expect(pickAfter(0)).toBe('127.0.0.1:2');
  expect(pickAfter(0, 1)).toBe('127.0.0.1:1');
  expect(pickAfter(0, 1, 0)).toBe('127.0.0.1:2');
});

function portsPicked(runtime: RuntimeCluster, picks: number): Set<number> {
  const ports = new Set<number>();
  for (let index = 0; index < picks; index++) {
    const address = runtime.pick(PLAIN_PICK)?.address;
    if (address?.kind === 'ip') ports.add(address.port);
  }
  return ports;
}

describe('hosts of a cluster', () => {
  it('sends nothing to an unhealthy or draining host while others are well', () => {
    const { runtime } = setup(
      cluster('web'),
      assignment('web', [
        endpoint(1),
        endpoint(2),
        endpoint(3, { healthStatus: 'unhealthy' }),
        endpoint(4, { healthStatus: 'draining' }),
      ]),
    );
    expect([...portsPicked(runtime, 50)].sort((a, b) => Number(a) - Number(b))).toEqual([1, 2]);
  });

  it('spreads over all in panic, and over none where the threshold is 0', () => {
    const sick = [endpoint(1, { healthStatus: 'unhealthy' }), endpoint(2, { healthStatus: 'unhealthy' }), endpoint(3)];
    expect(
      [...portsPicked(setup(cluster('web'), assignment('web', sick)).runtime, 50)].sort(
        (a, b) => Number(a) - Number(b),
      ),
    ).toEqual([1, 2, 3]);
    const calm = setup(cluster('web', { healthyPanicThresholdPercent: 0 }), assignment('web', sick.slice(0, 2)));
    expect(calm.runtime.pick(PLAIN_PICK)).toBeUndefined();
  });

  it('notices a health flag set by another thread at the next pick', () => {
    const { runtime, counters } = setup(cluster('web'), assignment('web', [endpoint(1), endpoint(2)]));
    expect(portsPicked(runtime, 20).size).toBe(2);
    counters.setBits(counters.hostCell(1, HOST_FIELD.health), HEALTH_FLAG.failedActiveCheck);
    counters.advance(counters.clusterCell(1, CLUSTER_FIELD.healthGeneration));
    expect([...portsPicked(runtime, 20)]).toEqual([2]);
  });

  it('keeps a host that stays and announces one that goes', () => {
    const { set, runtime } = setup(cluster('web'), assignment('web', [endpoint(1), endpoint(2)]));
    const kept = runtime.hosts.find((host) => host.addressText === '127.0.0.1:2');
    const gone: Host[] = [];
    set.onHostRemoved((host) => gone.push(host));
    const next = assignment('web', [endpoint(2, { loadBalancingWeight: 5 }), endpoint(3)]);
    set.assign({ clusterName: 'web', assignment: next, slots: slotsFor(next) });
    expect(gone.map((host) => host.addressText)).toEqual(['127.0.0.1:1']);
    expect(runtime.hosts.find((host) => host.addressText === '127.0.0.1:2')).toBe(kept);
    expect(kept?.weight).toBe(5);
    set.remove('web');
    expect(gone).toHaveLength(3);
  });

  it('avoids hosts tried before while there is another', () => {
    const { runtime } = setup(cluster('web'), assignment('web', [endpoint(1), endpoint(2), endpoint(3)]));
    const [first, second, third] = runtime.hosts;
    if (first === undefined || second === undefined || third === undefined) throw new Error('hosts are missing');
    for (let index = 0; index < 20; index++) {
      expect(
        runtime.pick({
          hash: undefined,
          excluded: [first, second],
          maxAttempts: 1,
          override: undefined,
          previousPriorities: undefined,
        }),
      ).toBe(third);
    }
    expect(
      runtime.pick({
        hash: undefined,
        excluded: [first, second, third],
        maxAttempts: 3,
        override: undefined,
        previousPriorities: undefined,
      }),
    ).toBeDefined();
  });

  it('weights localities where the cluster says so', () => {
    const locality = (zone: string, loadBalancingWeight: number, port: number) => ({
      locality: { region: 'r', zone, subZone: '' },
      priority: 0,
      loadBalancingWeight,
      endpoints: [endpoint(port)],
    });
    const value = assignment('web', [], { localities: [locality('a', 1, 1), locality('b', 9, 2)] });
    const { runtime } = setup(cluster('web', { localityWeighted: true }), value);
    let inB = 0;
    for (let index = 0; index < 4000; index++) if (runtime.pick(PLAIN_PICK)?.addressText === '127.0.0.1:2') inB++;
    expect(inB / 4000).toBeGreaterThan(0.87);
    expect(inB / 4000).toBeLessThan(0.93);
  });
});

describe('priorities', () => {
  it.each([
    [
      [
        { eligible: 10, total: 10 },
        { eligible: 10, total: 10 },
      ],
      [100, 0],
    ],
    [
      [
        { eligible: 5, total: 10 },
        { eligible: 10, total: 10 },
      ],
      [70, 30],
    ],
    [
      [
        { eligible: 0, total: 10 },
        { eligible: 10, total: 10 },
      ],
      [0, 100],
    ],
    [
      [
        { eligible: 8, total: 10 },
        { eligible: 10, total: 10 },
      ],
      [100, 0],
    ],
    [
      [
        { eligible: 1, total: 10 },
        { eligible: 1, total: 10 },
      ],
      [50, 50],
    ],
    [
      [
        { eligible: 0, total: 0 },
        { eligible: 1, total: 1 },
      ],
      [0, 100],
    ],
  ])('%o → %o percent', (levels, expected) => {
    expect(priorityShares(levels, 140, 50).map((share) => share.percent)).toEqual(expected);
  });

  it('never spills into panic while another level can take it all', () => {
    expect(
      priorityShares(
        [
          { eligible: 1, total: 10 },
          { eligible: 10, total: 10 },
        ],
        140,
        50,
      ).map((share) => share.panic),
    ).toEqual([false, false]);
  });
});

describe('counts shared by workers', () => {
  it('the breaker lets exactly its number through, over two workers', () => {
    const shared = createSharedCounterMemory();
    const workers = [0, 1].map(() => {
      const set = new ClusterSet(new SharedCounters(shared, createSharedCounterMemory()), inputs);
      const config = cluster('web');
      set.upsert({ cluster: { ...config, circuitBreakers: { ...config.circuitBreakers, maxRequests: 3 } }, slot: 4 });
      return set.get('web');
    });
    const taken = [0, 1, 0, 1, 0].map((worker) => workers[worker]?.breakers.tryAcquire('requests'));
    expect(taken).toEqual([true, true, true, false, false]);
    workers[0]?.breakers.release('requests');
    expect(workers[1]?.breakers.tryAcquire('requests')).toBe(true);
  });

  it('a retry budget allows a share of active requests, and a minimum', () => {
    const config = cluster('web');
    const { runtime } = setup(
      {
        ...config,
        circuitBreakers: { ...config.circuitBreakers, retryBudget: { budgetPercent: 20, minRetryConcurrency: 1 } },
      },
      assignment('web', []),
    );
    expect([runtime.breakers.tryAcquire('retries'), runtime.breakers.tryAcquire('retries')]).toEqual([true, false]);
    for (let index = 0; index < 10; index++) runtime.breakers.tryAcquire('requests');
    expect(runtime.breakers.tryAcquire('retries')).toBe(true);
    expect(runtime.breakers.tryAcquire('retries')).toBe(false);
  });

  it('gives back what a dead worker still held, and nothing of the others', () => {
    const shared = createSharedCounterMemory();
    const deadLedger = createSharedCounterMemory();
    const dead = new SharedCounters(shared, deadLedger);
    const alive = new SharedCounters(shared, createSharedCounterMemory());
    const cell = alive.hostCell(9, HOST_FIELD.inFlight);
    dead.add(cell, 5);
    dead.add(cell, -1);
    alive.add(cell, 2);
    settleLedger(shared, deadLedger);
    expect(alive.get(cell)).toBe(2);
  });

  it('round robin is one rotation for all workers', () => {
    const shared = createSharedCounterMemory();
    const value = assignment('web', [endpoint(1), endpoint(2), endpoint(3)]);
    const workers = [0, 1].map(() => {
      const set = new ClusterSet(new SharedCounters(shared, createSharedCounterMemory()), inputs);
      set.upsert({ cluster: cluster('web'), slot: 0 });
      set.assign({ clusterName: 'web', assignment: value, slots: slotsFor(value) });
      return set.get('web');
    });
    const order = [0, 1, 1, 0, 1, 0].map((worker) => workers[worker]?.pick(PLAIN_PICK)?.addressText.slice(-1));
    expect(order.slice(0, 3).sort((a, b) => Number(a) - Number(b))).toEqual(['1', '2', '3']);
    expect(order.slice(3)).toEqual(order.slice(0, 3));
  });
});
