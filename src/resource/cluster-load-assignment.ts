import type { Address, Locality } from './address.ts';
import type { FilterMetadata } from './route-configuration.ts';

/** envoy.config.endpoint.v3.ClusterLoadAssignment, validated: no gap in priorities, no locality twice in one priority. */
export interface ClusterLoadAssignment {
  readonly clusterName: string;
  readonly localities: readonly LocalityEndpoints[];
  readonly overprovisioningFactorPercent: number;
  readonly dropOverloads: readonly { readonly category: string; readonly fraction: number }[];
}

export interface LocalityEndpoints {
  readonly locality: Locality;
  readonly priority: number;
  readonly loadBalancingWeight: number;
  readonly endpoints: readonly Endpoint[];
}

export interface Endpoint {
  readonly address: Address;
  readonly hostname: string;
  readonly healthStatus: 'healthy' | 'unhealthy' | 'draining' | 'timeout' | 'degraded';
  readonly loadBalancingWeight: number;
  readonly metadata: FilterMetadata;
}
