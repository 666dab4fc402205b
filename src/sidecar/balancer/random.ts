import type { Random } from '../../base/random.ts';
import type { BalancedHost, LoadBalancer } from './load-balancer.ts';
import { weightedCycle } from './weighted-cycle.ts';

/** A host at random, in proportion to weight. */
export class RandomBalancer<H extends BalancedHost> implements LoadBalancer<H> {
  readonly #hosts: readonly H[];
  readonly #cycle: Uint16Array | Uint32Array;
  readonly #random: Random;

  constructor(hosts: readonly H[], random: Random) {
    this.#hosts = hosts;
    this.#cycle = weightedCycle(hosts.map((host) => host.weight));
    this.#random = random;
  }

  pick(): H | undefined {
    if (this.#cycle.length === 0) return undefined;
    return this.#hosts[this.#cycle[Math.floor(this.#random.next() * this.#cycle.length)] ?? 0];
  }
}
