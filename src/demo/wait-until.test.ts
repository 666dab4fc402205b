import { expect, test } from 'vitest';
import { seededRandom } from '../base/random.ts';
import { freePorts } from './free-ports.ts';
import { drawLatencyMs } from './latency.ts';
import { waitUntil } from './wait-until.ts';

const never = new AbortController().signal;

test('waiting ends with the first yes; a rejection counts as no', async () => {
  let asked = 0;
  const ask = async (): Promise<string | undefined> => {
    asked += 1;
    if (asked === 1) throw new Error('refused');
    return asked === 2 ? 'not yet' : undefined;
  };
  await waitUntil(ask, { what: 'a yes', timeoutMs: 10_000, signal: never, pauseMs: 1 });
  expect(asked).toBe(3);
});

test('what never comes is named with what was missing last', async () => {
  const waiting = waitUntil(async () => 'web (0 of 1 pass)', {
    what: 'services',
    timeoutMs: 20,
    signal: never,
    pauseMs: 1,
  });
  await expect(waiting).rejects.toThrow('for services; still missing: web (0 of 1 pass)');
});

test('an abort ends the wait', async () => {
  const abort = new AbortController();
  const waiting = waitUntil(async () => 'x', { what: 'x', timeoutMs: 60_000, signal: abort.signal });
  abort.abort();
  await expect(waiting).rejects.toThrow();
});

test('free ports are different and below the range of outgoing connections', async () => {
  const ports = await freePorts(20);
  expect(new Set(ports).size).toBe(20);
  expect(Math.max(...ports)).toBeLessThan(32_768);
});

test('latencies lie around their median, one in a hundred beyond the p99, and have a bound', () => {
  const random = seededRandom(7);
  const drawn = Array.from({ length: 20_000 }, () => drawLatencyMs({ medianMs: 10, p99Ms: 50 }, random)).sort(
    (a, b) => a - b,
  );
  expect(drawn[10_000]).toBeGreaterThan(9);
  expect(drawn[10_000]).toBeLessThan(11);
  const beyond = drawn.filter((ms) => ms > 50).length;
  expect(beyond).toBeGreaterThan(120);
  expect(beyond).toBeLessThan(300);
  expect(drawn.at(-1)).toBeLessThanOrEqual(200);
  expect(drawLatencyMs({ medianMs: 0, p99Ms: 0 }, random)).toBe(0);
});
