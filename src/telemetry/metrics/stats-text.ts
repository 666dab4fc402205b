import type { MergedMetrics, SeriesReading } from './merged-metrics.ts';
import { quantiles, SUPPORTED_QUANTILES } from './quantile.ts';
import { ALL_STATS, isSelected, type StatSelection } from './stat-selection.ts';

/** Characters gathered before a piece is handed on: large enough to write well, small enough to hold. */
const PIECE_LENGTH = 16_384;

/** Envoy's `/stats`: `name: value` by name, histograms last as `P50(interval,cumulative)`; we keep no intervals. */
export function* statsText(
  metrics: MergedMetrics,
  selection: StatSelection = ALL_STATS,
): Generator<string, void, void> {
  const histograms: string[] = [];
  let piece = '';
  for (const series of metrics.read()) {
    if (!isSelected(series, selection)) continue;
    if (series.kind === 'histogram') histograms.push(`${series.name}: ${quantileText(series)}\n`);
    else piece += `${series.name}: ${series.values[0] ?? 0}\n`;
    if (piece.length < PIECE_LENGTH) continue;
    yield piece;
    piece = '';
  }
  yield piece + histograms.join('');
}

/** Envoy's `/stats?format=json`. */
export function* statsJson(
  metrics: MergedMetrics,
  selection: StatSelection = ALL_STATS,
): Generator<string, void, void> {
  const computed: unknown[] = [];
  let piece = '{"stats":[';
  let separator = '';
  for (const series of metrics.read()) {
    if (!isSelected(series, selection)) continue;
    if (series.kind === 'histogram') {
      const found = seriesQuantiles(series) ?? SUPPORTED_QUANTILES.map(() => null);
      computed.push({ name: series.name, values: found.map((cumulative) => ({ interval: null, cumulative })) });
      continue;
    }
    piece += `${separator}{"name":${JSON.stringify(series.name)},"value":${series.values[0] ?? 0}}`;
    separator = ',';
    if (piece.length < PIECE_LENGTH) continue;
    yield piece;
    piece = '';
  }
  if (computed.length > 0) {
    const histograms = { supported_quantiles: SUPPORTED_QUANTILES, computed_quantiles: computed };
    piece += `${separator}${JSON.stringify({ histograms })}`;
  }
  yield `${piece}]}\n`;
}

function quantileText(series: SeriesReading): string {
  const found = seriesQuantiles(series);
  if (found === undefined) return 'No recorded values';
  return SUPPORTED_QUANTILES.map((percent, index) => `P${percent}(nan,${round(found[index] ?? 0)})`).join(' ');
}

function seriesQuantiles(series: SeriesReading): readonly number[] | undefined {
  return quantiles(SUPPORTED_QUANTILES, series.bounds, series.values.subarray(1))?.map(round);
}

function round(value: number): number {
  return Math.round(value * 1_000) / 1_000;
}
