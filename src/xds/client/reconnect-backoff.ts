import type { Random } from '../../base/random.ts';

/** Waits between rounds of connection attempts: exponential, jittered so that the proxies of a mesh do not return in step. */
export interface BackoffPolicy {
  readonly baseMs: number;
  readonly factor: number;
  readonly maxMs: number;
}

/** What Envoy and gRPC use for xDS streams, give or take. */
export const DEFAULT_BACKOFF: BackoffPolicy = { baseMs: 500, factor: 1.6, maxMs: 30_000 };

export class ReconnectBackoff {
  readonly #policy: BackoffPolicy;
  readonly #random: Random;
  #failures = 0;

  constructor(policy: BackoffPolicy, random: Random) {
    this.#policy = policy;
    this.#random = random;
  }

  /** A stream worked: the next failure is a first one. */
  reset(): void {
    this.#failures = 0;
  }

  /** Uniform between half of the exponential step and all of it. */
  nextDelayMs(): number {
    const { baseMs, factor, maxMs } = this.#policy;
    const step = Math.min(maxMs, baseMs * factor ** this.#failures);
    if (step < maxMs) this.#failures += 1;
    return step * (0.5 + this.#random.next() / 2);
  }
}
