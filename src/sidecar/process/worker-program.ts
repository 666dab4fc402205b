/**
 * A worker thread: owns data sockets, compiles what the main thread sends into a runtime config, and runs listeners on it.
 * Everything here is wiring; what a part does is said in its own room.
 */
import { parentPort, workerData } from 'node:worker_threads';
import xxhash from 'xxhash-wasm';
import { ByteBudget } from '../../base/byte-budget.ts';
import { systemClock } from '../../base/clock.ts';
import { systemRandom } from '../../base/random.ts';
import { addressText } from '../../resource/address.ts';
import { MetricsRegistry } from '../../telemetry/metrics/metrics.ts';
import { SpanRing, TraceStarter } from '../../telemetry/trace/trace.ts';
import { EventTurn, MAX_WINDOW_GROWTH_BYTES, TlsMaterials } from '../../transport-socket/transport-socket.ts';
import { ClusterSet, OutlierDetector, SharedCounters, SharedLimits } from '../cluster/cluster.ts';
import { RuntimeConfigBuilder } from '../config/runtime-config-builder.ts';
import { AccessLogs, type ManagerContext } from '../connection-manager/connection-manager.ts';
import { Upstreams } from '../filter/router/router.ts';
import { ListenerSet } from '../listener/listener.ts';
import type { FromWorker, ListenerFailure, ToWorker, WorkerStart } from './messages.ts';
import { applyTlsMaterials } from './tls-updates.ts';

const port = parentPort;
if (port === null) throw new Error('worker.ts runs as a worker thread of a sidecar, not by itself');
const start = workerData as WorkerStart;
const tell = (message: FromWorker): void => port.postMessage(message);

const hasher = await xxhash();
const hash64 = (text: string): bigint => hasher.h64(text);
const counters = new SharedCounters(start.sharedCounters, start.ledger);
const clusters = new ClusterSet(counters, { clock: systemClock, random: systemRandom, hash64 });
const metrics = new MetricsRegistry({ announce: (announcements) => tell({ kind: 'metrics', announcements }) });
const turn = new EventTurn(systemClock, (error) => tell({ kind: 'problem', message: errorText(error) }), {
  windowGrowth: new ByteBudget(MAX_WINDOW_GROWTH_BYTES, {
    heldBytes: metrics.gauge({ kind: 'weft' }, 'http2_window_growth_bytes'),
    refused: metrics.counter({ kind: 'weft' }, 'http2_window_growth_refused'),
  }),
});
const outliers = new OutlierDetector(clusters, counters, (ejection) => tell({ kind: 'ejected', ejection }));
const tlsMaterials = new TlsMaterials();
const upstreams = new Upstreams({
  turn,
  tlsMaterials,
  clusters,
  metrics,
  random: systemRandom,
  hash64,
  onHostOutcome(host, status) {
    if (status === 0 || status >= 500) host.requestFailed();
    outliers.report(host, status);
  },
});
const accessLogs = new AccessLogs(metrics, (error) =>
  tell({ kind: 'problem', message: `access log: ${errorText(error)}` }),
);
const spanRing = start.spanRing === undefined ? undefined : new SpanRing(start.spanRing, performance.timeOrigin);
const context: ManagerContext = {
  turn,
  random: systemRandom,
  metrics,
  upstreams,
  tlsMaterials,
  limits: new SharedLimits(counters, systemClock, metrics.counter({ kind: 'weft' }, 'shared_limits_exhausted')),
  accessLogs,
  traces: new TraceStarter(systemRandom, spanRing),
  workerId: start.workerId,
  nodeCluster: start.nodeCluster,
};
const listeners = new ListenerSet({
  context,
  drainTimeoutMs: start.drainTimeoutMs,
  onBindFailure: (_, message) => tell({ kind: 'problem', message }),
  onConnectionRefused: (message) => tell({ kind: 'connectionRefused', message }),
});
const builder = new RuntimeConfigBuilder(clusters, systemRandom);

/** Updates are applied one after the other, in the order they were sent. */
let applying: Promise<void> = Promise.resolve();

port.on('message', (message: ToWorker) => {
  switch (message.kind) {
    case 'update':
      applying = applying.then(() => apply(message));
      return;
    case 'healthFailing':
      listeners.setHealthFailing(message.isFailing);
      return;
    case 'drain':
      applying = applying.then(() => drain(message.inboundOnly));
      return;
  }
});

async function apply({ update }: Extract<ToWorker, { kind: 'update' }>): Promise<void> {
  let failures: readonly ListenerFailure[] = [];
  try {
    applyTlsMaterials(tlsMaterials, update);
    const config = builder.apply(update);
    for (const name of update.removedClusters) metrics.removeScope({ kind: 'cluster', name });
    if (config !== undefined) {
      const faults = await listeners.apply(config);
      failures = faults.map(({ listenerName, message }) => ({ name: listenerName, message }));
    }
  } catch (error) {
    failures = [{ name: '', message: `update ${update.version} could not be applied: ${errorText(error)}` }];
  }
  const bound = listeners.views().map((view) => ({ name: view.name, address: boundAddress(view.address, view.port) }));
  tell({ kind: 'applied', version: update.version, listeners: bound, failures });
}

/** Envoy prints the address as bound, so port 0 is replaced by the real one. */
function boundAddress(address: string, boundPort: number): string {
  const colon = address.lastIndexOf(':');
  return address.startsWith('/') || colon < 0
    ? address
    : addressText({ kind: 'ip', host: address.slice(0, colon).replace(/^\[|\]$/g, ''), port: boundPort });
}

async function drain(inboundOnly: boolean): Promise<void> {
  await listeners.drain(inboundOnly ? 'inbound' : 'all');
  if (!inboundOnly) await accessLogs.close();
  tell({ kind: 'drained' });
}

function errorText(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

tell({ kind: 'started' });
