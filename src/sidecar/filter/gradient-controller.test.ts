import { expect, it } from 'vitest';
import { seededRandom } from '../../base/random.ts';
import { MetricsRegistry } from '../../telemetry/metrics/metrics.ts';
import { GradientController, GradientStats } from './gradient-controller.ts';
import { LatencyHistogram } from './latency-histogram.ts';

const CONFIG = {
  samplePercentile: 0.5,
  maxConcurrencyLimit: 20,
  concurrencyUpdateIntervalMs: 100,
  minRoundTrip: { intervalMs: 60_000, requestCount: 5, jitter: 0, minConcurrency: 3, buffer: 0.25 },
};

class Load {
  readonly stats = new GradientStats(new MetricsRegistry({ announce: () => undefined }), { kind: 'http', name: 'in' });
  readonly controller: GradientController;
  nowMs = 1_000;

  constructor(overrides: Partial<typeof CONFIG> = {}) {
    this.controller = new GradientController({ ...CONFIG, ...overrides }, seededRandom(1), this.stats, this.nowMs);
  }

  /** One after the other, each taking so long. */
  run(count: number, latencyMs: number): void {
    for (let index = 0; index < count; index++) {
      const began = this.nowMs;
      expect(this.controller.tryBegin(began)).toBe(true);
      this.nowMs += latencyMs;
      this.controller.finish(began, this.nowMs);
    }
  }

  /** A window of requests that take so long; the next request ends it. */
  window(latencyMs: number): number {
    this.run(1, latencyMs);
    this.nowMs += CONFIG.concurrencyUpdateIntervalMs;
    expect(this.controller.tryBegin(this.nowMs)).toBe(true);
    this.controller.cancel();
    return this.controller.limit;
  }
}

it('measures the smallest round trip at the smallest limit, then lets more through while latency stays there', () => {
  const load = new Load();
  expect(load.controller.limit).toBe(3);
  load.run(5, 10);
  expect(load.stats.minRoundTripMs.value).toBe(10.5);
  expect(load.stats.measuring.value).toBe(0);
  const limits = [load.window(10), load.window(10), load.window(10)];
  expect(limits).toEqual([5, 8, 13]);
  expect(load.stats.gradient.value).toBe(1250);
});

it('shrinks as requests take longer, and never leaves its bounds', () => {
  const load = new Load();
  load.run(5, 10);
  for (let index = 0; index < 10; index++) load.window(10);
  expect(load.controller.limit).toBe(20);
  expect(load.window(25)).toBe(Math.floor(10 + Math.sqrt(10)));
  for (let index = 0; index < 4; index++) load.window(1_000);
  expect(load.controller.limit).toBeGreaterThanOrEqual(3);
  expect(load.stats.gradient.value).toBe(500);
});

it('refuses what is above the limit, and takes the next when one has ended', () => {
  const { controller, stats } = new Load();
  expect([0, 0, 0, 0].map(() => controller.tryBegin(1_000))).toEqual([true, true, true, false]);
  expect(stats.blocked.value).toBe(1);
  controller.cancel();
  expect(controller.tryBegin(1_000)).toBe(true);
});

it('measures again when the interval is over, with requests that began since', () => {
  const load = new Load();
  load.run(5, 10);
  load.window(10);
  const [early, limit] = [load.nowMs, load.controller.limit];
  expect(load.controller.tryBegin(early)).toBe(true);
  load.nowMs += 60_000;
  load.run(4, 30);
  expect([load.controller.limit, load.stats.measuring.value]).toEqual([3, 1]);
  load.controller.finish(early, load.nowMs);
  expect(load.stats.measuring.value).toBe(1);
  load.run(1, 30);
  expect([load.controller.limit, load.stats.measuring.value]).toEqual([limit, 0]);
  expect(load.stats.minRoundTripMs.value).toBeCloseTo(30, -1);
});

it('a round trip that can no longer be reached is measured anew instead of holding the limit down for ever', () => {
  const load = new Load({ minRoundTrip: { ...CONFIG.minRoundTrip, minConcurrency: 1 } });
  load.run(5, 10);
  for (let index = 0; index < 20 && load.stats.measuring.value === 0; index++) load.window(1_000);
  expect(load.stats.measuring.value).toBe(1);
});

it('latencies keep two digits', () => {
  const histogram = new LatencyHistogram();
  for (const latency of [0.0001, 1.234, 56.78, 910, 1e9]) histogram.add(latency);
  expect(histogram.count).toBe(5);
  expect(histogram.takeQuantileMs(0.5)).toBeCloseTo(56.5, 5);
  expect(histogram.count).toBe(0);
});
