const FIRST_WAIT_MS = 1_000;
const LONGEST_WAIT_MS = 30_000;

/** What was refused last of one type, and how often in a row. */
interface Refusal {
  readonly text: string;
  readonly repeats: number;
}

/**
 * How long to wait before a NACK is sent. A server should not send again what was refused, and some do at once (Consul, as
 * soon as it hears anything else on the stream), so that both would be at it without end. The first NACK goes out at once;
 * the same one again waits, longer each time.
 */
export class NackPace {
  readonly #last = new Map<string, Refusal>();

  waitMs(typeUrl: string, faults: readonly string[]): number {
    if (faults.length === 0) {
      this.#last.delete(typeUrl);
      return 0;
    }
    const text = faults.join('\n');
    const last = this.#last.get(typeUrl);
    const repeats = last?.text === text ? last.repeats + 1 : 0;
    this.#last.set(typeUrl, { text, repeats });
    return repeats === 0 ? 0 : Math.min(FIRST_WAIT_MS * 2 ** (repeats - 1), LONGEST_WAIT_MS);
  }
}
