/**
 * One data plane, put together: resources come from a control server (or the bootstrap, or the last good config on disk),
 * become what runs in `config/`, and are carried out by workers in `process/`. Telemetry and the admin port look on.
 * Wiring only: what each part does is said in its room.
 */
import { join } from 'node:path';
import { systemClock } from '../base/clock.ts';
import { addressText } from '../resource/address.ts';
import type { Bootstrap } from '../resource/bootstrap.ts';
import {
  CLUSTER_LOAD_ASSIGNMENT_TYPE,
  CLUSTER_TYPE,
  LISTENER_TYPE,
  ROUTE_CONFIGURATION_TYPE,
  SECRET_TYPE,
} from '../resource/type-url.ts';
import type { Logs } from '../telemetry/log/log.ts';
import { readTraceExportSettings } from '../telemetry/trace/export-settings.ts';
import type { SpanExporter } from '../telemetry/trace/span-exporter.ts';
import type { LastGoodConfigWriter, LoadReporter, XdsClient } from '../xds/client/client.ts';
import type { ResourceChange } from './config/config.ts';
import {
  type AnyResource,
  clusterTotals,
  DataPlane,
  decodeAnyResource,
  FirstConfig,
  resourceChange,
  SidecarAdmin,
  sidecarMetrics,
  staticChanges,
  UnknownFieldLog,
} from './process/process.ts';

type XdsClientModule = typeof import('../xds/client/client.ts');

export const WEFT_VERSION = '0.1.0';
const EXPORT_FLUSH_MS = 3000;

export interface SidecarOptions {
  readonly bootstrap: Bootstrap;
  /** `service.name` of its spans. */
  readonly telemetryService: string;
  /** The `OTEL_*` variables. */
  readonly otel: Readonly<Record<string, string>>;
  /** How long to wait for a first configuration before giving up; 0 does not give up. */
  readonly waitForConfigMs: number;
  /** Keep listeners, clusters and routes that a control server takes away. */
  readonly ignoresDeletion?: boolean | undefined;
  readonly logs: Logs;
}

export interface RunningSidecar {
  /** host:port of the admin interface as bound. */
  readonly adminAddress: string;
  /** Resolves when the admin interface asked the process to end. */
  readonly ended: Promise<void>;
  /** Drains inbound listeners, then outbound ones, sends what spans are left, and ends. */
  stop(): Promise<void>;
}

/** Starts a sidecar and resolves once it carries traffic. Rejects, with nothing left running, where it cannot. */
export async function startSidecar(options: SidecarOptions): Promise<RunningSidecar> {
  const { bootstrap, logs } = options;
  const log = logs.logger('sidecar');
  for (const { field, level, why } of bootstrap.notes) log[level](`bootstrap: ${field} has no effect: ${why}`);
  const spans = await startSpanExporter(options);
  // gRPC is a third of what a sidecar loads, and of use only to those that have a control server.
  const xds = bootstrap.controlServers.length === 0 ? undefined : await import('../xds/client/client.ts');
  const firstConfig = new FirstConfig(options.waitForConfigMs, bootstrap.controlServers);
  const fixed = staticChanges(bootstrap);
  const staticSecretNames = new Set(fixed.flatMap(secretNamesIn));
  const dataPlane = new DataPlane({
    concurrency: bootstrap.concurrency,
    nodeCluster: bootstrap.node.cluster,
    drainTimeoutMs: bootstrap.drainTimeoutMs,
    log: logs.logger('workers'),
    onReferences({ routeConfigurations, assignments, secrets }) {
      client?.setSubscription(SECRET_TYPE, secrets.difference(staticSecretNames));
      client?.setSubscription(ROUTE_CONFIGURATION_TYPE, routeConfigurations);
      client?.setSubscription(CLUSTER_LOAD_ASSIGNMENT_TYPE, assignments);
    },
    onSpanRing(workerId, ring) {
      if (ring === undefined) spans?.detach(workerId);
      else spans?.attach(workerId, ring);
    },
    exportsSpans: spans !== undefined,
    onApplied: () => firstConfig.applied(dataPlane.isSettled, dataPlane.listenerFailures()),
  });
  const client =
    xds === undefined ? undefined : xdsClient(xds, options, dataPlane, firstConfig, () => lastGood?.schedule());
  const lastGood = xds === undefined || client === undefined ? undefined : lastGoodWriter(xds, options, client);

  const loads = xds === undefined || client === undefined ? undefined : loadReporter(xds, bootstrap, client, dataPlane);

  const admin = new SidecarAdmin({ bootstrap, dataPlane, client, logs, version: WEFT_VERSION });
  const metrics = sidecarMetrics({
    dataPlane,
    client,
    spans,
    concurrency: bootstrap.concurrency,
    isLive: () => admin.isLive,
  });
  const end = async (flushMs: number): Promise<void> => {
    client?.stop();
    loads?.stop();
    await dataPlane.stop();
    await spans?.shutdown(flushMs);
    await admin.stop();
  };
  try {
    await admin.start(metrics);
    dataPlane.apply(fixed);
    if (xds !== undefined && client !== undefined) {
      restoreLastGood(xds, options, client);
      if (bootstrap.subscribes.clusters) client.setSubscription(CLUSTER_TYPE, 'everything');
      if (bootstrap.subscribes.listeners) client.setSubscription(LISTENER_TYPE, 'everything');
      client.start();
      loads?.start();
    }
    await firstConfig.ready;
  } catch (error) {
    await end(0);
    throw error;
  }
  admin.becomeReady();
  log.info({ node: bootstrap.node.id, listeners: dataPlane.boundListeners() }, 'sidecar carries traffic');
  return {
    adminAddress: addressText(admin.address),
    ended: admin.quit,
    async stop() {
      admin.becomeDraining();
      lastGood?.flush();
      // Inbound first: the app may still need its upstreams while it finishes what came in.
      await dataPlane.drain(true);
      await dataPlane.drain(false);
      await end(EXPORT_FLUSH_MS);
    },
  };
}

