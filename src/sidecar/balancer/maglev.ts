import type { BalancedHost, BalancerInputs, LoadBalancer } from './load-balancer.ts';

const HIGH_MASK = 0xffffffffn;

/**
 * Maglev table (NSDI 2016) with weights as Envoy does: hosts take turns at their own permutation of the slots, a host of
 * weight w taking w/maxWeight turns per round. `tableSize` is prime. Without a hash the pick is random.
 */
export class MaglevBalancer<H extends BalancedHost> implements LoadBalancer<H> {
  readonly #table: Uint32Array;
  readonly #hosts: readonly H[];
  readonly #inputs: BalancerInputs;

  constructor(hosts: readonly H[], inputs: BalancerInputs, tableSize: number) {
    this.#hosts = hosts;
    this.#inputs = inputs;
    this.#table = buildTable(hosts, inputs.hash64, tableSize);
  }

  pick(hash: bigint | undefined): H | undefined {
    if (this.#hosts.length === 0) return undefined;
    const size = this.#table.length;
    const slot = hash === undefined ? Math.floor(this.#inputs.random.next() * size) : Number(hash % BigInt(size));
    return this.#hosts[this.#table[slot] ?? 0];
  }
}

function buildTable(hosts: readonly BalancedHost[], hash64: (text: string) => bigint, size: number): Uint32Array {
  const table = new Uint32Array(size).fill(0xffffffff);
  if (hosts.length === 0) return table;
  const maxWeight = Math.max(...hosts.map((host) => host.weight));
  const entries = hosts.map((host, index) => {
    const hash = hash64(host.hashKey);
    return {
      index,
      position: Number((hash >> 32n) % BigInt(size)),
      skip: 1 + Number((hash & HIGH_MASK) % BigInt(size - 1)),
      weight: host.weight,
      turnsOwed: 0,
    };
  });
  for (let filled = 0; filled < size; ) {
    for (const entry of entries) {
      entry.turnsOwed += entry.weight / maxWeight;
      if (entry.turnsOwed < 1) continue;
      entry.turnsOwed -= 1;
      while (table[entry.position] !== 0xffffffff) entry.position = (entry.position + entry.skip) % size;
      table[entry.position] = entry.index;
      if (++filled === size) break;
    }
  }
  return table;
}
