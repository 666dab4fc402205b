import type { Clock } from '../../base/clock.ts';
import { pause } from './pause.ts';

/** Whether Consul answers at all, apart from what any one watch sees. One setter, two listeners' worth of news. */
export type LinkState =
  | { readonly kind: 'unknown' }
  | { readonly kind: 'up'; readonly leader: string; readonly sinceWallMs: number }
  | { readonly kind: 'down'; readonly error: string; readonly sinceWallMs: number; readonly probesFailed: number };

const PROBE_INTERVAL_MS = 2_000;
/** One lost probe is a hiccup; from this many on, questions that were in flight meanwhile are not trusted to be heard. */
const OUTAGE_PROBES = 2;

export interface ConsulLinkOptions {
  /** Rejects when Consul is away or has no leader. */
  readonly probe: () => Promise<string>;
  readonly clock: Clock;
  readonly intervalMs?: number | undefined;
  /** Consul answers again. `afterOutage`: it was away long enough for questions in flight to be lost. */
  readonly onBack: (afterOutage: boolean) => void;
  readonly onChange: (state: LinkState) => void;
}

/** Asks for the leader every two seconds, so that Consul's return is noticed at once and not at the end of a backoff. */
export class ConsulLink {
  readonly #options: ConsulLinkOptions;
  readonly #stopped = new AbortController();
  #state: LinkState = { kind: 'unknown' };

  constructor(options: ConsulLinkOptions) {
    this.#options = options;
  }

  get state(): LinkState {
    return this.#state;
  }

  async start(): Promise<void> {
    while (!this.#stopped.signal.aborted) {
      await this.#probeOnce();
      await pause(this.#options.intervalMs ?? PROBE_INTERVAL_MS, this.#stopped.signal);
    }
  }

  stop(): void {
    this.#stopped.abort();
  }

  async #probeOnce(): Promise<void> {
    try {
      const leader = await this.#options.probe();
      if (!this.#stopped.signal.aborted) this.#up(leader);
    } catch (error) {
      if (!this.#stopped.signal.aborted) this.#down(error instanceof Error ? error.message : String(error));
    }
  }

  #up(leader: string): void {
    const before = this.#state;
    if (before.kind === 'up' && before.leader === leader) return;
    this.#enter({ kind: 'up', leader, sinceWallMs: this.#options.clock.wallMs() });
    if (before.kind === 'down') this.#options.onBack(before.probesFailed >= OUTAGE_PROBES);
  }

  #down(error: string): void {
    const before = this.#state;
    const sinceWallMs = before.kind === 'down' ? before.sinceWallMs : this.#options.clock.wallMs();
    const probesFailed = before.kind === 'down' ? before.probesFailed + 1 : 1;
    this.#enter({ kind: 'down', error, sinceWallMs, probesFailed });
  }

  #enter(state: LinkState): void {
    const news = state.kind !== this.#state.kind;
    this.#state = state;
    if (news) this.#options.onChange(state);
  }
}
