import type { Cluster } from '../../resource/cluster.ts';
import type { ClusterLoadAssignment } from '../../resource/cluster-load-assignment.ts';
import type { Listener } from '../../resource/listener.ts';
import type { RouteConfiguration } from '../../resource/route-configuration.ts';
import type { Secret } from '../../resource/secret.ts';
import type { CommonTlsContext } from '../../resource/transport-socket.ts';
import { keyFilesOf } from './key-files.ts';
import { chainsOf, clustersOf, rdsNamesOf } from './references.ts';
import type { ResourceStore } from './resource-store.ts';
import { filePaths, secretNames, tlsContextsOfCluster, tlsContextsOfListener } from './tls-references.ts';

/** What runs: warm resources only, with what is still awaited and since when. Immutable. */
export interface Activation {
  readonly listeners: ReadonlyMap<string, Listener>;
  readonly routeConfigurations: ReadonlyMap<string, RouteConfiguration>;
  readonly clusters: ReadonlyMap<string, Cluster>;
  /** By cluster name (not service name); absent for a cluster that has no endpoints yet. */
  readonly assignments: ReadonlyMap<string, ClusterLoadAssignment>;
  /** Those that what runs asks for. */
  readonly secrets: ReadonlyMap<string, Secret>;
  /** Contents of files that what runs reads, by path. */
  readonly files: ReadonlyMap<string, string>;
  /** `cluster/<name>` or `listener/<name>` → when the wait began, monotonic milliseconds. */
  readonly warmingSince: ReadonlyMap<string, number>;
  /** The same keys → when the wait ends, Infinity where it does not end by itself. */
  readonly warmingUntil: ReadonlyMap<string, number>;
}

export const NOTHING_ACTIVE: Activation = {
  listeners: new Map(),
  routeConfigurations: new Map(),
  clusters: new Map(),
  assignments: new Map(),
  secrets: new Map(),
  files: new Map(),
  warmingSince: new Map(),
  warmingUntil: new Map(),
};

/**
 * Works out what may run now. A cluster is warm once its endpoints are known; a listener once its routes are, and the
 * clusters they name that exist, and the key files of its JWT providers; both once the secrets and files of their TLS
 * contexts are there. What ran before keeps running in its old version until the new one is warm. After
 * `initialFetchTimeoutMs` (Envoy's 15 s), or what its own source says, a resource goes ahead without what it waits for;
 * so warming ends, unless a source says 0.
 */
export function activate(
  store: ResourceStore,
  previous: Activation,
  nowMs: number,
  initialFetchTimeoutMs: number,
): Activation {
  const warmingSince = new Map<string, number>();
  const warmingUntil = new Map<string, number>();
  const isWarm = (key: string, complete: boolean, ownTimeoutMs: number | undefined): boolean => {
    if (complete) return true;
    const since = previous.warmingSince.get(key) ?? nowMs;
    warmingSince.set(key, since);
    const timeoutMs = ownTimeoutMs ?? initialFetchTimeoutMs;
    const until = timeoutMs === 0 ? Number.POSITIVE_INFINITY : since + timeoutMs;
    warmingUntil.set(key, until);
    return nowMs >= until;
  };

  const clusters = new Map<string, Cluster>();
  for (const [name, cluster] of store.clusters) {
    const isComplete = clusterIsComplete(cluster, store) && tlsIsComplete(tlsContextsOfCluster(cluster), store);
    const { discovery } = cluster;
    const ownTimeoutMs = discovery.kind === 'eds' ? discovery.initialFetchTimeoutMs : undefined;
    const warm = isWarm(`cluster/${name}`, isComplete, ownTimeoutMs);
    const chosen = warm ? cluster : previous.clusters.get(name);
    if (chosen !== undefined) clusters.set(name, chosen);
  }

  const listeners = new Map<string, Listener>();
  for (const [name, listener] of store.listeners) {
    const warm = isWarm(
      `listener/${name}`,
      listenerIsComplete(listener, store, clusters, previous.listeners.has(name)) &&
        tlsIsComplete(tlsContextsOfListener(listener), store) &&
        [...keyFilesOf(listener)].every((path) => store.files.has(path)),
      routesTimeoutMs(listener),
    );
    const chosen = warm ? listener : previous.listeners.get(name);
    if (chosen !== undefined) listeners.set(name, chosen);
  }

  return {
    listeners,
    clusters,
    assignments: assignmentsOf(clusters, store, previous),
    routeConfigurations: routeConfigurationsOf(listeners, store, previous),
    ...materialOf(listeners, clusters, store, previous),
    warmingSince,
    warmingUntil,
  };
}

function tlsIsComplete(contexts: readonly CommonTlsContext[], store: ResourceStore): boolean {
  if (contexts.length === 0) return true;
  for (const name of secretNames(contexts)) if (!store.secrets.has(name)) return false;
  for (const path of filePaths(contexts, store.secrets)) if (!store.files.has(path)) return false;
  return true;
}

