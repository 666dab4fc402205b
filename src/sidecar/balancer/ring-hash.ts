import type { LoadBalancingPolicy } from '../../resource/cluster.ts';
import type { BalancedHost, BalancerInputs, LoadBalancer } from './load-balancer.ts';

type RingHashPolicy = Extract<LoadBalancingPolicy, { kind: 'ringHash' }>;

/**
 * Ketama-style ring as Envoy builds it: each host owns a share of points in proportion to its weight, the smallest ring
 * of at least `minimumRingSize` points; a request goes to the first point at or after its hash. Moving one of N hosts
 * moves 1/N of the keys. Without a hash the pick is random.
 */
export class RingHashBalancer<H extends BalancedHost> implements LoadBalancer<H> {
  readonly #points: BigUint64Array;
  readonly #owners: readonly H[];
  readonly #inputs: BalancerInputs;

  constructor(hosts: readonly H[], inputs: BalancerInputs, policy: RingHashPolicy) {
    const entries = ringEntries(hosts, inputs.hash64, policy);
    this.#points = BigUint64Array.from(entries, (entry) => entry.point);
    this.#owners = entries.map((entry) => entry.host);
    this.#inputs = inputs;
  }

  pick(hash: bigint | undefined): H | undefined {
    const count = this.#owners.length;
    if (count === 0) return undefined;
    if (hash === undefined) return this.#owners[Math.floor(this.#inputs.random.next() * count)];
    let low = 0;
    let high = count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#points[middle] ?? 0n) < hash) low = middle + 1;
      else high = middle;
    }
    return this.#owners[low === count ? 0 : low];
  }
}

function ringEntries<H extends BalancedHost>(
  hosts: readonly H[],
  hash64: (text: string) => bigint,
  policy: RingHashPolicy,
): { readonly point: bigint; readonly host: H }[] {
  if (hosts.length === 0) return [];
  const totalWeight = hosts.reduce((sum, host) => sum + host.weight, 0);
  const smallestShare = Math.min(...hosts.map((host) => host.weight / totalWeight));
  // Envoy: scale so that the lightest host gets a whole number of points, within the bounds.
  const scale = Math.min(Math.ceil(smallestShare * policy.minimumRingSize) / smallestShare, policy.maximumRingSize);
  const entries: { readonly point: bigint; readonly host: H }[] = [];
  let current = 0;
  let target = 0;
  for (const host of hosts) {
    target += (scale * host.weight) / totalWeight;
    for (let replica = 0; current < target; replica++, current++) {
      entries.push({ point: hash64(`${host.hashKey}_${replica}`), host });
    }
  }
  return entries.sort((a, b) => (a.point < b.point ? -1 : a.point > b.point ? 1 : 0));
}
