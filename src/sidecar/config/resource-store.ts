import type { Cluster } from '../../resource/cluster.ts';
import type { ClusterLoadAssignment } from '../../resource/cluster-load-assignment.ts';
import type { Listener } from '../../resource/listener.ts';
import type { ResourceSet } from '../../resource/resource-set.ts';
import type { RouteConfiguration } from '../../resource/route-configuration.ts';
import type { Secret } from '../../resource/secret.ts';

/** One accepted response: what it brought and what it took away, of one type. */
export type ResourceChange =
  | { readonly kind: 'listeners'; readonly changed: readonly Listener[]; readonly removed: readonly string[] }
  | {
      readonly kind: 'routeConfigurations';
      readonly changed: readonly RouteConfiguration[];
      readonly removed: readonly string[];
    }
  | { readonly kind: 'clusters'; readonly changed: readonly Cluster[]; readonly removed: readonly string[] }
  | {
      readonly kind: 'assignments';
      readonly changed: readonly ClusterLoadAssignment[];
      readonly removed: readonly string[];
    }
  | { readonly kind: 'secrets'; readonly changed: readonly Secret[]; readonly removed: readonly string[] }
  /** Contents of files that TLS contexts and JWT providers name, by path. */
  | { readonly kind: 'files'; readonly changed: ReadonlyMap<string, string>; readonly removed: readonly string[] }
  /** Endpoints of a DNS cluster with names resolved to addresses; `clusterName` is the cluster's own name. */
  | {
      readonly kind: 'resolvedAssignments';
      readonly changed: readonly ClusterLoadAssignment[];
      readonly removed: readonly string[];
    };

/** The latest accepted version of every resource. Faulty ones never get here, so what is here is the last good state. */
export class ResourceStore implements ResourceSet {
  readonly listeners = new Map<string, Listener>();
  readonly routeConfigurations = new Map<string, RouteConfiguration>();
  readonly clusters = new Map<string, Cluster>();
  /** By `cluster_name`, which for an EDS cluster is its service name. */
  readonly assignments = new Map<string, ClusterLoadAssignment>();
  readonly secrets = new Map<string, Secret>();
  readonly files = new Map<string, string>();
  /** By cluster name: what DNS clusters resolved to last. */
  readonly resolvedAssignments = new Map<string, ClusterLoadAssignment>();

  apply(change: ResourceChange): void {
    switch (change.kind) {
      case 'listeners':
        applyTo(this.listeners, change.changed, change.removed, (listener) => listener.name);
        return;
      case 'routeConfigurations':
        applyTo(this.routeConfigurations, change.changed, change.removed, (configuration) => configuration.name);
        return;
      case 'clusters':
        applyTo(this.clusters, change.changed, change.removed, (cluster) => cluster.name);
        return;
      case 'assignments':
        applyTo(this.assignments, change.changed, change.removed, (assignment) => assignment.clusterName);
        return;
      case 'secrets':
        applyTo(this.secrets, change.changed, change.removed, (secret) => secret.name);
        return;
      case 'files':
        for (const path of change.removed) this.files.delete(path);
        for (const [path, text] of change.changed) this.files.set(path, text);
        return;
      case 'resolvedAssignments':
        applyTo(this.resolvedAssignments, change.changed, change.removed, (assignment) => assignment.clusterName);
        return;
    }
  }
}

function applyTo<R>(
  store: Map<string, R>,
  changed: readonly R[],
  removed: readonly string[],
  nameOf: (resource: R) => string,
): void {
  for (const name of removed) store.delete(name);
  for (const resource of changed) store.set(nameOf(resource), resource);
}
