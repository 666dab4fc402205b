import type { Address, Locality } from './address.ts';
import type { FilterMetadata } from './route-configuration.ts';

/** envoy.config.endpoint.v3.ClusterLoadAssignment, validated: no gap in priorities, no locality twice in one priority. */
export interface ClusterLoadAssignment {
  readonly clusterName: string;
  readonly localities: readonly LocalityEndpoints[];
  readonly overprovisioningFactorPercent: number;
  /** `endpoint_stale_after`: the endpoints leave when the server has not repeated them for so long. */
  readonly staleAfterMs?: number;
  readonly dropOverloads: readonly { readonly category: string; readonly fraction: number }[];
}

export interface LocalityEndpoints {
  readonly locality: Locality;
  readonly priority: number;
  readonly loadBalancingWeight: number;
  readonly endpoints: readonly Endpoint[];
}

/** envoy.config.endpoint.v3.Endpoint.HealthCheckConfig. */
export type EndpointHealthCheck =
  | { readonly kind: 'unchecked' }
  /** Empty `hostname`: the cluster's. */
  | { readonly kind: 'elsewhere'; readonly address: Address; readonly hostname: string };

export interface Endpoint {
  readonly address: Address;
  /** Dialled where the ones before cannot be reached, or not soon. */
  readonly additionalAddresses?: readonly Address[];
  readonly hostname: string;
  /** How active checks treat it where that differs from the cluster's way. */
  readonly healthCheck?: EndpointHealthCheck;
  readonly healthStatus: 'healthy' | 'unhealthy' | 'draining' | 'timeout' | 'degraded';
  readonly loadBalancingWeight: number;
  readonly metadata: FilterMetadata;
}