function secretNamesIn(change: ResourceChange): readonly string[] {
  return change.kind === 'secrets' ? change.changed.map(({ name }) => name) : [];
}

async function startSpanExporter({
  otel,
  logs,
  telemetryService,
  bootstrap,
}: SidecarOptions): Promise<SpanExporter | undefined> {
  const log = logs.logger('tracing');
  const { settings, faults } = readTraceExportSettings(otel);
  for (const fault of faults) log.warn(fault);
  if (settings === undefined) return undefined;
  const { SpanExporter } = await import('../telemetry/trace/span-exporter.ts');
  return SpanExporter.start({
    settings,
    serviceName: telemetryService,
    serviceInstanceId: bootstrap.node.id,
    log,
    clock: systemClock,
  });
}

/** To the server that answers at present: that is what `self` means. */
function loadReporter(
  xds: XdsClientModule,
  { node }: Bootstrap,
  client: XdsClient<AnyResource>,
  dataPlane: DataPlane,
): LoadReporter {
  return new xds.LoadReporter({
    node,
    server: () => (client.state.kind === 'streaming' ? client.state.server : undefined),
    clusters: () => clusterTotals(dataPlane.driver.activation.clusters.values(), dataPlane.metrics),
  });
}

function xdsClient(
  xds: XdsClientModule,
  { bootstrap, logs, ignoresDeletion = false }: SidecarOptions,
  dataPlane: DataPlane,
  firstConfig: FirstConfig,
  onChanged: () => void,
): XdsClient<AnyResource> {
  const log = logs.logger('xds');
  const unknown = new UnknownFieldLog(log);
  return new xds.XdsClient<AnyResource>({
    servers: bootstrap.controlServers,
    node: bootstrap.node,
    isDelta: bootstrap.deltaXds,
    ignoresDeletion,
    userAgentVersion: WEFT_VERSION,
    decode: (typeUrl, message) => decodeAnyResource(typeUrl, message, systemClock.wallMs()),
    onUpdate({ typeUrl, changed, removed }) {
      for (const { name, message } of changed) unknown.look(typeUrl, name, message);
      dataPlane.apply([resourceChange(typeUrl, valuesOf(changed), removed)]);
      onChanged();
    },
    onConfirmed: (typeUrl, confirmed) => dataPlane.confirmed(resourceChange(typeUrl, valuesOf(confirmed), [])),
    onDoesNotExist: (typeUrl, name) =>
      log.warn({ typeUrl, name }, 'the control server says this resource does not exist; what runs stays'),
    onLapsed: (typeUrl, names) =>
      log.warn({ typeUrl, names }, 'no control server renewed these resources within their time to live'),
    onRejected: (typeUrl, version, faults) =>
      log.warn({ typeUrl, version, faults }, 'refused resources; their last good versions stay'),
    onState(state, lastError) {
      firstConfig.clientState(state, lastError);
      if (state.kind === 'streaming')
        // Its address alone: beside it stands the token that it is shown.
        log.info(
          { server: `${state.server.host}:${state.server.port}` },
          'configuration comes from this control server',
        );
      if (state.kind === 'waiting')
        log.warn({ lastError }, 'no control server gives configuration; traffic goes on with what is held');
    },
  });
}

function valuesOf(held: readonly { readonly value: AnyResource }[]): readonly AnyResource[] {
  return held.map(({ value }) => value);
}

function lastGoodFile({ bootstrap }: SidecarOptions): string | undefined {
  if (bootstrap.stateDirectory === undefined) return undefined;
  return join(bootstrap.stateDirectory, `${encodeURIComponent(bootstrap.node.id)}.last-good`);
}

function lastGoodWriter(
  xds: XdsClientModule,
  options: SidecarOptions,
  client: XdsClient<AnyResource>,
): LastGoodConfigWriter | undefined {
  const file = lastGoodFile(options);
  if (file === undefined) return undefined;
  return new xds.LastGoodConfigWriter({
    file,
    read: () => client.lastGood(),
    wallMs: () => systemClock.wallMs(),
    onError: (message) => options.logs.logger('sidecar').error(message),
  });
}

function restoreLastGood(xds: XdsClientModule, options: SidecarOptions, client: XdsClient<AnyResource>): void {
  const file = lastGoodFile(options);
  if (file === undefined) return;
  const log = options.logs.logger('sidecar');
  const loaded = xds.loadLastGoodConfig(file, options.bootstrap.node.id);
  if (loaded.kind === 'refused') log.warn(loaded.reason);
  if (loaded.kind !== 'loaded') return;
  const ageMs = systemClock.wallMs() - loaded.savedAtWallMs;
  log.info({ file, ageMs }, 'starting with the last good configuration until a control server answers');
  for (const fault of client.restore(loaded.config)) log.warn(fault);
}
