import type { Consul } from './consul/consul.ts';
import type { IntentionAction } from './translate/translate.ts';

const ASK_AGAIN_MS = 2_000;

/**
 * `default_intention_policy` of the agent, which goes before its default policy for tokens. No watch tells it, only the agent's own
 * configuration: it is asked for once somebody needs it, and again whenever Consul has news.
 */
export class DefaultIntentionPolicy {
  readonly #consul: Consul;
  readonly #onChange: () => void;
  #state: 'idle' | 'asking' | 'stopped' = 'idle';
  #known: IntentionAction | 'notSet' | undefined;
  #error = '';
  #askAgain: NodeJS.Timeout | undefined;

  constructor(consul: Consul, onChange: () => void) {
    this.#consul = consul;
    this.#onChange = onChange;
  }

  /** Undefined while nobody knows; what was known stays. */
  get known(): IntentionAction | 'notSet' | undefined {
    return this.#known;
  }

  /** Why nobody knows; empty where nobody has asked, or somebody knows. */
  get error(): string {
    return this.#known === undefined ? this.#error : '';
  }

  ask(): void {
    if (this.#state !== 'idle') return;
    this.#state = 'asking';
    clearTimeout(this.#askAgain);
    void this.#consul.defaultIntentionPolicy().then(
      (policy) => this.#answered(policy, ''),
      (error: unknown) => this.#answered(this.#known, error instanceof Error ? error.message : String(error)),
    );
  }

  stop(): void {
    this.#state = 'stopped';
    clearTimeout(this.#askAgain);
  }

  #answered(policy: IntentionAction | 'notSet' | undefined, error: string): void {
    if (this.#state === 'stopped') return;
    this.#state = 'idle';
    const isNews = policy !== this.#known || error !== this.#error;
    this.#known = policy;
    this.#error = error;
    if (error !== '') {
      this.#askAgain = setTimeout(() => this.ask(), ASK_AGAIN_MS);
      this.#askAgain.unref();
    }
    if (isNews) this.#onChange();
  }
}
