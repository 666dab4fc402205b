/**
 * A token bucket over what a peer makes us do in vain: streams it resets, and resets it provokes from us (Rapid Reset,
 * CVE-2023-44487, and MadeYouReset, CVE-2025-8671, drink from the same one).
 */
export class GlitchBucket {
  readonly #burst: number;
  readonly #perMs: number;
  #tokens: number;
  #filledAtMs = Number.NaN;

  constructor(burst: number, perSecond: number) {
    this.#burst = burst;
    this.#perMs = perSecond / 1000;
    this.#tokens = burst;
  }

  /** False where the bucket is empty. Time that stands still or runs backwards fills nothing. */
  take(nowMs: number): boolean {
    const elapsedMs = nowMs - this.#filledAtMs;
    if (elapsedMs > 0) this.#tokens = Math.min(this.#burst, this.#tokens + elapsedMs * this.#perMs);
    this.#filledAtMs = nowMs;
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }
}
