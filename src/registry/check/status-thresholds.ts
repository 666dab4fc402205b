/** How many results in a row it takes before a check changes its mind. */
import type { CheckStatus } from '../state/catalog-rows.ts';

export interface Thresholds {
  readonly successBeforePassing: number;
  readonly failuresBeforeWarning: number;
  readonly failuresBeforeCritical: number;
}

export class StatusThresholds {
  readonly #thresholds: Thresholds;
  #successes = 0;
  #failures = 0;

  constructor(thresholds: Thresholds) {
    this.#thresholds = thresholds;
  }

  /** The status to report now, or undefined while the check keeps the one it has. */
  after(result: CheckStatus): CheckStatus | undefined {
    if (result !== 'critical') {
      this.#successes += 1;
      this.#failures = 0;
      return this.#successes >= this.#thresholds.successBeforePassing ? result : undefined;
    }
    this.#failures += 1;
    this.#successes = 0;
    if (this.#failures >= this.#thresholds.failuresBeforeCritical) return 'critical';
    return this.#failures >= this.#thresholds.failuresBeforeWarning ? 'warning' : undefined;
  }
}
