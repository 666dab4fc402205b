import type { Random } from '../../base/random.ts';
import type { Cluster } from '../../resource/cluster.ts';
import { type PriorityHealth, priorityShares } from './priority-load.ts';
import type { RuntimeCluster } from './runtime-cluster.ts';

/** An aggregate may name aggregates, so deep. */
const MAX_NESTED_AGGREGATES = 8;

/** A cluster of an aggregate with the upper end of its stretch of [0, 100). */
interface Stretch {
  readonly upTo: number;
  readonly cluster: RuntimeCluster;
}

/**
 * Which cluster of an aggregate takes a request. The priority levels of its clusters, one cluster after the other, are
 * one list of levels, and the rule that spreads load over the levels of a cluster spreads it over these
 * (envoy docs: arch_overview/upstream/aggregate_cluster). The chosen cluster then picks a host by its own policy and
 * counts against its own limits.
 */
export class AggregateChoice {
  readonly #random: Random;
  readonly #find: (name: string) => RuntimeCluster | undefined;
  #config: Cluster | undefined;
  /** What the stretches were worked out from, cluster by cluster, in order. */
  #leaves: readonly RuntimeCluster[] = [];
  #healths: readonly (readonly PriorityHealth[])[] = [];
  #stretches: readonly Stretch[] = [];

  constructor(random: Random, find: (name: string) => RuntimeCluster | undefined) {
    this.#random = random;
    this.#find = find;
  }

  /** undefined where none of its clusters exists. Where no host of any is well, the first answers for them. */
  choose(config: Cluster): RuntimeCluster | undefined {
    this.#refresh(config);
    const total = this.#stretches.at(-1)?.upTo ?? 0;
    if (total === 0) return this.#leaves[0];
    const point = this.#random.next() * total;
    for (const stretch of this.#stretches) if (point < stretch.upTo) return stretch.cluster;
    return this.#stretches.at(-1)?.cluster;
  }

  #refresh(config: Cluster): void {
    const leaves: RuntimeCluster[] = [];
    this.#collect(config, leaves, []);
    const healths = leaves.map((cluster) => cluster.health);
    if (this.#config === config && sameItems(leaves, this.#leaves) && sameItems(healths, this.#healths)) return;
    this.#config = config;
    this.#leaves = leaves;
    this.#healths = healths;
    const shares = priorityShares(
      healths.flat(),
      config.overprovisioningFactorPercent,
      config.healthyPanicThresholdPercent,
    );
    let level = 0;
    let upTo = 0;
    this.#stretches = leaves.map((cluster, index) => {
      const levels = healths[index]?.length ?? 0;
      for (const share of shares.slice(level, level + levels)) upTo += share.percent;
      level += levels;
      return { upTo, cluster };
    });
  }

  /** Looks at each aggregate once: those that name each other would be looked at more often than there is time for. */
  #collect(config: Cluster, leaves: RuntimeCluster[], looked: Cluster[], depth = 0): void {
    if (config.discovery.kind !== 'aggregate' || depth >= MAX_NESTED_AGGREGATES || looked.includes(config)) return;
    looked.push(config);
    for (const name of config.discovery.clusters) {
      const cluster = this.#find(name);
      if (cluster === undefined) continue;
      if (cluster.config.discovery.kind === 'aggregate') this.#collect(cluster.config, leaves, looked, depth + 1);
      // A cluster that is reached twice counts where it stands first.
      else if (!leaves.includes(cluster)) leaves.push(cluster);
    }
  }
}

function sameItems<T>(left: readonly T[], right: readonly T[]): boolean {
  return left.length === right.length && left.every((item, index) => item === right[index]);
}
