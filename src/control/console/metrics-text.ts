import type { CounterReading } from './views.ts';

/** Prometheus' text format, for numbers without labels. */
export function metricsText(readings: readonly CounterReading[]): string {
  return readings
    .map(
      ({ name, help, kind, value }) => `# HELP ${name} ${escapeHelp(help)}\n# TYPE ${name} ${kind}\n${name} ${value}\n`,
    )
    .join('');
}

function escapeHelp(help: string): string {
  return help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
}
