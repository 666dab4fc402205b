import { type Clock, systemClock } from '../../base/clock.ts';
import {
  type Counter,
  type Gauge,
  type MergedMetrics,
  type MetricScope,
  MetricsRegistry,
} from '../../telemetry/metrics/metrics.ts';
import type { SpanExporter } from '../../telemetry/trace/span-exporter.ts';
import type { XdsClient } from '../../xds/client/client.ts';
import type { DataPlane } from './data-plane.ts';

const MAIN_THREAD = 0;

/** A total that another part keeps, shown as a counter: what it grew by is added at each refresh. */
interface Mirrored {
  readonly counter: Counter;
  read(): number;
  seen: number;
}

/** What the main thread counts itself, brought up to date when somebody looks. Names are Envoy's where Envoy has one. */
export class MainMetrics {
  readonly #registry: MetricsRegistry;
  readonly #gauges: { readonly gauge: Gauge; read(): number }[] = [];
  readonly #mirrored: Mirrored[] = [];

  constructor(merged: MergedMetrics) {
    this.#registry = new MetricsRegistry({ announce: (announcements) => merged.apply(MAIN_THREAD, announcements) });
  }

  gauge(scope: MetricScope, name: string, read: () => number): void {
    this.#gauges.push({ gauge: this.#registry.gauge(scope, name), read });
  }

  counter(scope: MetricScope, name: string, read: () => number): void {
    this.#mirrored.push({ counter: this.#registry.counter(scope, name), read, seen: 0 });
  }

  refresh(): void {
    for (const shown of this.#gauges) shown.gauge.set(shown.read());
    for (const mirrored of this.#mirrored) {
      const total = mirrored.read();
      mirrored.counter.add(total - mirrored.seen);
      mirrored.seen = total;
    }
    this.#registry.flush();
  }
}

export interface SidecarMetricsSources {
  readonly dataPlane: DataPlane;
  readonly client: Pick<XdsClient<never>, 'state' | 'view'> | undefined;
  readonly spans: SpanExporter | undefined;
  readonly concurrency: number;
  readonly clock?: Clock;
  isLive(): boolean;
}

/** Every series of a sidecar's main thread. */
export function sidecarMetrics(sources: SidecarMetricsSources): MainMetrics {
  const { dataPlane, client, spans, clock = systemClock } = sources;
  const startedAtMs = clock.nowMs();
  const metrics = new MainMetrics(dataPlane.metrics);
  const server = { kind: 'server' } as const;
  metrics.gauge(server, 'live', () => (sources.isLive() ? 1 : 0));
  metrics.gauge(server, 'uptime', () => Math.floor((clock.nowMs() - startedAtMs) / 1000));
  metrics.gauge(server, 'concurrency', () => sources.concurrency);
  metrics.gauge(server, 'memory_heap_size', () => process.memoryUsage().heapTotal);
  metrics.gauge(server, 'memory_physical_size', () => process.memoryUsage.rss());
  metrics.gauge(
    { kind: 'listenerManager' },
    'total_listeners_active',
    () => dataPlane.driver.activation.listeners.size,
  );
  metrics.gauge({ kind: 'clusterManager' }, 'active_clusters', () => dataPlane.driver.activation.clusters.size);
  metrics.gauge({ kind: 'clusterManager' }, 'warming_clusters', () => warmingClusters(dataPlane));
  metrics.counter({ kind: 'weft' }, 'worker_restarts', () => dataPlane.workerRestarts);
  metrics.gauge({ kind: 'weft' }, 'unusable_files', () => dataPlane.fileFaults.size);
  metrics.counter({ kind: 'weft' }, 'ejections_total', () => dataPlane.ejections.total);
  metrics.counter({ kind: 'weft' }, 'health_check_attempts', () => dataPlane.healthChecker.counters.attempts);
  metrics.counter({ kind: 'weft' }, 'health_check_failures', () => dataPlane.healthChecker.counters.failures);
  if (client !== undefined) addXdsMetrics(metrics, client);
  if (spans !== undefined) addTracingMetrics(metrics, spans);
  return metrics;
}

function addXdsMetrics(metrics: MainMetrics, client: Pick<XdsClient<never>, 'state' | 'view'>): void {
  const xds = { kind: 'xds' } as const;
  metrics.gauge(xds, 'connected_state', () => (client.state.kind === 'streaming' ? 1 : 0));
  const counters = (): ReturnType<typeof client.view>['counters'] => client.view().counters;
  metrics.counter(xds, 'streams_opened', () => counters().streamsOpened);
  metrics.counter(xds, 'streams_failed', () => counters().streamsFailed);
  metrics.counter(xds, 'update_success', () => counters().acknowledged);
  metrics.counter(xds, 'update_rejected', () => counters().rejected);
  metrics.counter(xds, 'resources_changed', () => counters().resourcesChanged);
  metrics.counter(xds, 'resources_lapsed', () => counters().resourcesLapsed);
  metrics.counter(xds, 'failovers', () => counters().failovers);
}

function addTracingMetrics(metrics: MainMetrics, spans: SpanExporter): void {
  const tracing = { kind: 'tracing' } as const;
  metrics.counter(tracing, 'spans_sent', () => spans.counts.exported);
  metrics.counter(tracing, 'spans_failed', () => spans.counts.failed);
  metrics.counter(tracing, 'spans_dropped', () => spans.counts.dropped);
}

function warmingClusters(dataPlane: DataPlane): number {
  let count = 0;
  for (const key of dataPlane.driver.activation.warmingSince.keys()) if (key.startsWith('cluster/')) count++;
  return count;
}
