import type { Random } from '../../base/random.ts';
import type { Cluster } from '../../resource/cluster.ts';
import { type BalancerInputs, createLoadBalancer, type LoadBalancer } from '../balancer/balancer.ts';
import type { Host } from './host.ts';
import { type PriorityHealth, priorityShares } from './priority-load.ts';

interface WeightedBalancer {
  /** Upper end of this balancer's stretch of [0, 100). */
  readonly upTo: number;
  readonly balancer: LoadBalancer<Host>;
}

interface PlanParts {
  readonly hosts: readonly Host[];
  readonly config: Cluster;
  readonly inputs: BalancerInputs;
  readonly localityWeights: ReadonlyMap<string, number>;
}

const NOTHING_AVOIDED: ReadonlySet<number> = new Set();
/** Retries leave priorities in order, so that few sets of them are ever met. */
const MAX_REDUCED_PLANS = 16;

/**
 * Which hosts take part and in what shares, worked out once per change of membership or health: priorities, then (where
 * configured) localities by weight, then one balancer for each group.
 */
export class PickPlan {
  readonly #balancers: readonly WeightedBalancer[];
  readonly #random: Random;
  readonly #parts: PlanParts;
  /** The same hosts without some priorities, for retries. */
  readonly #reduced = new Map<string, PickPlan>();
  /** By priority. */
  readonly health: readonly PriorityHealth[];

  constructor(
    hosts: readonly Host[],
    config: Cluster,
    inputs: BalancerInputs,
    localityWeights: ReadonlyMap<string, number>,
    avoided: ReadonlySet<number> = NOTHING_AVOIDED,
  ) {
    this.#random = inputs.random;
    this.#parts = { hosts, config, inputs, localityWeights };
    const levels = byPriority(hosts);
    this.health = levels.map((level) => ({
      eligible: level.filter((host) => host.isEligible()).length,
      total: level.length,
    }));
    const shares = priorityShares(
      this.health.map((level, priority) => (avoided.has(priority) ? { ...level, eligible: 0 } : level)),
      config.overprovisioningFactorPercent,
      config.healthyPanicThresholdPercent,
    );
    const balancers: WeightedBalancer[] = [];
    let upTo = 0;
    levels.forEach((level, priority) => {
      const share = shares[priority];
      if (share === undefined || share.percent === 0 || avoided.has(priority)) return;
      const candidates = share.panic
        ? level.filter((host) => host.endpoint.healthStatus !== 'draining')
        : level.filter((host) => host.isEligible());
      for (const group of config.localityWeighted
        ? byLocality(candidates, localityWeights)
        : [{ hosts: candidates, part: 1 }]) {
        upTo += share.percent * group.part;
        balancers.push({ upTo, balancer: createLoadBalancer(config.loadBalancing, group.hosts, inputs) });
      }
    });
    this.#balancers = balancers;
  }

  /** What is left when some priorities take nothing; made once for each such set. */
  without(avoided: ReadonlySet<number>): PickPlan {
    if (avoided.size === 0) return this;
    const key = [...avoided].sort((a, b) => a - b).join();
    const known = this.#reduced.get(key);
    if (known !== undefined) return known;
    const { hosts, config, inputs, localityWeights } = this.#parts;
    const plan = new PickPlan(hosts, config, inputs, localityWeights, avoided);
    if (this.#reduced.size >= MAX_REDUCED_PLANS) this.#reduced.clear();
    this.#reduced.set(key, plan);
    return plan;
  }

  pick(hash: bigint | undefined): Host | undefined {
    const { length } = this.#balancers;
    if (length <= 1) return this.#balancers[0]?.balancer.pick(hash);
    const total = this.#balancers[length - 1]?.upTo ?? 0;
    const point = this.#random.next() * total;
    for (const entry of this.#balancers) if (point < entry.upTo) return entry.balancer.pick(hash);
    return this.#balancers[length - 1]?.balancer.pick(hash);
  }
}

function byPriority(hosts: readonly Host[]): Host[][] {
  const levels: Host[][] = [];
  for (const host of hosts) {
    while (levels.length <= host.priority) levels.push([]);
    levels[host.priority]?.push(host);
  }
  return levels;
}

export function localityKey(host: Pick<Host, 'locality' | 'priority'>): string {
  const { region, zone, subZone } = host.locality;
  return JSON.stringify([host.priority, region, zone, subZone]);
}

function byLocality(hosts: readonly Host[], weights: ReadonlyMap<string, number>): { hosts: Host[]; part: number }[] {
  const groups = new Map<string, Host[]>();
  for (const host of hosts) {
    const key = localityKey(host);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [host]);
    else group.push(host);
  }
  const weighted = [...groups].map(([key, group]) => ({ hosts: group, weight: weights.get(key) ?? 0 }));
  const total = weighted.reduce((sum, group) => sum + group.weight, 0);
  if (total === 0) return [{ hosts: [...hosts], part: 1 }];
  return weighted.map((group) => ({ hosts: group.hosts, part: group.weight / total }));
}
