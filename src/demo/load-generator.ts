/**
 * Requests at a steady rate, however long the answers take (an open loop, as people are), with a bound on how many may be under
 * way. Tells failures of the mesh from the errors that the sample services make on purpose.
 */
import { type Clock, systemClock } from '../base/clock.ts';
import { LatencyRecord } from './latency-record.ts';
import { type CallResult, callUpstream, createCallAgent } from './upstream-call.ts';

export interface LoadOptions {
  /** The local port where the load's own sidecar listens for the entry service. */
  readonly port: number;
  readonly service: string;
  readonly requestsPerSecond: number;
  /** Requests that would exceed it are counted as skipped, not queued. */
  readonly maxInFlight?: number;
  readonly timeoutMs?: number;
  readonly clock?: Clock;
}

export interface LoadCounts {
  readonly total: number;
  /** Anything but a good answer or a service's own error. */
  readonly failed: number;
  readonly appErrors: number;
  /** Not sent, since too many were under way. */
  readonly skipped: number;
  readonly inFlight: number;
  /** What the last failures said, newest last. */
  readonly lastFailures: readonly string[];
  readonly p50Ms: number;
  readonly p99Ms: number;
}

const TICK_MS = 10;
const DEFAULT_MAX_IN_FLIGHT = 512;
const DEFAULT_TIMEOUT_MS = 10_000;
const MAX_FAILURES_KEPT = 10;

export class LoadGenerator {
  readonly #options: LoadOptions;
  readonly #clock: Clock;
  readonly #agent = createCallAgent();
  readonly #latencies = new LatencyRecord();
  readonly #underWay = new Set<Promise<void>>();
  readonly #lastFailures: string[] = [];
  #timer: NodeJS.Timeout | undefined;
  #total = 0;
  #failed = 0;
  #appErrors = 0;
  #skipped = 0;

  constructor(options: LoadOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  start(): void {
    const startedAtMs = this.#clock.nowMs();
    let due = 0;
    this.#timer = setInterval(() => {
      const elapsedMs = this.#clock.nowMs() - startedAtMs;
      const target = Math.floor((elapsedMs * this.#options.requestsPerSecond) / 1_000);
      for (; due < target; due += 1) this.#launch();
    }, TICK_MS);
  }

  /** Sends no more and waits for what is under way, which its timeout bounds. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all(this.#underWay);
    this.#agent.destroy();
  }

  /** One request now, outside the rate and the counts: is there a way through at all? */
  probe(): Promise<CallResult> {
    return this.#call();
  }

  counts(): LoadCounts {
    return {
      total: this.#total,
      failed: this.#failed,
      appErrors: this.#appErrors,
      skipped: this.#skipped,
      inFlight: this.#underWay.size,
      lastFailures: [...this.#lastFailures],
      p50Ms: this.#latencies.percentile(0.5),
      p99Ms: this.#latencies.percentile(0.99),
    };
  }

  #launch(): void {
    if (this.#underWay.size >= (this.#options.maxInFlight ?? DEFAULT_MAX_IN_FLIGHT)) {
      this.#skipped += 1;
      return;
    }
    const done = this.#measure().finally(() => this.#underWay.delete(done));
    this.#underWay.add(done);
  }

  async #measure(): Promise<void> {
    const startedAtMs = this.#clock.nowMs();
    const result = await this.#call();
    this.#latencies.add(this.#clock.nowMs() - startedAtMs);
    this.#total += 1;
    if (result.kind === 'app-error') this.#appErrors += 1;
    if (result.kind !== 'failed') return;
    this.#failed += 1;
    this.#lastFailures.push(result.reason);
    if (this.#lastFailures.length > MAX_FAILURES_KEPT) this.#lastFailures.shift();
  }

  #call(): Promise<CallResult> {
    const { port, service, timeoutMs = DEFAULT_TIMEOUT_MS } = this.#options;
    return callUpstream(this.#agent, { port, path: '/', service, headers: {}, timeoutMs });
  }
}
