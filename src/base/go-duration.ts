/** Durations as Go's `time.ParseDuration` reads and `Duration.String` writes them: Consul's API speaks no other. */

const NANOS_PER_UNIT: ReadonlyMap<string, number> = new Map([
  ['ns', 1],
  ['us', 1e3],
  ['µs', 1e3],
  ['μs', 1e3],
  ['ms', 1e6],
  ['s', 1e9],
  ['m', 60e9],
  ['h', 3600e9],
]);

const TERM = /(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)/y;

/** Nanoseconds (possibly fractional for absurd inputs), or undefined when the text is not a Go duration. */
export function parseGoDurationNanos(text: string): number | undefined {
  const negative = text.startsWith('-');
  const body = negative || text.startsWith('+') ? text.slice(1) : text;
  if (body === '0') return 0;
  if (body === '' || body.length > 64) return undefined;
  let nanos = 0;
  TERM.lastIndex = 0;
  let position = 0;
  while (position < body.length) {
    TERM.lastIndex = position;
    const match = TERM.exec(body);
    if (match === null) return undefined;
    nanos += Number(match[1]) * (NANOS_PER_UNIT.get(match[2] ?? '') ?? Number.NaN);
    position = TERM.lastIndex;
  }
  if (!Number.isFinite(nanos) || nanos > Number.MAX_SAFE_INTEGER * 1000) return undefined;
  return negative ? -nanos : nanos;
}

/** Milliseconds, or undefined when the text is not a Go duration. */
export function parseGoDurationMs(text: string): number | undefined {
  const nanos = parseGoDurationNanos(text);
  return nanos === undefined ? undefined : nanos / 1e6;
}

/** Milliseconds of what Consul's JSON holds: a Go duration, or a number of nanoseconds; undefined where it is neither. */
export function goDurationMs(value: string | number): number | undefined {
  if (typeof value === 'string') return parseGoDurationMs(value);
  return Number.isFinite(value) ? value / 1e6 : undefined;
}

/** `1h2m3.5s`, `250ms`, `0s`: what Consul prints for the same length of time. */
export function formatGoDuration(nanos: number): string {
  if (nanos === 0) return '0s';
  const sign = nanos < 0 ? '-' : '';
  const size = Math.abs(nanos);
  if (size < 1e3) return `${sign}${size}ns`;
  if (size < 1e6) return `${sign}${trimmed(size / 1e3)}µs`;
  if (size < 1e9) return `${sign}${trimmed(size / 1e6)}ms`;
  const hours = Math.floor(size / 3600e9);
  const minutes = Math.floor((size % 3600e9) / 60e9);
  const seconds = trimmed((size % 60e9) / 1e9);
  if (hours > 0) return `${sign}${hours}h${minutes}m${seconds}s`;
  if (minutes > 0) return `${sign}${minutes}m${seconds}s`;
  return `${sign}${seconds}s`;
}

function trimmed(value: number): string {
  return value.toFixed(9).replace(/0+$/, '').replace(/\.$/, '');
}
