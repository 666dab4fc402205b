import type {
  AdminViews,
  ClusterStatus,
  ConfigDump,
  DumpedResource,
  HostCounts,
  HostStatus,
  ListenerStatus,
  ServerState,
} from '../../admin/admin.ts';
import { systemClock } from '../../base/clock.ts';
import { type Address, addressText } from '../../resource/address.ts';
import type { Bootstrap } from '../../resource/bootstrap.ts';
import type { Cluster } from '../../resource/cluster.ts';
import type { Endpoint, LocalityEndpoints } from '../../resource/cluster-load-assignment.ts';
import { protoJson } from '../../resource/proto-json.ts';
import { nameOfTypeUrl } from '../../resource/protos.ts';
import {
  CLUSTER_LOAD_ASSIGNMENT_TYPE,
  CLUSTER_TYPE,
  LISTENER_TYPE,
  ROUTE_CONFIGURATION_TYPE,
  SECRET_TYPE,
} from '../../resource/type-url.ts';
import { isLogLevel, type Logs } from '../../telemetry/log/log.ts';
import type { MergedMetrics } from '../../telemetry/metrics/metrics.ts';
import type { XdsClient } from '../../xds/client/client.ts';
import { HEALTH_FLAG, HOST_FIELD } from '../cluster/shared-counters.ts';
import { keyFilesOf } from '../config/key-files.ts';
import { filePaths, tlsContextsOfListener } from '../config/tls-references.ts';
import { certificateStatuses } from './certificate-views.ts';
import type { DataPlane } from './data-plane.ts';
import type { MainMetrics } from './main-metrics.ts';
import type { AnyResource } from './resource-changes.ts';

export interface AdminViewSources {
  readonly bootstrap: Bootstrap;
  readonly dataPlane: DataPlane;
  readonly client: XdsClient<AnyResource> | undefined;
  readonly metrics: MainMetrics;
  readonly logs: Logs;
  readonly version: string;
  /** Where the program is in its life. */
  state(): ServerState;
}

const startedAtMs = systemClock.nowMs();

/** What the admin port shows of a sidecar, read anew at each call. */
export function adminViews(options: AdminViewSources): AdminViews {
  const { bootstrap, dataPlane, client, logs } = options;
  return {
    serverState: () => options.state(),
    serverInfo: () => ({
      version: options.version,
      uptimeMs: systemClock.nowMs() - startedAtMs,
      node: bootstrap.node,
      commandLineOptions: { concurrency: bootstrap.concurrency, drain_time: `${bootstrap.drainTimeoutMs / 1000}s` },
    }),
    configDump: () => configDump(bootstrap, dataPlane, client),
    clusters: () =>
      [...dataPlane.driver.activation.clusters.values()].map((cluster) => clusterStatus(cluster, dataPlane)),
    listeners: () => listenerStatuses(dataPlane),
    certificates: () => certificateStatuses(dataPlane.driver.activation, dataPlane.tlsMaterials),
    metrics(): MergedMetrics {
      options.metrics.refresh();
      return dataPlane.metrics;
    },
    logLevels: () => logs.levels(),
  };
}

/** What a POST to the admin port may change of the loggers. */
export function setLogLevel(logs: Logs, logger: string | undefined, level: string): boolean {
  if (!isLogLevel(level)) return false;
  if (logger !== undefined) return logs.setLoggerLevel(logger, level);
  logs.setLevel(level);
  return true;
}

function configDump(
  bootstrap: Bootstrap,
  dataPlane: DataPlane,
  client: XdsClient<AnyResource> | undefined,
): ConfigDump {
  const { warmingSince } = dataPlane.driver.activation;
  const dumped = (typeUrl: string, warmingPrefix: string): DumpedResource[] =>
    [...(client?.resources(typeUrl).values() ?? [])].map((held) => ({
      name: held.name,
      source: 'dynamic',
      state: warmingSince.has(`${warmingPrefix}/${held.name}`) ? 'warming' : 'active',
      versionInfo: held.version,
      lastUpdatedMs: held.value.receivedAtWallMs,
      resource: { '@type': typeUrl, ...asObject(protoJson(nameOfTypeUrl(typeUrl), held.message)) },
      refused: undefined,
    }));
  const refused = (typeUrl: string): DumpedResource[] =>
    (client?.view().types.find((type) => type.typeUrl === typeUrl)?.rejected ?? []).map((one) => ({
      name: one.name,
      source: 'dynamic',
      state: 'warming',
      versionInfo: '',
      lastUpdatedMs: 0,
      resource: undefined,
      refused: {
        versionInfo: one.version,
        lastAttemptMs: 0,
        details: one.faults.map((fault) => `${fault.field}: ${fault.message}`).join('; '),
      },
    }));
  const merged = (typeUrl: string, warmingPrefix: string): DumpedResource[] => {
    const bad = new Map(refused(typeUrl).map((one) => [one.name, one]));
    const good = dumped(typeUrl, warmingPrefix).map((one) => ({ ...one, refused: bad.get(one.name)?.refused }));
    return [...good, ...[...bad.values()].filter((one) => !good.some((other) => other.name === one.name))];
  };
  const statics = (typeUrl: string, resources: readonly unknown[]): DumpedResource[] =>
    resources.map((resource) => ({
      name: nameOf(resource),
      source: 'static',
      state: 'active',
      versionInfo: '',
      lastUpdatedMs: 0,
      resource: { '@type': typeUrl, ...asObject(resource) },
      refused: undefined,
    }));
  return {
    bootstrap: { node: bootstrap.node, admin: { address: addressText(bootstrap.admin) } },
    versions: { clusters: '', listeners: '' },
    clusters: [...statics(CLUSTER_TYPE, bootstrap.staticClusters), ...merged(CLUSTER_TYPE, 'cluster')],
    listeners: withFileFaults(
      [...statics(LISTENER_TYPE, bootstrap.staticListeners), ...merged(LISTENER_TYPE, 'listener')],
      dataPlane,
    ),
    routes: merged(ROUTE_CONFIGURATION_TYPE, 'route'),
    endpoints: merged(CLUSTER_LOAD_ASSIGNMENT_TYPE, 'endpoint'),
    secrets: [...statics(SECRET_TYPE, bootstrap.staticSecrets), ...merged(SECRET_TYPE, 'secret')],
  };
}

