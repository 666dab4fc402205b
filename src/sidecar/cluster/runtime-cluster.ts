import type { Clock } from '../../base/clock.ts';
import type { Random } from '../../base/random.ts';
import { addressText } from '../../resource/address.ts';
import type { Cluster } from '../../resource/cluster.ts';
import type { ClusterLoadAssignment } from '../../resource/cluster-load-assignment.ts';
import type { BalancerInputs } from '../balancer/balancer.ts';
import { CircuitBreakers } from './circuit-breakers.ts';
import { DestinationHosts } from './destination-hosts.ts';
import { Host } from './host.ts';
import { localityKey, PickPlan } from './pick-plan.ts';
import { type PreviousPriorities, prioritiesToAvoid } from './previous-priorities.ts';
import type { PriorityHealth } from './priority-load.ts';
import { CLUSTER_FIELD, type SharedCounters } from './shared-counters.ts';
import { applySlowStart } from './slow-start.ts';

/** What clusters need of their worker. */
export interface ClusterInputs {
  readonly clock: Clock;
  readonly random: Random;
  readonly hash64: (text: string) => bigint;
}

/** A cluster with the slot the main thread gave it. */
export interface SlottedCluster {
  readonly cluster: Cluster;
  readonly slot: number;
  /** ORIGINAL_DST only: where its hosts count together. */
  readonly hostSlot?: number;
}

/** What is asked of a pick. */
export interface PickContext {
  /** Hash of the request for consistent policies. */
  readonly hash: bigint | undefined;
  /** Hosts tried before (previous_hosts); avoided while another is to be had. */
  readonly excluded: readonly Host[];
  /** How many picks may be thrown away for being excluded (`host_selection_retry_max_attempts`). */
  readonly maxAttempts: number;
  /** The host that is wanted, by address, and whether nobody else will do. */
  readonly override: { readonly address: string; readonly isStrict: boolean } | undefined;
  /** Set where a retry is to leave the priorities of earlier tries. */
  readonly previousPriorities: PreviousPriorities | undefined;
}

/** A pick with nothing to avoid; shared so that the ordinary request allocates none. */
export const PLAIN_PICK: PickContext = {
  hash: undefined,
  excluded: [],
  maxAttempts: 1,
  override: undefined,
  previousPriorities: undefined,
};

/** A cluster of this worker: its hosts, the plan to pick among them, and its breakers. */
export class RuntimeCluster {
  readonly name: string;
  readonly slot: number;
  readonly breakers: CircuitBreakers;
  /** Set for clusters of type ORIGINAL_DST: all their hosts. */
  readonly destinations: DestinationHosts | undefined;
  #config: Cluster;
  #hosts = new Map<string, Host>();
  #localityWeights = new Map<string, number>();
  #plan: PickPlan;
  #planGeneration = 0;
  /** Shares of requests that its control plane wants refused (`drop_overloads`); empty for nearly every cluster. */
  #dropShares: readonly number[] = [];
  /** When the weights of ramping hosts are to be worked out again; undefined while none ramps. */
  #rampsUntilMs: number | undefined;
  readonly #inputs: BalancerInputs & { readonly clock: Clock };
  readonly #counters: SharedCounters;
  readonly #generationCell: number;

  constructor({ cluster: config, slot, hostSlot }: SlottedCluster, counters: SharedCounters, inputs: ClusterInputs) {
    this.name = config.name;
    this.destinations = hostSlot === undefined ? undefined : new DestinationHosts(config.name, hostSlot, counters);
    this.slot = slot;
    this.#config = config;
    this.#counters = counters;
    this.breakers = new CircuitBreakers(counters, slot, config.circuitBreakers);
    const cursorCell = counters.clusterCell(slot, CLUSTER_FIELD.cursor);
    this.#generationCell = counters.clusterCell(slot, CLUSTER_FIELD.healthGeneration);
    this.#inputs = { ...inputs, nextInCycle: () => counters.advance(cursorCell) & 0x7fffffff };
    this.#plan = this.#makePlan();
  }

  get config(): Cluster {
    return this.#config;
  }

