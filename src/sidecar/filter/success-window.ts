interface Second {
  readonly startMs: number;
  requests: number;
  successes: number;
}

/** Requests and successes of the last so many seconds, forgotten by the second. Bounded by the window's length. */
export class SuccessWindow {
  readonly #windowMs: number;
  readonly #seconds: Second[] = [];
  #requests = 0;
  #successes = 0;

  constructor(windowMs: number) {
    this.#windowMs = windowMs;
  }

  record(isSuccess: boolean, nowMs: number): void {
    this.#forget(nowMs);
    let last = this.#seconds.at(-1);
    if (last === undefined || nowMs - last.startMs >= 1_000) {
      last = { startMs: nowMs, requests: 0, successes: 0 };
      this.#seconds.push(last);
    }
    last.requests++;
    this.#requests++;
    if (!isSuccess) return;
    last.successes++;
    this.#successes++;
  }

  requestsPerSecond(nowMs: number): number {
    this.#forget(nowMs);
    return this.#requests / (this.#windowMs / 1_000);
  }

  /**
   * Envoy's formula, from the SRE book's client-side throttling: 0 while successes reach the threshold's share of
   * requests, then growing with what is missing; a higher aggression refuses earlier.
   */
  rejectionProbability(successRateThreshold: number, aggression: number, nowMs: number): number {
    this.#forget(nowMs);
    const missing = (this.#requests - this.#successes / successRateThreshold) / (this.#requests + 1);
    return missing <= 0 ? 0 : missing ** (1 / aggression);
  }

  #forget(nowMs: number): void {
    for (let oldest = this.#seconds[0]; oldest !== undefined; oldest = this.#seconds[0]) {
      if (nowMs - oldest.startMs < this.#windowMs) return;
      this.#seconds.shift();
      this.#requests -= oldest.requests;
      this.#successes -= oldest.successes;
    }
  }
}
