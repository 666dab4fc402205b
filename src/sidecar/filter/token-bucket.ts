import type { TokenBucketConfig } from '../../resource/filter-config.ts';

/**
 * Envoy's token bucket: full at first, filled by `tokensPerFill` each `fillIntervalMs`, never beyond `maxTokens`. For what
 * belongs to one worker, such as a connection; `SharedLimits` has buckets for all of them together.
 */
export class TokenBucket {
  readonly #maxTokens: number;
  readonly #tokensPerFill: number;
  readonly #fillIntervalMs: number;
  #tokens: number;
  #filledAtMs: number;

  constructor({ maxTokens, tokensPerFill, fillIntervalMs }: TokenBucketConfig, nowMs: number) {
    this.#maxTokens = maxTokens;
    this.#tokensPerFill = tokensPerFill;
    this.#fillIntervalMs = fillIntervalMs;
    this.#tokens = this.#maxTokens;
    this.#filledAtMs = nowMs;
  }

  /** False where there is none left. */
  take(nowMs: number): boolean {
    this.#fill(nowMs);
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }

  #fill(nowMs: number): void {
    const fills = Math.floor((nowMs - this.#filledAtMs) / this.#fillIntervalMs);
    if (fills <= 0) return;
    this.#filledAtMs += fills * this.#fillIntervalMs;
    this.#tokens = Math.min(this.#maxTokens, this.#tokens + fills * this.#tokensPerFill);
  }
}
