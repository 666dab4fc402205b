import type { NamedCost } from '../micro/measure.ts';
import type {
  AttackCase,
  CaseReport,
  ControlPlaneCase,
  Footprint,
  MemoryCase,
  PushCost,
  SuiteReport,
} from './report.ts';

/** A table for people: one line for each peer, weft first, then by cost. */
export function reportText(report: SuiteReport): string {
  const missing = Object.entries(report.missing).map(([peer, reason]) => `missing: ${peer} (${reason})`);
  const memory = (report.memory ?? []).map(memoryText);
  const footprints = (report.footprints ?? []).map(footprintText);
  const costs = (report.costs ?? []).map(costText);
  const controlPlane = report.controlPlane === undefined ? [] : [controlPlaneText(report.controlPlane)];
  const attacks = report.attacks === undefined ? [] : [attacksText(report.attacks)];
  const title = `${report.suite} on Node ${report.node}`;
  return [
    title,
    ...report.cases.map(caseText),
    ...memory,
    ...footprints,
    ...costs,
    ...controlPlane,
    ...attacks,
    ...missing,
  ].join('\n');
}

function attacksText(attacks: readonly AttackCase[]): string {
  const rows = attacks.map(({ name, seconds, sentBytes, growthMb, reason, bystanderP99Ms }) => [
    name,
    seconds.toFixed(3),
    (sentBytes / 1024).toFixed(0),
    growthMb.toFixed(1),
    bystanderP99Ms.toFixed(1),
    reason,
  ]);
  return ['', ...table(['attack', 'refused in s', 'sent KiB', 'RSS +MB', 'others p99 ms', 'as'], rows)].join('\n');
}

function caseText(report: CaseReport): string {
  const header = [
    'peer',
    'µs CPU/request',
    'range',
    'weft/peer',
    'requests/s',
    'p50 ms',
    'p99 ms',
    'p99.9 ms',
    'RSS MB',
    'PSS MB',
    'errors',
  ];
  const peers = Object.entries(report.results).sort(([nameA, a], [nameB, b]) =>
    nameA === 'weft' ? -1 : nameB === 'weft' ? 1 : a.cpuMicrosPerRequest - b.cpuMicrosPerRequest,
  );
  const rows = peers.map(([name, result]) => [
    name,
    result.cpuMicrosPerRequest.toFixed(1),
    `${result.cpuMicrosRange[0].toFixed(1)}–${result.cpuMicrosRange[1].toFixed(1)}`,
    name === 'weft' ? '' : (report.ratios[name] ?? Number.NaN).toFixed(2),
    result.requestsPerSecond.toFixed(0),
    result.p50Ms.toFixed(2),
    result.p99Ms.toFixed(2),
    Number.isNaN(result.p999Ms) ? '–' : result.p999Ms.toFixed(2),
    result.rssMb.toFixed(1),
    result.pssMb.toFixed(1),
    String(result.errors),
  ]);
  return [`\n${report.name} (${report.rounds} rounds)`, ...table(header, rows)].join('\n');
}

function table(header: readonly string[], rows: readonly (readonly string[])[]): readonly string[] {
  const widths = header.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)));
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join('  ');
  return [header, ...rows].map(line);
}

/** One line for the server and two for a change: of a service that all call, and of one that few do. */
function controlPlaneText(cases: readonly ControlPlaneCase[]): string {
  const servers = cases.map(({ streams, firstMs, reconnectMs, idleRssMb, rssMb }) => [
    String(streams),
    (firstMs / 1_000).toFixed(1),
    (reconnectMs / 1_000).toFixed(1),
    idleRssMb.toFixed(0),
    rssMb.toFixed(0),
  ]);
  const pushes = cases.flatMap(({ streams, everybody, somebody }) =>
    [everybody, somebody].map((cost) => [String(streams), ...pushCells(cost)]),
  );
  return [
    '',
    ...table(['streams', 'first, s', 'again, s', 'idle MB', 'RSS MB'], servers),
    '',
    ...table(
      ['streams', 'subscribers', 'p50 ms', 'p99 ms', 'CPU ms', 'µs each', 'KB', 'encoded', 'responses', 'strangers'],
      pushes,
    ),
  ].join('\n');
}

function pushCells(cost: PushCost): readonly string[] {
  return [
    String(cost.subscribers),
    cost.p50Ms.toFixed(1),
    cost.p99Ms.toFixed(1),
    (cost.cpuMicrosPerChange / 1_000).toFixed(1),
    (cost.cpuMicrosPerChange / cost.subscribers).toFixed(0),
    (cost.bytesPerChange / 1_000).toFixed(1),
    cost.encodedPerChange.toFixed(2),
    cost.responsesPerChange.toFixed(0),
    String(cost.strangers),
  ];
}

function memoryText(report: MemoryCase): string {
  const verdict = report.kibPerClient <= report.limitKibPerClient && report.errors === 0 ? 'holds' : 'BROKEN';
  return [
    `${report.name}: ${report.kibPerClient.toFixed(1)} KiB for each of ${report.clients} clients`,
    `(at most ${report.limitKibPerClient}: ${verdict}; RSS ${report.rssBeforeMb.toFixed(0)} → ${report.rssMb.toFixed(0)} MB);`,
    `others' p99 ${report.bystanderP99AloneMs.toFixed(2)} → ${report.bystanderP99Ms.toFixed(2)} ms, ${report.errors} errors`,
  ].join(' ');
}

function footprintText({ peer, past, clients, idle, held, errors }: Footprint): string {
  const change = (from: number, to: number): string =>
    `${from.toFixed(1)} → ${to.toFixed(1)} MB (${(to - from).toFixed(1)} more)`;
  return `${peer.padEnd(8)} ${past.padEnd(7)} ${clients} idle clients: RSS ${change(idle.rssMb, held.rssMb)}, PSS ${change(idle.pssMb, held.pssMb)}, ${errors} errors`;
}

function costText({ name, bestNs, medianNs, allocatedBytes }: NamedCost): string {
  return `${name.padEnd(64)} best ${bestNs} ns, median ${medianNs} ns, ${allocatedBytes} B allocated`;
}
