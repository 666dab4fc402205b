import type { AskOptions, ConsulAnswer, ConsulAsk, QueryParameters } from './consul-http.ts';

/** Below Consul's own cap of 200 per client, with room for one-shot questions. */
export const DEFAULT_MAX_CONCURRENT_QUESTIONS = 128;
/** A question that others wait behind may be held this long before it has to make room. */
const MIN_HOLD_MS = 500;

/** While others wait, a question is asked for no longer than this, and then ends by itself: an aborted one costs a connection. */
const CROWDED_WAIT = '1s';

interface Holder {
  readonly since: number;
  /** Asked while others waited: it ends by itself. */
  readonly isShort: boolean;
  readonly makeRoom: AbortController;
}

/**
 * One blocking query holds one connection, and an agent allows only so many. Up to the budget every question is held open
 * as long as Consul likes; beyond it the questions take turns, oldest out first, so that each watch still sees every
 * change, only later. Whoever asks does not notice.
 */
export class ConnectionBudget implements ConsulAsk {
  readonly #inner: ConsulAsk;
  readonly #limit: number;
  readonly #nowMs: () => number;
  /** Oldest first: a Set keeps the order of insertion. */
  readonly #holders = new Set<Holder>();
  readonly #waiting: (() => void)[] = [];
  #slotsTaken = 0;
  #turnsTaken = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(inner: ConsulAsk, nowMs: () => number, limit: number = DEFAULT_MAX_CONCURRENT_QUESTIONS) {
    this.#inner = inner;
    this.#limit = limit;
    this.#nowMs = nowMs;
  }

  /** How full the budget is, and how often a question had to make room. */
  get usage(): {
    readonly inUse: number;
    readonly waiting: number;
    readonly limit: number;
    readonly turnsTaken: number;
  } {
    return {
      inUse: this.#slotsTaken,
      waiting: this.#waiting.length,
      limit: this.#limit,
      turnsTaken: this.#turnsTaken,
    };
  }

  async ask(path: string, query: QueryParameters, options: AskOptions): Promise<ConsulAnswer> {
    for (;;) {
      await this.#takeSlot(options.signal);
      const isShort = this.#waiting.length > 0 && query['wait'] !== undefined;
      const holder: Holder = { since: this.#nowMs(), isShort, makeRoom: new AbortController() };
      this.#holders.add(holder);
      try {
        const signal = join(options.signal, holder.makeRoom.signal);
        const asked = isShort ? { ...query, wait: CROWDED_WAIT } : query;
        const answer = await this.#inner.ask(path, asked, { deadlineMs: options.deadlineMs, signal });
        return isShort ? { ...answer, isCutShort: true } : answer;
      } catch (error) {
        // Made room for another: back to the end of the queue, with the same question.
        if (!holder.makeRoom.signal.aborted || options.signal?.aborted === true) throw error;
      } finally {
        this.#holders.delete(holder);
        this.#giveSlot();
      }
    }
  }

  /** Settles when a slot is ours; a question withdrawn meanwhile leaves the queue. */
  async #takeSlot(signal: AbortSignal | undefined): Promise<void> {
    signal?.throwIfAborted();
    if (this.#slotsTaken < this.#limit) {
      this.#slotsTaken += 1;
      return;
    }
    await new Promise<void>((resolve, reject) => {
      const admit = (): void => {
        signal?.removeEventListener('abort', withdraw);
        resolve();
      };
      const withdraw = (): void => {
        const at = this.#waiting.indexOf(admit);
        if (at >= 0) this.#waiting.splice(at, 1);
        reject(signal?.reason);
      };
      this.#waiting.push(admit);
      signal?.addEventListener('abort', withdraw, { once: true });
      this.#schedule();
    });
  }

  /** The slot goes to whoever has waited longest, or becomes free. */
  #giveSlot(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#slotsTaken -= 1;
    else next();
  }

  #schedule(): void {
    if (this.#timer !== undefined || this.#waiting.length === 0) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#makeRoom();
      this.#schedule();
    }, MIN_HOLD_MS);
    this.#timer.unref();
  }

  #makeRoom(): void {
    let wanted = this.#waiting.length;
    const now = this.#nowMs();
    for (const holder of this.#holders) {
      if (wanted === 0 || now - holder.since < MIN_HOLD_MS) return;
      if (holder.isShort || holder.makeRoom.signal.aborted) continue;
      holder.makeRoom.abort();
      this.#turnsTaken += 1;
      wanted -= 1;
    }
  }
}

function join(outer: AbortSignal | undefined, inner: AbortSignal): AbortSignal {
  return outer === undefined ? inner : AbortSignal.any([outer, inner]);
}
