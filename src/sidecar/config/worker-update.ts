import type { Listener } from '../../resource/listener.ts';
import type { RouteConfiguration } from '../../resource/route-configuration.ts';
import type { Secret } from '../../resource/secret.ts';
import type { SlottedAssignment } from '../cluster/cluster-set.ts';
import type { SlottedCluster } from '../cluster/runtime-cluster.ts';

/** What changed between two activations, as plain cloneable data for a worker. Applied whole, in the order of the fields. */
export interface WorkerUpdate {
  readonly version: number;
  readonly secrets: readonly Secret[];
  readonly files: readonly { readonly path: string; readonly text: string }[];
  readonly clusters: readonly SlottedCluster[];
  readonly assignments: readonly SlottedAssignment[];
  readonly routeConfigurations: readonly RouteConfiguration[];
  readonly listeners: readonly Listener[];
  readonly removedListeners: readonly string[];
  readonly removedRouteConfigurations: readonly string[];
  readonly removedClusters: readonly string[];
  readonly removedSecrets: readonly string[];
  readonly removedFiles: readonly string[];
}
