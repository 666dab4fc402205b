import { expect, test } from 'vitest';
import { formatGoDuration, parseGoDurationMs, parseGoDurationNanos } from './go-duration.ts';

test.each([
  ['0', 0],
  ['10s', 10_000],
  ['1m30s', 90_000],
  ['1.5h', 5_400_000],
  ['250ms', 250],
  ['-3s', -3000],
  ['1h2m3.5s', 3_723_500],
])('%s reads as %d ms', (text, ms) => {
  expect(parseGoDurationMs(text)).toBe(ms);
});

test.each(['', '5', 's', '1x', '1 s', '1s ', 'soon', '9'.repeat(80)])('%j is no duration', (text) => {
  expect(parseGoDurationMs(text)).toBeUndefined();
});

test.each(['1m30s', '250ms', '1h0m0s', '5s', '1.5s', '3ns', '2.5µs', '-10s'])(
  '%s is written as Go writes it',
  (text) => {
    expect(formatGoDuration(parseGoDurationNanos(text) ?? Number.NaN)).toBe(text);
  },
);
