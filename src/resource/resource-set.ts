import type { Cluster } from './cluster.ts';
import type { ClusterLoadAssignment } from './cluster-load-assignment.ts';
import type { Listener } from './listener.ts';
import type { RouteConfiguration } from './route-configuration.ts';

/** All resources a sidecar holds, decoded, by name (a ClusterLoadAssignment by its cluster_name). Cloneable to a worker as it is. */
export interface ResourceSet {
  readonly listeners: ReadonlyMap<string, Listener>;
  readonly routeConfigurations: ReadonlyMap<string, RouteConfiguration>;
  readonly clusters: ReadonlyMap<string, Cluster>;
  readonly assignments: ReadonlyMap<string, ClusterLoadAssignment>;
}
