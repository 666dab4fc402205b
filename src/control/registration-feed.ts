import { type Consul, knownValue, type NodeProxies, type ProxyLocation, type Watched } from './consul/consul.ts';
import {
  errorAt,
  type NodeName,
  type Problem,
  type ProxyRegistration,
  serviceId,
  warningAt,
} from './translate/translate.ts';

/**
 * Where a proxy's registration is.
 *
 *   locating ──found──▶ following ──registration gone──▶ lost ──found──▶ following
 *       └──not registered──▶ unregistered ──found──▶ following
 *
 * A lost proxy keeps what it was given. An unregistered one is refused, and looked for again meanwhile.
 */
export type RegistrationState =
  | { readonly kind: 'locating'; readonly error: string | undefined }
  | { readonly kind: 'unregistered'; readonly message: string }
  | { readonly kind: 'following'; readonly node: NodeName }
  | { readonly kind: 'lost'; readonly node: NodeName };

export interface RegistrationFeedOptions {
  readonly nodeId: string;
  readonly consul: Consul;
  readonly nowMs: () => number;
  /** A first or another registration; never the same twice in a row. */
  readonly onRegistration: (registration: ProxyRegistration) => void;
  /** Consul knows no such proxy; the message is for whoever runs it. */
  readonly onUnregistered: (message: string) => void;
  /** What is wrong with it may be another thing now. */
  readonly onProblems: () => void;
}

/** A sidecar often starts a moment before its registration: this long it waits before it is refused. */
const REGISTRATION_GRACE_MS = 2_000;
const FIRST_LOOK_AGAIN_MS = 200;
const LOOK_AGAIN_MS = 2_000;

/** Finds the registration of one proxy by its id, on whichever node it is, and follows it. */
export class RegistrationFeed {
  readonly #options: RegistrationFeedOptions;
  readonly #stopped = new AbortController();
  readonly #startedMs: number;
  #state: RegistrationState = { kind: 'locating', error: undefined };
  #watched: Watched<NodeProxies> | undefined;
  #registration: ProxyRegistration | undefined;
  #lookAgain: NodeJS.Timeout | undefined;

  constructor(options: RegistrationFeedOptions) {
    this.#options = options;
    this.#startedMs = options.nowMs();
  }

  get state(): RegistrationState {
    return this.#state;
  }

  /** The last good one. */
  get registration(): ProxyRegistration | undefined {
    return this.#registration;
  }

  problems(): readonly Problem[] {
    const problem = stateProblem(this.#state, `proxy ${this.#options.nodeId}`);
    const registered = this.#watched === undefined ? undefined : knownValue(this.#watched.state);
    const found = registered?.problems.get(serviceId(this.#options.nodeId)) ?? [];
    return problem === undefined ? found : [problem, ...found];
  }

  start(): void {
    void this.#locate();
  }

  stop(): void {
    this.#stopped.abort();
    clearTimeout(this.#lookAgain);
    this.#watched?.release();
  }

  async #locate(): Promise<void> {
    try {
      const location = await this.#options.consul.locateProxy(this.#options.nodeId, this.#stopped.signal);
      if (!this.#stopped.signal.aborted) this.#located(location);
    } catch (error) {
      if (this.#stopped.signal.aborted) return;
      // Consul could not be asked: that says nothing about the proxy, so nobody is refused.
      const message = error instanceof Error ? error.message : String(error);
      if (this.#state.kind === 'locating') this.#state = { kind: 'locating', error: message };
      this.#lookAgainLater();
    }
  }

  #located(location: ProxyLocation): void {
    if (location.kind === 'found') this.#follow(location.node);
    else this.#notFound(location);
  }

  #notFound(location: Exclude<ProxyLocation, { kind: 'found' }>): void {
    const isYoung = this.#options.nowMs() - this.#startedMs < REGISTRATION_GRACE_MS;
    if (this.#state.kind !== 'lost' && (location.kind === 'notAProxy' || !isYoung)) {
      const message = refusalMessage(this.#options.nodeId, location);
      this.#state = { kind: 'unregistered', message };
      this.#options.onUnregistered(message);
    }
    this.#lookAgainLater();
  }

  #follow(node: NodeName): void {
    this.#watched?.release();
    this.#state = { kind: 'following', node };
    this.#watched = this.#options.consul.watchNode(node, () => this.#read());
    this.#read();
  }

  #read(): void {
    this.#takeRegistration();
    this.#options.onProblems();
  }

  #takeRegistration(): void {
    const known = this.#watched === undefined ? undefined : knownValue(this.#watched.state);
    if (known === undefined) return;
    const registration = known.proxies.get(serviceId(this.#options.nodeId));
    if (registration === undefined) {
      this.#gone();
      return;
    }
    if (this.#state.kind === 'lost') this.#state = { kind: 'following', node: this.#state.node };
    if (JSON.stringify(registration) === JSON.stringify(this.#registration)) return;
    this.#registration = registration;
    this.#options.onRegistration(registration);
  }

  /** It left this node, or the agent knows it and the catalog does not yet. */
  #gone(): void {
    if (this.#state.kind !== 'following') return;
    if (this.#registration !== undefined) this.#state = { kind: 'lost', node: this.#state.node };
    this.#lookAgainLater();
  }

  #lookAgainLater(): void {
    clearTimeout(this.#lookAgain);
    const isYoung = this.#options.nowMs() - this.#startedMs < REGISTRATION_GRACE_MS;
    this.#lookAgain = setTimeout(() => void this.#locate(), isYoung ? FIRST_LOOK_AGAIN_MS : LOOK_AGAIN_MS);
    this.#lookAgain.unref();
  }
}

function refusalMessage(nodeId: string, location: Exclude<ProxyLocation, { kind: 'found' }>): string {
  const fix =
    'Register the service with connect.sidecar_service, and start the sidecar with the id of that registration';
  if (location.kind === 'unknown') {
    return `proxy "${nodeId}" is not registered in Consul. ${fix} (<service id>-sidecar-proxy).`;
  }
  const kind = location.serviceKind === '' ? 'an ordinary service' : `a ${location.serviceKind}`;
  return `"${nodeId}" is registered in Consul as ${kind}, not as a connect-proxy. ${fix} (${nodeId}-sidecar-proxy?).`;
}

function stateProblem(state: RegistrationState, where: string): Problem | undefined {
  switch (state.kind) {
    case 'following':
      return undefined;
    case 'locating':
      return state.error === undefined ? undefined : errorAt(where, `cannot be looked up yet: ${state.error}`);
    case 'unregistered':
      return errorAt(where, state.message);
    case 'lost':
      return warningAt(where, `left node ${state.node}; it keeps what it has. Register it again, or stop it`);
  }
}
