/**
 * Load balancing policies: given eligible hosts, picks one. One file per policy. Knows weights, in-flight numbers and
 * hashes. Does not know health, priorities, sockets or time; chance, hashing and the shared cursor are arguments.
 */
import type { LoadBalancingPolicy } from '../../resource/cluster.ts';
import { LeastRequestBalancer } from './least-request.ts';
import type { BalancedHost, BalancerInputs, LoadBalancer } from './load-balancer.ts';
import { MaglevBalancer } from './maglev.ts';
import { RandomBalancer } from './random.ts';
import { RingHashBalancer } from './ring-hash.ts';
import { RoundRobinBalancer } from './round-robin.ts';

export type { BalancedHost, BalancerInputs, LoadBalancer } from './load-balancer.ts';

export function createLoadBalancer<H extends BalancedHost>(
  policy: LoadBalancingPolicy,
  hosts: readonly H[],
  inputs: BalancerInputs,
): LoadBalancer<H> {
  switch (policy.kind) {
    case 'roundRobin':
      return new RoundRobinBalancer(hosts, inputs.nextInCycle);
    case 'leastRequest':
      return new LeastRequestBalancer(hosts, inputs.random, policy);
    case 'random':
      return new RandomBalancer(hosts, inputs.random);
    case 'ringHash':
      return new RingHashBalancer(hosts, inputs, policy);
    case 'maglev':
      return new MaglevBalancer(hosts, inputs, policy.tableSize);
  }
}
