import { type Consul, knownValue, type Watched, type WatchState } from './consul/consul.ts';
import type { HealthQuery, ServiceHealth } from './translate/translate.ts';

/**
 * What becomes of instances of a service that never had a sidecar: called like all others in a mesh without TLS, called in
 * plaintext by name in a permissive one, and in a strict one not at all, as in Consul's own.
 */
export type PlainInstances = 'used' | 'markedPlaintext' | 'leftOut';

export interface InstanceWatchOptions {
  readonly consul: Consul;
  readonly query: HealthQuery;
  readonly localDatacenter: string;
  readonly plainInstances: PlainInstances;
  readonly onNews: () => void;
}

/**
 * The instances of a service that the mesh can reach: its sidecars, or, where it never had one, the instances themselves at
 * their own addresses. A service that has had sidecars is not reached around them: when they are all gone, it has none.
 */
export class InstanceWatch implements Watched<ServiceHealth> {
  readonly #options: InstanceWatchOptions;
  readonly #sidecars: Watched<ServiceHealth>;
  #hadSidecars = false;
  #plain: Watched<ServiceHealth> | undefined;
  #isReleased = false;

  constructor(options: InstanceWatchOptions) {
    this.#options = options;
    const { consul, query, localDatacenter } = options;
    this.#sidecars = consul.watchHealth(query, localDatacenter, () => this.#heard());
    this.#settle();
  }

  get query(): HealthQuery {
    return this.#options.query;
  }

  get state(): WatchState<ServiceHealth> {
    const sidecars = this.#sidecars.state;
    // Until the instances themselves are known, "no sidecars" is half an answer.
    if (this.#plain === undefined || this.#plain.state.kind === 'failing') return sidecars;
    const { state } = this.#plain;
    if (this.#options.plainInstances === 'leftOut') return sidecars;
    const isMarked = this.#options.plainInstances === 'markedPlaintext' && 'value' in state;
    return isMarked ? { ...state, value: { ...state.value, isPlaintext: true } } : state;
  }

  /** Instances that are left out because they have no sidecar. */
  get leftOutCount(): number {
    const known = this.#plain === undefined ? undefined : knownValue(this.#plain.state);
    return this.#options.plainInstances === 'leftOut' ? (known?.instances.length ?? 0) : 0;
  }

  release(): void {
    this.#isReleased = true;
    this.#sidecars.release();
    this.#plain?.release();
  }

  #heard(): void {
    this.#settle();
    this.#options.onNews();
  }

  #settle(): void {
    const { consul, query, localDatacenter, onNews } = this.#options;
    const known = knownValue(this.#sidecars.state);
    if (known === undefined || this.#isReleased || query.isPreparedQuery === true) return;
    if (known.instances.length > 0) {
      this.#hadSidecars = true;
      this.#plain?.release();
      this.#plain = undefined;
    } else if (!this.#hadSidecars) {
      this.#plain ??= consul.watchPlainHealth(query, localDatacenter, () => onNews());
    }
  }
}
