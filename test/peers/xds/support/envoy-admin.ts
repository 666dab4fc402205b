import type { Envoy } from '../../support/envoy.ts';

/** Every counter and gauge whose name matches, by name. */
export async function envoyStats(envoy: Envoy, pattern: RegExp): Promise<ReadonlyMap<string, number>> {
  const response = await fetch(`${envoy.adminAddress}/stats`, { signal: AbortSignal.timeout(5_000) });
  const stats = new Map<string, number>();
  for (const line of (await response.text()).split('\n')) {
    const colon = line.lastIndexOf(': ');
    const name = line.slice(0, colon);
    if (colon > 0 && pattern.test(name)) stats.set(name, Number(line.slice(colon + 2)));
  }
  return stats;
}

/** What Envoy counts as refused, of every type: `listener_manager.lds.update_rejected` and its like. */
export async function refusedUpdates(envoy: Envoy): Promise<readonly string[]> {
  const stats = await envoyStats(envoy, /update_rejected$/);
  if (stats.size === 0) throw new Error('Envoy counts no refused updates at all: the names of its statistics changed');
  return [...stats].filter(([, count]) => count > 0).map(([name, count]) => `${name}: ${count}`);
}

/** Lines that Envoy prints whatever it is given. */
const ABOUT_ITSELF = [
  // Its own process and bootstrap: memory limits and overload actions that the tests do not configure.
  /no configured limit to the number of allowed active downstream connections/,
  /Lack of TCMalloc memory statistics/i,
];

/** Warnings and errors in Envoy's log that are about what it was given. */
export function complaints(output: string): readonly string[] {
  return output
    .split('\n')
    .filter((line) => /\]\[(?:warning|error|critical)\]\[/.test(line))
    .filter((line) => !ABOUT_ITSELF.some((pattern) => pattern.test(line)));
}
