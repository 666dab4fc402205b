/** A burst is merged for at most this long; the first change after a quiet spell goes out in the same turn. */
const MAX_DELAY_MS = 100;

/** Runs an action at once when it was quiet, and at most every 100 ms while requests for it keep coming. */
export class BurstMerger {
  readonly #action: () => void;
  readonly #nowMs: () => number;
  readonly #maxDelayMs: number;
  #lastRunMs = Number.NEGATIVE_INFINITY;
  #pending: { cancel(): void } | undefined;

  constructor(action: () => void, nowMs: () => number, maxDelayMs = MAX_DELAY_MS) {
    this.#action = action;
    this.#nowMs = nowMs;
    this.#maxDelayMs = maxDelayMs;
  }

  /** Asks for a run. Everything asked for within one turn, or within the delay of a burst, is one run. */
  request(): void {
    if (this.#pending !== undefined) return;
    const quietMs = this.#nowMs() - this.#lastRunMs;
    this.#pending =
      quietMs >= this.#maxDelayMs ? afterThisTurn(this.#run) : afterDelay(this.#run, this.#maxDelayMs - quietMs);
  }

  stop(): void {
    this.#pending?.cancel();
    this.#pending = undefined;
  }

  readonly #run = (): void => {
    this.#pending = undefined;
    this.#lastRunMs = this.#nowMs();
    this.#action();
  };
}

function afterThisTurn(run: () => void): { cancel(): void } {
  const immediate = setImmediate(run);
  return { cancel: () => clearImmediate(immediate) };
}

function afterDelay(run: () => void, delayMs: number): { cancel(): void } {
  const timer = setTimeout(run, delayMs);
  timer.unref();
  return { cancel: () => clearTimeout(timer) };
}