  get hosts(): readonly Host[] {
    return [...this.#hosts.values(), ...(this.destinations?.values() ?? [])];
  }

  /** How many hosts of each priority may take traffic; the same object while nothing of it changed. */
  get health(): readonly PriorityHealth[] {
    if (this.#counters.get(this.#generationCell) !== this.#planGeneration) this.#plan = this.#makePlan();
    return this.#plan.health;
  }

  /** undefined where no host may take traffic (Envoy's `no healthy upstream`). */
  pick(context: PickContext): Host | undefined {
    if (this.#counters.get(this.#generationCell) !== this.#planGeneration || this.#isRamping())
      this.#plan = this.#makePlan();
    if (context.override !== undefined) {
      const wanted = this.#hosts.get(context.override.address);
      if (wanted?.isEligible() === true && !context.excluded.includes(wanted)) return wanted;
      if (context.override.isStrict) return undefined;
    }
    const plan = this.#planFor(context.previousPriorities);
    const host = plan.pick(context.hash);
    if (host === undefined || context.excluded.length === 0 || !context.excluded.includes(host)) return host;
    return this.#pickAnother(plan, host, context);
  }

  /** Whether this request is one of those to be refused so that the cluster has less to do. */
  dropsRequest(random: Random): boolean {
    for (const share of this.#dropShares) if (random.next() < share) return true;
    return false;
  }

  configure(config: Cluster): void {
    this.#config = config;
    this.breakers.configure(config.circuitBreakers);
    this.#plan = this.#makePlan();
  }

  /** Takes the new membership; returns the hosts that are gone. `slots` holds one slot per endpoint, by address text. */
  assign(assignment: ClusterLoadAssignment, slots: ReadonlyMap<string, number>): readonly Host[] {
    const hosts = new Map<string, Host>();
    this.#dropShares = assignment.dropOverloads.map(({ fraction }) => fraction).filter((share) => share > 0);
    this.#localityWeights = new Map();
    for (const group of assignment.localities) {
      this.#localityWeights.set(localityKey(group), group.loadBalancingWeight);
      for (const endpoint of group.endpoints) {
        const key = addressText(endpoint.address);
        const slot = slots.get(key);
        if (slot === undefined) continue;
        hosts.set(key, this.#adopt(key, endpoint, group, slot));
      }
    }
    const gone = [...this.#hosts.values()].filter((host) => hosts.get(host.addressText) !== host);
    this.#hosts = hosts;
    this.#plan = this.#makePlan();
    return gone;
  }

  #adopt(key: string, endpoint: Host['endpoint'], group: Pick<Host, 'locality' | 'priority'>, slot: number): Host {
    const known = this.#hosts.get(key);
    if (known === undefined || known.slot !== slot) {
      return new Host(this.name, endpoint, group.locality, group.priority, slot, this.#counters);
    }
    if (endpoint.healthStatus === 'healthy' && known.endpoint.healthStatus === 'unhealthy') known.endEjection();
    known.endpoint = endpoint;
    known.locality = group.locality;
    known.priority = group.priority;
    return known;
  }

  #planFor(previous: PreviousPriorities | undefined): PickPlan {
    return previous === undefined ? this.#plan : this.#plan.without(prioritiesToAvoid(previous, this.#plan.health));
  }

  /** Envoy gives up after maxAttempts and takes the excluded host; we look over the rest first. */
  #pickAnother(plan: PickPlan, first: Host, context: PickContext): Host {
    for (let attempt = 1; attempt < context.maxAttempts; attempt++) {
      const host = plan.pick(context.hash);
      if (host !== undefined && !context.excluded.includes(host)) return host;
    }
    const others = [...this.#hosts.values()].filter((host) => host.isEligible() && !context.excluded.includes(host));
    return others[Math.floor(this.#inputs.random.next() * others.length)] ?? first;
  }

  /** True where a host is still on its way to full weight and the last step is over. */
  #isRamping(): boolean {
    return this.#rampsUntilMs !== undefined && this.#inputs.clock.nowMs() >= this.#rampsUntilMs;
  }

  #makePlan(): PickPlan {
    this.#planGeneration = this.#counters.get(this.#generationCell);
    const { loadBalancing } = this.#config;
    const slowStart = 'slowStart' in loadBalancing ? loadBalancing.slowStart : undefined;
    this.#rampsUntilMs = applySlowStart([...this.#hosts.values()], slowStart, this.#inputs.clock.nowMs());
    return new PickPlan([...this.#hosts.values()], this.#config, this.#inputs, this.#localityWeights);
  }
}
