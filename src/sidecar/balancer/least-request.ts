import type { Random } from '../../base/random.ts';
import type { LoadBalancingPolicy } from '../../resource/cluster.ts';
import type { BalancedHost, LoadBalancer } from './load-balancer.ts';

type LeastRequestPolicy = Extract<LoadBalancingPolicy, { kind: 'leastRequest' }>;

/** Up to this many hosts of unequal weight are all compared; beyond it candidates are drawn. */
const MAX_SCANNED_HOSTS = 32;

/**
 * The host with the fewest requests in flight among `choiceCount` drawn at random (Envoy's N_CHOICES), or among all
 * (FULL_SCAN). Unequal weights compare (inFlight + 1)^activeRequestBias / weight, so that load settles in proportion to
 * weight. Ties go to a random one: two idle hosts share evenly.
 */
export class LeastRequestBalancer<H extends BalancedHost> implements LoadBalancer<H> {
  readonly #hosts: readonly H[];
  readonly #random: Random;
  readonly #choiceCount: number;
  readonly #bias: number;
  readonly #equalWeights: boolean;
  readonly #scansAll: boolean;

  constructor(hosts: readonly H[], random: Random, policy: LeastRequestPolicy) {
    this.#hosts = hosts;
    this.#random = random;
    this.#choiceCount = policy.choiceCount;
    this.#bias = policy.activeRequestBias;
    this.#equalWeights = hosts.every((host) => host.weight === hosts[0]?.weight);
    this.#scansAll = policy.selection === 'fullScan' || (!this.#equalWeights && hosts.length <= MAX_SCANNED_HOSTS);
  }

  pick(): H | undefined {
    const count = this.#hosts.length;
    if (count <= 1) return this.#hosts[0];
    return this.#scansAll ? this.#scan(count) : this.#choose(count);
  }

  #choose(count: number): H | undefined {
    let best = this.#draw(count);
    if (best === undefined) return undefined;
    let bestCost = this.#cost(best);
    for (let choice = 1; choice < this.#choiceCount; choice++) {
      const candidate = this.#draw(count);
      if (candidate === undefined || candidate === best) continue;
      const cost = this.#cost(candidate);
      if (cost < bestCost) {
        best = candidate;
        bestCost = cost;
      }
    }
    return best;
  }

  #scan(count: number): H | undefined {
    const start = Math.floor(this.#random.next() * count);
    let best: H | undefined;
    let bestCost = Number.POSITIVE_INFINITY;
    for (let offset = 0; offset < count; offset++) {
      const candidate = this.#hosts[(start + offset) % count];
      if (candidate === undefined) continue;
      const cost = this.#cost(candidate);
      if (cost < bestCost) {
        best = candidate;
        bestCost = cost;
      }
    }
    return best;
  }

  #draw(count: number): H | undefined {
    return this.#hosts[Math.floor(this.#random.next() * count)];
  }

  #cost(host: H): number {
    const inFlight = host.inFlight();
    if (this.#equalWeights) return inFlight;
    return (this.#bias === 1 ? inFlight + 1 : (inFlight + 1) ** this.#bias) / host.weight;
  }
}
