/** google.protobuf.Duration and Timestamp: their ProtoJSON text, their wire parts and milliseconds. */

/** Wire parts of a Duration or Timestamp. */
export interface SecondsAndNanos {
  readonly seconds: number;
  readonly nanos: number;
}

/** ±10,000 years, the bound protobuf sets. */
const MAX_DURATION_SECONDS = 315_576_000_000;

/** `"1.5s"` to its parts; undefined for anything else. At most nine decimals, as ProtoJSON says. */
export function parseDuration(text: string): SecondsAndNanos | undefined {
  const match = /^(-?)(\d{1,12})(?:\.(\d{1,9}))?s$/.exec(text);
  if (match === null) return undefined;
  const [, sign, whole = '', decimals = ''] = match;
  const seconds = Number(whole);
  const nanos = Number(decimals.padEnd(9, '0'));
  if (seconds > MAX_DURATION_SECONDS || (seconds === MAX_DURATION_SECONDS && nanos > 0)) return undefined;
  // `0 - x` keeps zero positive.
  return sign === '-' ? { seconds: 0 - seconds, nanos: 0 - nanos } : { seconds, nanos };
}

/** Parts to `"1.500s"`: no decimals, or three, six or nine of them, as ProtoJSON writers do. */
export function durationText({ seconds, nanos }: SecondsAndNanos): string {
  const sign = seconds < 0 || nanos < 0 ? '-' : '';
  return `${sign}${Math.abs(seconds)}${decimalsText(Math.abs(nanos))}s`;
}

/** Parts to fractional milliseconds. */
export function durationMs({ seconds, nanos }: SecondsAndNanos): number {
  return seconds * 1000 + nanos / 1e6;
}

/** An RFC 3339 time to its parts; undefined for anything else. */
export function parseTimestamp(text: string): SecondsAndNanos | undefined {
  const match = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)$/.exec(text);
  if (match === null) return undefined;
  const [, toTheSecond = '', decimals = '', zone = ''] = match;
  const milliseconds = Date.parse(toTheSecond + zone);
  if (Number.isNaN(milliseconds)) return undefined;
  return { seconds: milliseconds / 1000, nanos: Number(decimals.padEnd(9, '0')) };
}

/** Parts to RFC 3339 in UTC. */
export function timestampText({ seconds, nanos }: SecondsAndNanos): string {
  const toTheSecond = new Date(seconds * 1000).toISOString().slice(0, -'.000Z'.length);
  return `${toTheSecond}${decimalsText(nanos)}Z`;
}

function decimalsText(nanos: number): string {
  if (nanos === 0) return '';
  const nine = String(nanos).padStart(9, '0');
  if (nine.endsWith('000000')) return `.${nine.slice(0, 3)}`;
  return nine.endsWith('000') ? `.${nine.slice(0, 6)}` : `.${nine}`;
}
