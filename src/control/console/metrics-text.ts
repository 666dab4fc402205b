import type { CounterReading } from './views.ts';

/** Prometheus' text format. */
export function metricsText(readings: readonly CounterReading[]): string {
  return readings.map((reading, at) => head(reading, readings[at - 1]) + sample(reading)).join('');
}

/** Once for all readings of a name. */
function head({ name, help, kind }: CounterReading, before: CounterReading | undefined): string {
  return before?.name === name ? '' : `# HELP ${name} ${escapeHelp(help)}\n# TYPE ${name} ${kind}\n`;
}

function sample({ name, labels, value }: CounterReading): string {
  const pairs = Object.entries(labels ?? {}).map(([label, text]) => `${label}="${escapeLabel(text)}"`);
  return `${name}${pairs.length === 0 ? '' : `{${pairs.join(',')}}`} ${value}\n`;
}

function escapeHelp(help: string): string {
  return help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
}

function escapeLabel(text: string): string {
  return escapeHelp(text).replaceAll('"', '\\"');
}
