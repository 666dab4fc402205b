import type { MetricScope } from './scope.ts';

export type MetricKind = 'counter' | 'gauge' | 'histogram';

/** One series of one thread: where its slots lie. Plain and cloneable, so that a worker can post it. */
export interface SeriesDescription {
  /** Unique within its thread, never reused. */
  readonly id: number;
  readonly kind: MetricKind;
  readonly scope: MetricScope;
  readonly metric: string;
  readonly block: number;
  readonly offset: number;
  /** Histograms: upper bounds in milliseconds, ascending; slots are sum, one per bound, +Inf. Else empty. */
  readonly bounds: readonly number[];
}

/** What a thread tells about its registry, in order. */
export type MetricsAnnouncement =
  | { readonly kind: 'block'; readonly block: number; readonly buffer: SharedArrayBuffer }
  | { readonly kind: 'series'; readonly series: SeriesDescription }
  | { readonly kind: 'seriesRemoved'; readonly id: number };

/** How many slots a series takes. */
export function slotCount(kind: MetricKind, boundCount: number): number {
  return kind === 'histogram' ? boundCount + 2 : 1;
}

/** Envoy's default histogram buckets, in milliseconds. */
export const DEFAULT_BUCKETS_MS: readonly number[] = [
  0.5, 1, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000, 300_000, 600_000, 1_800_000,
  3_600_000,
];
