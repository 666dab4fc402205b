import { type Consul, knownValue, type Watched } from './consul/consul.ts';
import { type ExposedCheck, errorAt, type NodeName, type Problem } from './translate/translate.ts';

type Checks = Watched<readonly ExposedCheck[]>;

interface Followed {
  readonly node: NodeName;
  /** What the catalog says of the node's checks. */
  readonly ofNode: Checks;
  /** What the agent that we ask says of its own, which may be this node's. */
  readonly ofAgent: Checks;
}

/** Follows the checks that a node's agent runs through sidecars, for as long as a sidecar of that node exposes its checks. */
export class ExposedChecksFeed {
  readonly #consul: Consul;
  readonly #onNews: () => void;
  #followed: Followed | undefined;
  #heard = '';

  constructor(consul: Consul, onNews: () => void) {
    this.#consul = consul;
    this.#onNews = onNews;
  }

  /** Undefined: none are wanted. */
  follow(node: NodeName | undefined): void {
    if (node === this.#followed?.node) return;
    this.#followed?.ofNode.release();
    this.#followed?.ofAgent.release();
    this.#followed = undefined;
    if (node !== undefined) {
      const ofNode = this.#consul.watchExposedChecks(node, () => this.#news());
      this.#followed = { node, ofNode, ofAgent: this.#consul.watchAgentChecks(() => this.#news()) };
    }
    this.#heard = this.#shown();
  }

  /** Undefined while they were never read, and where none are wanted. */
  get checks(): readonly ExposedCheck[] | undefined {
    if (this.#followed === undefined) return undefined;
    const { node, ofNode, ofAgent } = this.#followed;
    const known = knownValue(ofNode.state);
    const fresh = knownValue(ofAgent.state)?.filter((check) => check.node === node) ?? [];
    return fresh.length === 0 ? known : merged(fresh, known ?? []);
  }

  /** They are wanted, and the first answers may still come. */
  get isWaiting(): boolean {
    return this.#followed?.ofNode.state.kind === 'unknown' || this.#followed?.ofAgent.state.kind === 'unknown';
  }

  problems(): readonly Problem[] {
    const state = this.#followed?.ofNode.state;
    if (state?.kind !== 'failing' || this.checks !== undefined) return [];
    const message = `never read so far, so checks that a sidecar exposes have no listener: ${state.error}`;
    return [errorAt(`checks of node ${this.#followed?.node ?? ''}`, message)];
  }

  stop(): void {
    this.follow(undefined);
  }

  /** A check's status is no news here. */
  #news(): void {
    const now = this.#shown();
    if (now === this.#heard) return;
    this.#heard = now;
    this.#onNews();
  }

  #shown(): string {
    return JSON.stringify([this.isWaiting, this.checks]);
  }
}

/** The agent's own word first; a path that it has not learned since it started may be known from before. */
function merged(fresh: readonly ExposedCheck[], known: readonly ExposedCheck[]): readonly ExposedCheck[] {
  return fresh.map((check) => {
    if (check.kind !== 'http' || check.path !== undefined) return check;
    const before = known.find(({ checkId, listenerPort, kind }) => {
      return checkId === check.checkId && listenerPort === check.listenerPort && kind === 'http';
    });
    return before ?? check;
  });
}