/** A secret that is taken away stays in force for what still runs with it. */
function materialOf(
  listeners: ReadonlyMap<string, Listener>,
  clusters: ReadonlyMap<string, Cluster>,
  store: ResourceStore,
  previous: Activation,
): Pick<Activation, 'secrets' | 'files'> {
  const contexts = [
    ...[...listeners.values()].flatMap(tlsContextsOfListener),
    ...[...clusters.values()].flatMap(tlsContextsOfCluster),
  ];
  const secrets = chosenFrom(secretNames(contexts), store.secrets, previous.secrets);
  const paths = filePaths(contexts, secrets);
  for (const listener of listeners.values()) for (const path of keyFilesOf(listener)) paths.add(path);
  return { secrets, files: chosenFrom(paths, store.files, previous.files) };
}

function chosenFrom<T>(
  names: ReadonlySet<string>,
  newest: ReadonlyMap<string, T>,
  before: ReadonlyMap<string, T>,
): Map<string, T> {
  const chosen = new Map<string, T>();
  for (const name of names) {
    const value = newest.get(name) ?? before.get(name);
    if (value !== undefined) chosen.set(name, value);
  }
  return chosen;
}

/** Milliseconds until a wait runs out, or undefined where nothing is awaited that ends by itself. */
export function nextDeadlineMs(activation: Activation, nowMs: number): number | undefined {
  let next: number | undefined;
  for (const until of activation.warmingUntil.values()) {
    const remaining = until - nowMs;
    if (remaining > 0 && Number.isFinite(remaining) && (next === undefined || remaining < next)) next = remaining;
  }
  return next;
}

/** The longest that one of a listener's route configurations is waited for; 0 is without end. */
function routesTimeoutMs(listener: Listener): number | undefined {
  const timeouts = chainsOf(listener).flatMap(({ filters }) =>
    filters.flatMap((filter) => {
      if (filter.kind !== 'httpConnectionManager' || filter.config.routes.kind !== 'rds') return [];
      return filter.config.routes.initialFetchTimeoutMs ?? [];
    }),
  );
  if (timeouts.length === 0) return undefined;
  return timeouts.includes(0) ? 0 : Math.max(...timeouts);
}

/**
 * An aggregate waits for those of its clusters that exist, through aggregates among them. Each is looked at once, however many name it:
 * aggregates may name each other, and themselves.
 */
function clusterIsComplete(cluster: Cluster, store: ResourceStore): boolean {
  const reached = new Set([cluster.name]);
  // The set grows while it is walked.
  for (const name of reached) {
    const one = store.clusters.get(name);
    if (one === undefined || one.discovery.kind === 'originalDst') continue;
    if (one.discovery.kind === 'aggregate') for (const child of one.discovery.clusters) reached.add(child);
    else if (assignmentOf(one, store) === undefined) return false;
  }
  return true;
}

function listenerIsComplete(
  listener: Listener,
  store: ResourceStore,
  warmClusters: ReadonlyMap<string, Cluster>,
  ranBefore: boolean,
): boolean {
  if (!rdsNamesOf(listener).every((name) => store.routeConfigurations.has(name))) return false;
  if (ranBefore) return true;
  for (const name of clustersOf(listener, store.routeConfigurations)) {
    if (store.clusters.has(name) && !warmClusters.has(name)) return false;
  }
  return true;
}

function assignmentOf(cluster: Cluster, store: ResourceStore): ClusterLoadAssignment | undefined {
  switch (cluster.discovery.kind) {
    case 'eds':
      return store.assignments.get(cluster.discovery.serviceName);
    case 'strictDns':
    case 'logicalDns':
      return store.resolvedAssignments.get(cluster.name);
    case 'static':
      return cluster.discovery.assignment;
    case 'originalDst':
    case 'aggregate':
      return undefined;
  }
}

function assignmentsOf(
  clusters: ReadonlyMap<string, Cluster>,
  store: ResourceStore,
  previous: Activation,
): Map<string, ClusterLoadAssignment> {
  const assignments = new Map<string, ClusterLoadAssignment>();
  for (const [name, cluster] of clusters) {
    const assignment = assignmentOf(cluster, store) ?? previous.assignments.get(name);
    if (assignment !== undefined) assignments.set(name, assignment);
  }
  return assignments;
}

function routeConfigurationsOf(
  listeners: ReadonlyMap<string, Listener>,
  store: ResourceStore,
  previous: Activation,
): Map<string, RouteConfiguration> {
  const configurations = new Map<string, RouteConfiguration>();
  for (const listener of listeners.values()) {
    for (const name of rdsNamesOf(listener)) {
      const configuration = store.routeConfigurations.get(name) ?? previous.routeConfigurations.get(name);
      if (configuration !== undefined) configurations.set(name, configuration);
    }
  }
  return configurations;
}
