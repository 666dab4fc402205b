import type { Json } from '../snapshot/resource-literal.ts';
import { ADS_CONFIG_SOURCE, ringSizesJson } from './clusters.ts';
import type { LoadBalancer } from './config-entries.ts';
import type { Target } from './discovery-chain.ts';
import { failoverAssignment } from './names.ts';

/**
 * One target of a chain as a Cluster that gRPC clients take. They refuse any `lb_policy` but ROUND_ROBIN and RING_HASH;
 * clients that read `load_balancing_policy` find what was asked for there, with a policy behind it that all have.
 */
export function grpcClusterJson(name: string, { loadBalancer, failover }: Target): Json {
  return {
    name,
    type: 'EDS',
    edsClusterConfig: {
      edsConfig: ADS_CONFIG_SOURCE,
      ...(failover.length === 0 ? {} : { serviceName: failoverAssignment(name) }),
    },
    ...loadBalancingJson(loadBalancer),
  };
}

function loadBalancingJson(loadBalancer: LoadBalancer | undefined): Json {
  switch (loadBalancer?.policy) {
    case 'ring_hash':
      return { lbPolicy: 'RING_HASH', ringHashLbConfig: ringSizesJson(loadBalancer) };
    case 'maglev':
      // No gRPC client has it; a ring keeps its promise, the same host for the same hash.
      return { lbPolicy: 'RING_HASH' };
    case 'least_request':
      return { lbPolicy: 'ROUND_ROBIN', loadBalancingPolicy: { policies: leastRequestFirst(loadBalancer) } };
    default:
      return { lbPolicy: 'ROUND_ROBIN' };
  }
}

function leastRequestFirst({ choiceCount }: LoadBalancer): readonly Json[] {
  const roundRobin = policyJson('round_robin', 'round_robin.v3.RoundRobin', {});
  return [
    policyJson('least_request', 'least_request.v3.LeastRequest', choiceCount === undefined ? {} : { choiceCount }),
    policyJson('wrr_locality', 'wrr_locality.v3.WrrLocality', { endpointPickingPolicy: { policies: [roundRobin] } }),
  ];
}

function policyJson(name: string, type: string, fields: Json): Json {
  const typedConfig = { '@type': `type.googleapis.com/envoy.extensions.load_balancing_policies.${type}`, ...fields };
  return { typedExtensionConfig: { name: `envoy.load_balancing_policies.${name}`, typedConfig } };
}
