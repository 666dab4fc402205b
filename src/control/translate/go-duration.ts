/** Go's duration units in milliseconds: Consul writes durations as Go prints them (`1m30s`, `250ms`) or as nanoseconds. */
const UNIT_MS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
};
const WHOLE = /^-?(?:\d+(?:\.\d*)?(?:ns|us|µs|ms|s|m|h))+$/;
const PART = /(\d+(?:\.\d*)?)(ns|us|µs|ms|s|m|h)/g;

/** Milliseconds, or undefined where the value is no Go duration. */
export function goDurationMs(value: string | number): number | undefined {
  if (typeof value === 'number') return Number.isFinite(value) ? value / 1e6 : undefined;
  if (value === '0') return 0;
  if (value.length > 64 || !WHOLE.test(value)) return undefined;
  let totalMs = 0;
  for (const [, amount, unit] of value.matchAll(PART)) totalMs += Number(amount) * (UNIT_MS[unit ?? ''] ?? Number.NaN);
  return value.startsWith('-') ? -totalMs : totalMs;
}
