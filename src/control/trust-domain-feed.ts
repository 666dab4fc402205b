import { type Consul, isConnectDisabled, knownValue, type Watched } from './consul/consul.ts';
import { type CaRoots, DEFAULT_TRUST_DOMAIN } from './translate/translate.ts';

/** The trust domain that names clusters. Undefined until Consul has said it, or has said that it has no CA. */
export class TrustDomainFeed {
  readonly #consul: Consul;
  readonly #onChange: () => void;
  #watched: Watched<CaRoots> | undefined;
  #trustDomain: string | undefined;

  constructor(consul: Consul, onChange: () => void) {
    this.#consul = consul;
    this.#onChange = onChange;
  }

  get trustDomain(): string | undefined {
    return this.#trustDomain;
  }

  start(): void {
    this.#watched = this.#consul.watchCaRoots(() => this.#read());
  }

  stop(): void {
    this.#watched?.release();
  }

  #read(): void {
    const state = this.#watched?.state;
    if (state === undefined) return;
    const known = knownValue(state)?.trustDomain;
    const disabled = state.kind === 'failing' && isConnectDisabled(state.error);
    const now =
      known === undefined ? (disabled ? DEFAULT_TRUST_DOMAIN : this.#trustDomain) : known || DEFAULT_TRUST_DOMAIN;
    if (now === this.#trustDomain) return;
    this.#trustDomain = now;
    this.#onChange();
  }
}
