import type { MergedMetrics, SeriesReading } from './merged-metrics.ts';
import { type Label, prometheusName } from './scope.ts';
import { ALL_STATS, isSelected, type StatSelection } from './stat-selection.ts';

/** Content type of the text below. */
export const PROMETHEUS_CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

interface Member {
  readonly series: SeriesReading;
  readonly labels: readonly Label[];
}

interface Family {
  readonly kind: SeriesReading['kind'];
  readonly members: Member[];
}

/** Characters gathered before a piece is handed on. */
const PIECE_LENGTH = 16_384;

/** The Prometheus text exposition with Envoy's names, families in the order of their first series. */
export function* prometheusText(
  metrics: MergedMetrics,
  selection: StatSelection = ALL_STATS,
): Generator<string, void, void> {
  const families = new Map<string, Family>();
  for (const series of metrics.read()) {
    if (!isSelected(series, selection)) continue;
    const { family: name, labels } = prometheusName(series.scope, series.metric);
    const family = families.get(name) ?? { kind: series.kind, members: [] };
    families.set(name, family);
    // The format allows one type per family; two kinds under one name would be refused as a whole by its reader.
    if (family.kind === series.kind) family.members.push({ series, labels });
  }
  let piece = '';
  for (const [name, family] of families) {
    piece += `# TYPE ${name} ${family.kind}\n`;
    for (const { series, labels } of family.members) {
      piece += seriesText(name, series, labels);
      if (piece.length < PIECE_LENGTH) continue;
      yield piece;
      piece = '';
    }
  }
  yield piece;
}

function seriesText(name: string, series: SeriesReading, labels: readonly Label[]): string {
  if (series.kind === 'histogram') return histogramText(name, series, labels);
  return `${name}${labelText(labels)} ${numberText(series.values[0] ?? 0)}\n`;
}

function histogramText(name: string, series: SeriesReading, labels: readonly Label[]): string {
  let text = '';
  let cumulative = 0;
  series.bounds.forEach((bound, index) => {
    cumulative += series.values[index + 1] ?? 0;
    text += `${name}_bucket${labelText([...labels, ['le', numberText(bound)]])} ${cumulative}\n`;
  });
  cumulative += series.values.at(-1) ?? 0;
  text += `${name}_bucket${labelText([...labels, ['le', '+Inf']])} ${cumulative}\n`;
  text += `${name}_sum${labelText(labels)} ${numberText(series.values[0] ?? 0)}\n`;
  return `${text}${name}_count${labelText(labels)} ${cumulative}\n`;
}

function labelText(labels: readonly Label[]): string {
  if (labels.length === 0) return '';
  return `{${labels.map(([name, value]) => `${name}="${escapeLabelValue(value)}"`).join(',')}}`;
}

function escapeLabelValue(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}

function numberText(value: number): string {
  if (value === Infinity) return '+Inf';
  if (value === -Infinity) return '-Inf';
  return String(value);
}
