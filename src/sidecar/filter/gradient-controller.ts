import type { Random } from '../../base/random.ts';
import type { GradientConfig } from '../../resource/overload-filter-config.ts';
import type { Counter, Gauge, MetricScope, MetricsRegistry } from '../../telemetry/metrics/metrics.ts';
import { LatencyHistogram } from './latency-histogram.ts';

/** After so many windows at the smallest limit the smallest round trip is taken for wrong, and measured anew. */
const MAX_WINDOWS_AT_MINIMUM = 5;

/** Either the smallest round trip is being measured, at the smallest limit, or the limit follows the latency. */
type Phase =
  | { readonly kind: 'measuring'; readonly sinceMs: number; readonly limitAfter: number }
  | { readonly kind: 'following'; readonly measureAtMs: number; readonly windowEndsAtMs: number };

/**
 * Envoy's gradient controller: the limit grows while requests take about as long as they do without load, and shrinks as
 * they take longer. It has no timer: what is due is done when the next request begins or ends.
 */
export class GradientController {
  readonly #config: GradientConfig;
  readonly #random: Random;
  readonly #stats: GradientStats;
  readonly #latencies = new LatencyHistogram();
  #phase: Phase;
  #limit: number;
  #outstanding = 0;
  #minRoundTripMs = 0;
  #windowsAtMinimum = 0;

  constructor(config: GradientConfig, random: Random, stats: GradientStats, nowMs: number) {
    this.#config = config;
    this.#random = random;
    this.#stats = stats;
    this.#limit = config.minRoundTrip.minConcurrency;
    this.#phase = { kind: 'measuring', sinceMs: nowMs, limitAfter: this.#limit };
    stats.measuring.set(1);
    stats.limit.set(this.#limit);
  }

  get limit(): number {
    return this.#limit;
  }

  /** False where the limit is reached; else the request must be finished or cancelled. */
  tryBegin(nowMs: number): boolean {
    this.#catchUp(nowMs);
    if (this.#outstanding < this.#limit) {
      this.#outstanding++;
      return true;
    }
    this.#stats.blocked.increment();
    return false;
  }

  finish(beganAtMs: number, nowMs: number): void {
    this.#outstanding--;
    this.#catchUp(nowMs);
    const phase = this.#phase;
    // What began under another limit says nothing about the round trip without load.
    if (phase.kind === 'measuring' && beganAtMs < phase.sinceMs) return;
    this.#latencies.add(nowMs - beganAtMs);
    if (phase.kind === 'measuring' && this.#latencies.count >= this.#config.minRoundTrip.requestCount) {
      this.#endMeasurement(phase.limitAfter, nowMs);
    }
  }

  /** The request ended without an answer that could be timed. */
  cancel(): void {
    this.#outstanding--;
  }

  #catchUp(nowMs: number): void {
    const phase = this.#phase;
    if (phase.kind === 'measuring') return;
    if (nowMs >= phase.measureAtMs) {
      this.#measure(nowMs);
    } else if (nowMs >= phase.windowEndsAtMs) {
      const windowEndsAtMs = nowMs + this.#config.concurrencyUpdateIntervalMs;
      this.#phase = { ...phase, windowEndsAtMs };
      if (this.#latencies.count > 0) this.#endWindow(nowMs);
    }
  }

  #measure(nowMs: number): void {
    this.#phase = { kind: 'measuring', sinceMs: nowMs, limitAfter: this.#limit };
    this.#windowsAtMinimum = 0;
    this.#latencies.clear();
    this.#stats.measuring.set(1);
    this.#setLimit(this.#config.minRoundTrip.minConcurrency);
  }

  #endMeasurement(limitAfter: number, nowMs: number): void {
    const { intervalMs, jitter } = this.#config.minRoundTrip;
    this.#minRoundTripMs = this.#latencies.takeQuantileMs(this.#config.samplePercentile);
    this.#stats.minRoundTripMs.set(this.#minRoundTripMs);
    this.#stats.measuring.set(0);
    this.#phase = {
      kind: 'following',
      measureAtMs: nowMs + intervalMs * (1 + jitter * this.#random.next()),
      windowEndsAtMs: nowMs + this.#config.concurrencyUpdateIntervalMs,
    };
    this.#setLimit(limitAfter);
  }

  #endWindow(nowMs: number): void {
    const { minConcurrency, buffer } = this.#config.minRoundTrip;
    const sampledMs = this.#latencies.takeQuantileMs(this.#config.samplePercentile);
    this.#stats.sampledRoundTripMs.set(sampledMs);
    // Bounded, so that one odd window does not throw the limit about.
    const gradient = Math.min(2, Math.max(0.5, (this.#minRoundTripMs * (1 + buffer)) / sampledMs));
    this.#stats.gradient.set(Math.round(gradient * 1_000));
    const scaled = this.#limit * gradient;
    const headroom = Math.sqrt(scaled);
    this.#stats.burstQueueSize.set(Math.floor(headroom));
    const next = Math.min(this.#config.maxConcurrencyLimit, Math.floor(scaled + headroom));
    const wasAtMinimum = this.#limit === minConcurrency;
    this.#setLimit(Math.max(minConcurrency, next));
    this.#windowsAtMinimum = wasAtMinimum && this.#limit === minConcurrency ? this.#windowsAtMinimum + 1 : 0;
    if (this.#windowsAtMinimum >= MAX_WINDOWS_AT_MINIMUM) this.#measure(nowMs);
  }

  #setLimit(limit: number): void {
    this.#limit = limit;
    this.#stats.limit.set(limit);
  }
}

/** Envoy's names under `adaptive_concurrency.gradient_controller`. Gauges of several workers add up. */
export class GradientStats {
  readonly blocked: Counter;
  readonly limit: Gauge;
  readonly gradient: Gauge;
  readonly burstQueueSize: Gauge;
  readonly measuring: Gauge;
  readonly minRoundTripMs: Gauge;
  readonly sampledRoundTripMs: Gauge;

  constructor(metrics: MetricsRegistry, scope: MetricScope) {
    const prefix = 'adaptive_concurrency.gradient_controller';
    this.blocked = metrics.counter(scope, `${prefix}.rq_blocked`);
    this.limit = metrics.gauge(scope, `${prefix}.concurrency_limit`);
    this.gradient = metrics.gauge(scope, `${prefix}.gradient`);
    this.burstQueueSize = metrics.gauge(scope, `${prefix}.burst_queue_size`);
    this.measuring = metrics.gauge(scope, `${prefix}.min_rtt_calculation_active`);
    this.minRoundTripMs = metrics.gauge(scope, `${prefix}.min_rtt_msecs`);
    this.sampledRoundTripMs = metrics.gauge(scope, `${prefix}.sample_rtt_msecs`);
  }
}
