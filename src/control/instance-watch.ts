import { type Consul, knownValue, type Watched, type WatchState } from './consul/consul.ts';
import type { HealthQuery, ServiceHealth } from './translate/translate.ts';

/**
 * The instances of a service that the mesh can reach: its sidecars, or, where it never had one, the instances themselves at
 * their own addresses. A service that has had sidecars is not reached around them: when they are all gone, it has none.
 */
export class InstanceWatch implements Watched<ServiceHealth> {
  readonly #consul: Consul;
  readonly #query: HealthQuery;
  readonly #localDatacenter: string;
  readonly #onNews: () => void;
  readonly #sidecars: Watched<ServiceHealth>;
  #hadSidecars = false;
  #plain: Watched<ServiceHealth> | undefined;
  #isReleased = false;

  constructor(consul: Consul, query: HealthQuery, localDatacenter: string, onNews: () => void) {
    this.#consul = consul;
    this.#query = query;
    this.#localDatacenter = localDatacenter;
    this.#onNews = onNews;
    this.#sidecars = consul.watchHealth(query, localDatacenter, () => this.#heard());
    this.#settle();
  }

  get state(): WatchState<ServiceHealth> {
    const sidecars = this.#sidecars.state;
    // Until the instances themselves are known, "no sidecars" is half an answer.
    return this.#plain === undefined || this.#plain.state.kind === 'failing' ? sidecars : this.#plain.state;
  }

  release(): void {
    this.#isReleased = true;
    this.#sidecars.release();
    this.#plain?.release();
  }

  #heard(): void {
    this.#settle();
    this.#onNews();
  }

  #settle(): void {
    const known = knownValue(this.#sidecars.state);
    if (known === undefined || this.#isReleased || this.#query.isPreparedQuery === true) return;
    if (known.instances.length > 0) {
      this.#hadSidecars = true;
      this.#plain?.release();
      this.#plain = undefined;
    } else if (!this.#hadSidecars) {
      this.#plain ??= this.#consul.watchPlainHealth(this.#query, this.#localDatacenter, () => this.#onNews());
    }
  }
}
