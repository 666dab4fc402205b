import type { Consul } from './consul/consul.ts';

const ASK_AGAIN_MS = 2_000;

/** The datacenter this server is in, for those that have no registration to say it. Asked for once somebody needs it. */
export class LocalDatacenter {
  readonly #consul: Consul;
  readonly #onKnown: () => void;
  #name = '';
  #state: 'idle' | 'asking' | 'stopped' = 'idle';
  #askAgain: NodeJS.Timeout | undefined;

  constructor(consul: Consul, onKnown: () => void) {
    this.#consul = consul;
    this.#onKnown = onKnown;
  }

  /** Empty until Consul has said it. */
  get name(): string {
    return this.#name;
  }

  /** The name, or empty, and then it is asked for. */
  want(): string {
    if (this.#name === '' && this.#state === 'idle') void this.#ask();
    return this.#name;
  }

  stop(): void {
    this.#state = 'stopped';
    clearTimeout(this.#askAgain);
  }

  async #ask(): Promise<void> {
    this.#state = 'asking';
    try {
      const name = await this.#consul.localDatacenter();
      if (this.#isStopped()) return;
      if (name === '') throw new Error('the agent did not say');
      this.#name = name;
      this.#onKnown();
    } catch {
      // Consul's own state is told by its link; here is nothing to add to it.
      this.#askAgainLater();
    }
  }

  #askAgainLater(): void {
    if (this.#isStopped()) return;
    this.#askAgain = setTimeout(() => void this.#ask(), ASK_AGAIN_MS);
    this.#askAgain.unref();
  }

  #isStopped(): boolean {
    return this.#state === 'stopped';
  }
}
