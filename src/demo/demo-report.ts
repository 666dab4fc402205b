/** What the demo has to say at its end, for scripts (`--json`) and for people. */
import type { LoadCounts } from './load-generator.ts';

export interface DemoReport {
  readonly requests: {
    readonly total: number;
    readonly failed: number;
    readonly appErrors: number;
    readonly skipped: number;
  };
  readonly latency: { readonly p50Ms: number; readonly p99Ms: number };
  /** Instances of the sample services. */
  readonly services: number;
  /** Sidecars with a stream to the control server. */
  readonly sidecars: number;
  readonly xds: { readonly acked: number; readonly nacked: number };
  /** Spans that arrived; null where a collector of the user's took them. */
  readonly traces: {
    readonly exported: number | null;
    readonly maxSpansInOne: number | null;
    readonly concurrent: number | null;
  };
  readonly lastFailures: readonly string[];
}

export interface ControlFigures {
  readonly sidecars: number;
  readonly acked: number;
  readonly nacked: number;
}

export function demoReport(
  load: LoadCounts,
  services: number,
  control: ControlFigures,
  traces: DemoReport['traces'],
): DemoReport {
  return {
    requests: { total: load.total, failed: load.failed, appErrors: load.appErrors, skipped: load.skipped },
    latency: { p50Ms: load.p50Ms, p99Ms: load.p99Ms },
    services,
    sidecars: control.sidecars,
    xds: { acked: control.acked, nacked: control.nacked },
    traces,
    lastFailures: load.lastFailures,
  };
}

export function reportText(report: DemoReport): string {
  const { requests, latency, xds, traces } = report;
  const lines = [
    `requests   ${requests.total}, failed ${requests.failed}, errors of the services' own ${requests.appErrors}`,
    `latency    p50 ${latency.p50Ms} ms, p99 ${latency.p99Ms} ms`,
    `mesh       ${report.services} service instances, ${report.sidecars} sidecars`,
    `xDS        ${xds.acked} acknowledged, ${xds.nacked} rejected`,
  ];
  if (traces.exported !== null) {
    lines.push(
      `traces     ${traces.exported} spans, at most ${traces.maxSpansInOne} in one, ${traces.concurrent} with calls at the same time`,
    );
  }
  return [...lines, ...report.lastFailures.map((failure) => `failed     ${failure}`)].join('\n');
}

/** Reads what the control server's console says of itself; anything unexpected counts as nothing. */
export function controlFigures(overview: unknown): ControlFigures {
  const sidecars = field(overview, 'sidecars');
  const xds = field(overview, 'xds');
  return {
    sidecars: Array.isArray(sidecars) ? sidecars.length : 0,
    acked: count(field(xds, 'acknowledged')),
    nacked: count(field(xds, 'rejected')),
  };
}

/** What each connected sidecar has of each type, `CDS SYNCED, EDS STALE …` by proxy id, as the control server's API tells it. */
export function configStates(overview: unknown): ReadonlyMap<string, string> {
  const states = new Map<string, string>();
  const sidecars = field(overview, 'sidecars');
  for (const sidecar of Array.isArray(sidecars) ? sidecars : []) {
    const types = field(sidecar, 'types');
    const texts = (Array.isArray(types) ? types : []).map(
      (type) => `${text(field(type, 'type'))} ${text(field(type, 'sync'))}`,
    );
    states.set(text(field(sidecar, 'id')), texts.join(', '));
  }
  return states;
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
}

function count(value: unknown): number {
  return typeof value === 'number' ? value : 0;
}
