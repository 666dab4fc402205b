/**
 * How often one watch may ask. A token bucket of two, so that a first change and its neighbour go through at once; then
 * the pace slows while wakes keep coming, gently for wakes that bring news and far for wakes that bring none (an index
 * that moves because of somebody else's change). A quiet spell restores the full pace. `nowMs` is the caller's clock.
 */
const BURST = 2;
const FASTEST_INTERVAL_MS = 100;
const SLOWEST_USEFUL_INTERVAL_MS = 500;
const SLOWEST_USELESS_INTERVAL_MS = 15_000;
const SLOW_DOWN_FACTOR = 1.5;

export class WakeLimiter {
  #tokens = BURST;
  #refilledAtMs: number;
  #intervalMs = FASTEST_INTERVAL_MS;

  constructor(nowMs: number) {
    this.#refilledAtMs = nowMs;
  }

  /** Takes a token and says how long to wait before asking; 0 while the burst lasts. */
  delayMs(nowMs: number): number {
    this.#refill(nowMs);
    this.#tokens -= 1;
    return this.#tokens >= 0 ? 0 : -this.#tokens * this.#intervalMs - (nowMs - this.#refilledAtMs);
  }

  /** Tells whether the last wake brought anything new; wakes within the burst do not change the pace. */
  woke(changed: boolean): void {
    if (this.#tokens >= 1) return;
    const slowestMs = changed ? SLOWEST_USEFUL_INTERVAL_MS : SLOWEST_USELESS_INTERVAL_MS;
    this.#intervalMs = Math.min(slowestMs, this.#intervalMs * SLOW_DOWN_FACTOR);
  }

  #refill(nowMs: number): void {
    const earned = Math.floor((nowMs - this.#refilledAtMs) / this.#intervalMs);
    if (earned <= 0) return;
    this.#tokens = Math.min(BURST, this.#tokens + earned);
    this.#refilledAtMs += earned * this.#intervalMs;
    if (this.#tokens === BURST) {
      this.#refilledAtMs = nowMs;
      this.#intervalMs = FASTEST_INTERVAL_MS;
    }
  }
}
