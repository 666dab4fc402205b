/**
 * Counters, gauges and histograms. Each thread owns a `MetricsRegistry` whose slots lie in shared memory that it alone
 * writes; the main thread's `MergedMetrics` adds the same series up over threads and renders them as Envoy's `/stats`
 * and as Prometheus text. This room knows names and numbers; it does not know what any of them means, reads no clock
 * and opens nothing.
 */
export { Counter, Gauge, Histogram } from './instruments.ts';
export { MergedMetrics, type SeriesReading } from './merged-metrics.ts';
export { MetricsRegistry, type MetricsRegistryOptions } from './metrics-registry.ts';
export { PROMETHEUS_CONTENT_TYPE, prometheusText } from './prometheus-text.ts';
export { type Label, type MetricScope, prometheusName, statName } from './scope.ts';
export { DEFAULT_BUCKETS_MS, type MetricKind, type MetricsAnnouncement, type SeriesDescription } from './series.ts';
export { ALL_STATS, compileStatFilter, type StatSelection } from './stat-selection.ts';
export { statsJson, statsText } from './stats-text.ts';