/** A listener whose files cannot be used says so where one that was refused says why. */
function withFileFaults(dumped: readonly DumpedResource[], { driver, fileFaults }: DataPlane): DumpedResource[] {
  return dumped.map((one) => {
    const listener = driver.store.listeners.get(one.name);
    if (listener === undefined || one.refused !== undefined || fileFaults.size === 0) return one;
    const paths = filePaths(tlsContextsOfListener(listener), driver.store.secrets).union(keyFilesOf(listener));
    const faults = [...paths].flatMap((path) => {
      const reason = fileFaults.get(path);
      return reason === undefined ? [] : `${path}: ${reason}`;
    });
    if (faults.length === 0) return one;
    return { ...one, refused: { versionInfo: one.versionInfo, lastAttemptMs: 0, details: faults.join('; ') } };
  });
}

function clusterStatus(cluster: Cluster, dataPlane: DataPlane): ClusterStatus {
  const assignment = dataPlane.driver.activation.assignments.get(cluster.name);
  const hosts = (assignment?.localities ?? []).flatMap((group) =>
    group.endpoints.map((endpoint) => hostStatus(cluster.name, endpoint, group, dataPlane)),
  );
  return {
    name: cluster.name,
    addedViaApi: cluster.discovery.kind === 'eds',
    edsServiceName: cluster.discovery.kind === 'eds' ? cluster.discovery.serviceName : '',
    thresholds: cluster.circuitBreakers,
    hosts,
  };
}

const ENVOY_HEALTH = {
  healthy: 'HEALTHY',
  unhealthy: 'UNHEALTHY',
  draining: 'DRAINING',
  timeout: 'TIMEOUT',
  degraded: 'DEGRADED',
} as const;

function hostStatus(
  cluster: string,
  endpoint: Endpoint,
  group: LocalityEndpoints,
  { counters, updates }: DataPlane,
): HostStatus {
  const slot = updates.hostSlot(cluster, addressText(endpoint.address));
  const read = (field: number): number => (slot === undefined ? 0 : counters.get(counters.hostCell(slot, field)));
  const health = read(HOST_FIELD.health);
  return {
    address: endpoint.address,
    hostname: endpoint.hostname,
    weight: endpoint.loadBalancingWeight,
    priority: group.priority,
    locality: group.locality,
    edsHealth: ENVOY_HEALTH[endpoint.healthStatus],
    failsActiveCheck: (health & HEALTH_FLAG.failedActiveCheck) !== 0,
    ejected: (health & HEALTH_FLAG.ejected) !== 0,
    stats: hostCounts(read),
  };
}

function hostCounts(read: (field: number) => number): HostCounts {
  const requestsTotal = read(HOST_FIELD.requestsTotal) >>> 0;
  const requestsFailed = read(HOST_FIELD.requestsFailed) >>> 0;
  const requestsActive = read(HOST_FIELD.inFlight);
  return {
    connectionsActive: read(HOST_FIELD.connections),
    connectionsTotal: read(HOST_FIELD.connectionsTotal) >>> 0,
    connectFailures: read(HOST_FIELD.connectFailures) >>> 0,
    requestsActive,
    requestsTotal,
    requestsFailed,
    requestsSucceeded: Math.max(0, requestsTotal - requestsFailed - requestsActive),
  };
}

function listenerStatuses(dataPlane: DataPlane): ListenerStatus[] {
  return dataPlane.boundListeners().map(({ name, address }) => ({ name, address: parseAddress(address) }));
}

function parseAddress(text: string): Address {
  const colon = text.lastIndexOf(':');
  if (text.startsWith('/') || colon < 0) return { kind: 'pipe', path: text, mode: 0 };
  return { kind: 'ip', host: text.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(text.slice(colon + 1)) };
}

function nameOf(resource: unknown): string {
  const { name } = asObject(resource);
  return typeof name === 'string' ? name : '';
}

function asObject(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
}
