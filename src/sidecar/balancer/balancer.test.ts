import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../base/random.ts';
import type { LoadBalancingPolicy } from '../../resource/cluster.ts';
import { type BalancedHost, type BalancerInputs, createLoadBalancer } from './balancer.ts';

/** FNV-1a, spread to 64 bits: good enough to place hosts in a test. */
function hash64(text: string): bigint {
  let hash = 0xcbf29ce484222325n;
  for (const character of text) hash = BigInt.asUintN(64, (hash ^ BigInt(character.charCodeAt(0))) * 0x100000001b3n);
  hash ^= hash >> 33n;
  hash = BigInt.asUintN(64, hash * 0xff51afd7ed558ccdn);
  return hash ^ (hash >> 33n);
}

function inputs(): BalancerInputs {
  let cursor = 0;
  return { random: seededRandom(7), hash64, nextInCycle: () => cursor++ };
}

class TestHost implements BalancedHost {
  readonly hashKey: string;
  readonly weight: number;
  active = 0;
  constructor(hashKey: string, weight = 1) {
    this.hashKey = hashKey;
    this.weight = weight;
  }
  inFlight(): number {
    return this.active;
  }
}

const POLICIES: readonly LoadBalancingPolicy[] = [
  { kind: 'roundRobin', slowStart: undefined },
  { kind: 'leastRequest', choiceCount: 2, activeRequestBias: 1, selection: 'nChoices', slowStart: undefined },
  { kind: 'leastRequest', choiceCount: 2, activeRequestBias: 1, selection: 'fullScan', slowStart: undefined },
  { kind: 'random' },
  { kind: 'ringHash', minimumRingSize: 1024, maximumRingSize: 8_388_608 },
  { kind: 'maglev', tableSize: 65_537 },
];

function sharesOf(policy: LoadBalancingPolicy, hosts: readonly TestHost[], picks: number): number[] {
  const balancer = createLoadBalancer(policy, hosts, inputs());
  const counts = new Map<TestHost | undefined, number>();
  for (let index = 0; index < picks; index++) {
    const host = balancer.pick(hash64(`key-${index}`));
    counts.set(host, (counts.get(host) ?? 0) + 1);
  }
  return hosts.map((host) => (counts.get(host) ?? 0) / picks);
}

describe.each(POLICIES.map((policy) => [policy.kind, policy] as const))('every policy: %s', (_, policy) => {
  it('has no pick among no hosts', () => {
    expect(createLoadBalancer(policy, [], inputs()).pick(1n)).toBeUndefined();
  });

  it('picks the only host', () => {
    const only = new TestHost('a');
    expect(createLoadBalancer(policy, [only], inputs()).pick(undefined)).toBe(only);
  });

  it('spreads evenly over equal hosts', () => {
    const hosts = ['a', 'b', 'c', 'd'].map((key) => new TestHost(key));
    for (const share of sharesOf(policy, hosts, 20_000)) {
      expect(share).toBeGreaterThan(0.2);
      expect(share).toBeLessThan(0.3);
    }
  });
});

describe('weights', () => {
  const weighted = POLICIES.filter((policy) => policy.kind !== 'leastRequest');
  it.each(weighted.map((policy) => [policy.kind, policy] as const))('%s gives 1:3 by weight', (_, policy) => {
    const [light] = sharesOf(policy, [new TestHost('light', 1), new TestHost('heavy', 3)], 20_000);
    expect(light).toBeGreaterThan(0.21);
    expect(light).toBeLessThan(0.29);
  });

  it('least request settles in proportion to weight under load', () => {
    const hosts = [new TestHost('light', 1), new TestHost('heavy', 3)];
    const policy = POLICIES[1];
    if (policy === undefined) throw new Error('no policy');
    const balancer = createLoadBalancer(policy, hosts, inputs());
    for (let index = 0; index < 400; index++) {
      const host = balancer.pick(undefined);
      if (host !== undefined) host.active++;
    }
    expect(hosts[1]?.active).toBeGreaterThan(285);
    expect(hosts[1]?.active).toBeLessThan(315);
  });

  it('round robin spreads a heavy host over the rotation instead of bunching it', () => {
    const hosts = [new TestHost('a', 2), new TestHost('b', 1), new TestHost('c', 1)];
    const policy = POLICIES[0];
    if (policy === undefined) throw new Error('no policy');
    const balancer = createLoadBalancer(policy, hosts, inputs());
    const order = Array.from({ length: 8 }, () => balancer.pick(undefined)?.hashKey).join('');
    expect(order).not.toContain('aa');
    expect(order.split('').filter((key) => key === 'a')).toHaveLength(4);
  });

  it('scales huge weights down and still gives every host a turn', () => {
    const [light, heavy] = sharesOf(
      { kind: 'roundRobin', slowStart: undefined },
      [new TestHost('a', 1), new TestHost('b', 1_000_003)],
      8200,
    );
    expect(light).toBeGreaterThan(0);
    expect(heavy).toBeGreaterThan(0.99);
  });
});

describe('least request', () => {
  it('prefers the host with fewer requests in flight', () => {
    const busy = new TestHost('busy');
    busy.active = 10;
    const idle = new TestHost('idle');
    const policy: LoadBalancingPolicy = {
      kind: 'leastRequest',
      choiceCount: 2,
      activeRequestBias: 1,
      selection: 'fullScan',
      slowStart: undefined,
    };
    const balancer = createLoadBalancer(policy, [busy, idle], inputs());
    for (let index = 0; index < 50; index++) expect(balancer.pick(undefined)).toBe(idle);
  });
});

describe('consistent policies', () => {
  const hosts = Array.from({ length: 10 }, (_, index) => new TestHost(`10.0.0.${index}:80`));
  it.each([
    ['ringHash', 0.2],
    ['maglev', 0.15],
  ] as const)('%s moves few keys when one of ten hosts leaves', (kind, limit) => {
    const policy = POLICIES.find((candidate) => candidate.kind === kind);
    if (policy === undefined) throw new Error('no policy');
    const before = createLoadBalancer(policy, hosts, inputs());
    const after = createLoadBalancer(policy, hosts.slice(1), inputs());
    let moved = 0;
    for (let index = 0; index < 5000; index++) {
      const hash = hash64(`key-${index}`);
      expect(before.pick(hash)).toBe(before.pick(hash));
      if (before.pick(hash) !== after.pick(hash)) moved++;
    }
    expect(moved / 5000).toBeLessThan(limit);
  });
});
