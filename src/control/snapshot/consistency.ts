import { CLUSTER_TYPE, LISTENER_TYPE, ROUTE_CONFIGURATION_TYPE } from '../../resource/type-url.ts';
import type { ResourceLiteral } from './resource-literal.ts';

/**
 * Checks that a proxy's resources refer to each other and to nothing else: what a listener or route names exists, and
 * what exists is named by something. Returns every fault; a set with one is never made visible.
 */
export function inconsistencies(
  resources: readonly ResourceLiteral[],
  assignments: ReadonlySet<string>,
): readonly string[] {
  const named = { clusters: new Set<string>(), routeConfigurations: new Set<string>(), assignments: new Set<string>() };
  const held = { clusters: new Set<string>(), routeConfigurations: new Set<string>() };
  for (const { typeUrl, name, json } of resources) {
    if (typeUrl === CLUSTER_TYPE) {
      held.clusters.add(name);
      const assignment = assignmentOf(name, json);
      if (assignment !== undefined) named.assignments.add(assignment);
    }
    if (typeUrl === ROUTE_CONFIGURATION_TYPE) held.routeConfigurations.add(name);
    if (typeUrl === LISTENER_TYPE || typeUrl === ROUTE_CONFIGURATION_TYPE) collectReferences(json, named);
  }
  return [
    ...differences('cluster', named.clusters, held.clusters),
    ...differences('route configuration', named.routeConfigurations, held.routeConfigurations),
    ...differences('assignment', named.assignments, assignments),
  ];
}

/** The name of the assignment an EDS cluster wants; undefined for other clusters. */
export function assignmentOf(cluster: string, json: ResourceLiteral['json']): string | undefined {
  if (json['type'] !== 'EDS') return undefined;
  const eds = json['edsClusterConfig'];
  const hasName =
    typeof eds === 'object' && eds !== null && 'serviceName' in eds && typeof eds.serviceName === 'string';
  return hasName ? String(eds.serviceName) : cluster;
}

interface References {
  readonly clusters: Set<string>;
  readonly routeConfigurations: Set<string>;
}

/** Walks a literal for the fields that name another resource. */
function collectReferences(value: unknown, named: References): void {
  if (Array.isArray(value)) {
    for (const item of value) collectReferences(item, named);
    return;
  }
  if (typeof value !== 'object' || value === null) return;
  for (const [key, inner] of Object.entries(value)) {
    if (key === 'cluster' && typeof inner === 'string') named.clusters.add(inner);
    else if (key === 'routeConfigName' && typeof inner === 'string') named.routeConfigurations.add(inner);
    else if (key === 'weightedClusters') collectWeighted(inner, named);
    else collectReferences(inner, named);
  }
}

function collectWeighted(value: unknown, named: References): void {
  if (typeof value !== 'object' || value === null || !('clusters' in value) || !Array.isArray(value.clusters)) return;
  for (const cluster of value.clusters as readonly { readonly name?: unknown }[]) {
    if (typeof cluster.name === 'string') named.clusters.add(cluster.name);
  }
}

function differences(what: string, named: ReadonlySet<string>, held: ReadonlySet<string>): readonly string[] {
  return [
    ...[...named.difference(held)].map((name) => `${what} "${name}" is named and not there`),
    ...[...held.difference(named)].map((name) => `${what} "${name}" is there and nothing names it`),
  ];
}
