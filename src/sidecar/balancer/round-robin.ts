import type { BalancedHost, LoadBalancer } from './load-balancer.ts';
import { weightedCycle } from './weighted-cycle.ts';

/** Weighted round robin over one rotation whose position all workers share, so that N workers give the order one would. */
export class RoundRobinBalancer<H extends BalancedHost> implements LoadBalancer<H> {
  readonly #hosts: readonly H[];
  readonly #cycle: Uint16Array | Uint32Array;
  readonly #nextInCycle: () => number;

  constructor(hosts: readonly H[], nextInCycle: () => number) {
    this.#hosts = hosts;
    this.#cycle = weightedCycle(hosts.map((host) => host.weight));
    this.#nextInCycle = nextInCycle;
  }

  pick(): H | undefined {
    if (this.#cycle.length === 0) return undefined;
    return this.#hosts[this.#cycle[this.#nextInCycle() % this.#cycle.length] ?? 0];
  }
}
