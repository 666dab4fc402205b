import {
  ALL_STATS,
  compileStatFilter,
  type MergedMetrics,
  PROMETHEUS_CONTENT_TYPE,
  prometheusText,
  type StatSelection,
  statsJson,
  statsText,
} from '../telemetry/metrics/metrics.ts';
import { type Answer, badRequest, textAnswer } from './answer.ts';

const KINDS: Readonly<Record<string, StatSelection['kind']>> = {
  All: undefined,
  Counters: 'counter',
  Gauges: 'gauge',
  Histograms: 'histogram',
};

/** `/stats` and `/stats/prometheus`: `filter`, `usedonly`, `type`, `format`. */
export function statsAnswer(
  metrics: MergedMetrics,
  query: URLSearchParams,
  defaultFormat: 'text' | 'prometheus',
): Answer {
  const selection = readSelection(query);
  if (typeof selection === 'string') return badRequest(selection);
  const format = query.get('format') ?? defaultFormat;
  switch (format) {
    case 'text':
      return textAnswer(statsText(metrics, selection));
    case 'json':
      return { status: 200, contentType: 'application/json', body: statsJson(metrics, selection) };
    case 'prometheus':
      return { status: 200, contentType: PROMETHEUS_CONTENT_TYPE, body: prometheusText(metrics, selection) };
    default:
      return badRequest(`format=${format} is not supported; one of text, json, prometheus`);
  }
}

function readSelection(query: URLSearchParams): StatSelection | string {
  const type = query.get('type') ?? 'All';
  if (!Object.hasOwn(KINDS, type)) return `type=${type} is not supported; one of ${Object.keys(KINDS).join(', ')}`;
  const filter = query.get('filter') ?? '';
  const compiled = filter === '' ? { ok: true as const, matches: ALL_STATS.matches } : compileStatFilter(filter);
  if (!compiled.ok) return compiled.message;
  return { matches: compiled.matches, usedOnly: query.has('usedonly'), kind: KINDS[type] };
}
