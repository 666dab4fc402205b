import { SECRET_TYPE } from '../resource/type-url.ts';
import {
  composeSnapshot,
  type EncodedResource,
  type NodeIdentity,
  type Snapshot,
  type SnapshotListener,
  type SnapshotSubscription,
  type TypeSnapshot,
  typesOf,
} from '../xds/server/server.ts';
import { certifiedService } from './certified-node.ts';
import { type Consul, knownValue, type Watched, type WatchState } from './consul/consul.ts';
import type { SnapshotStore } from './snapshot/snapshot.ts';
import {
  type CaRoots,
  errorAt,
  LEAF_SECRET,
  type LeafCertificate,
  leafSecret,
  type Problem,
  ROOTS_SECRET,
  rootsSecret,
  type ServiceName,
  warningAt,
} from './translate/translate.ts';

export interface ProxySecretsOptions {
  readonly consul: Consul;
  readonly store: SnapshotStore;
  /** The service that this node is a sidecar of; undefined while its registration is not known. */
  readonly serviceOf: (nodeId: string) => ServiceName | undefined;
  /** What is had, or what is wrong, may be another than before. */
  readonly onChange: () => void;
}

/** google.rpc.Code */
const NOT_FOUND = 5;
const PERMISSION_DENIED = 7;

const KEY_RULE =
  'a private key is given to sidecars on this machine, and to those whose client certificate is that of their service';

/**
 * One stream's secrets: the certificate of the sidecar's own service and the roots, from Consul's CA, followed from the moment they are
 * asked for until the stream ends. They are in no store and no view: only in what this one stream is sent. The key goes to who is on
 * this machine, or has proved to be that service; a node id alone proves nothing.
 */
export class ProxySecrets implements SnapshotListener {
  readonly #options: ProxySecretsOptions;
  readonly #node: NodeIdentity;
  readonly #listener: SnapshotListener;
  #inner: Snapshot | undefined;
  #outer: Snapshot | undefined;
  #wanted: ReadonlySet<string> = new Set();
  #leaf: Watched<LeafCertificate> | undefined;
  #roots: Watched<CaRoots> | undefined;
  #isClosed = false;

  constructor(node: NodeIdentity, listener: SnapshotListener, options: ProxySecretsOptions) {
    this.#node = node;
    this.#listener = listener;
    this.#options = options;
  }

  onSnapshot(snapshot: Snapshot): void {
    this.#inner = snapshot;
    this.#follow();
    this.#serve();
  }

  onRefused(refusal: Parameters<SnapshotListener['onRefused']>[0]): void {
    this.#listener.onRefused(refusal);
  }

  /** The same node's stream with secrets added. */
  around(inner: SnapshotSubscription): SnapshotSubscription {
    return {
      close: () => {
        this.#isClosed = true;
        this.#leaf?.release();
        this.#roots?.release();
        inner.close();
      },
      onSubscribed: (typeUrl, names) => {
        if (typeUrl !== SECRET_TYPE) return;
        this.#wanted = names;
        this.#follow();
        this.#serve();
      },
    };
  }

  /** Why a sidecar waits for a certificate, or keeps an old one. */
  problems(): readonly Problem[] {
    const service = this.#options.serviceOf(this.#node.id);
    return [
      ...(service !== undefined && this.#wanted.has(LEAF_SECRET) && !this.#mayHaveKey(service)
        ? [
            errorAt(
              `proxy ${this.#node.id}`,
              `is given no certificate, so it takes no call and makes none: ${KEY_RULE}`,
            ),
          ]
        : []),
      ...troubleWith(`certificate of service ${service ?? '(unknown)'}`, this.#leaf?.state),
      ...troubleWith("certificates of Consul's authority", this.#roots?.state),
    ];
  }

  /** Watches what is wanted and may be had. */
  #follow(): void {
    if (this.#isClosed || this.#inner === undefined || this.#wanted.size === 0) return;
    const { consul } = this.#options;
    if (this.#wanted.has(ROOTS_SECRET)) this.#roots ??= consul.watchCaRoots(() => this.#serve());
    const service = this.#options.serviceOf(this.#node.id);
    if (!this.#wanted.has(LEAF_SECRET) || service === undefined || !this.#mayHaveKey(service)) return;
    this.#leaf ??= consul.watchLeaf(service, () => this.#serve());
  }

  #mayHaveKey(service: ServiceName): boolean {
    return certifiedService(this.#node) === service || isLoopback(this.#node.peer);
  }

  #serve(): void {
    const inner = this.#inner;
    if (this.#isClosed || inner === undefined) return;
    this.#options.onChange();
    if (this.#wanted.size === 0) {
      this.#listener.onSnapshot(inner);
      return;
    }
    this.#outer = composeSnapshot(new Map(inner.types).set(SECRET_TYPE, this.#secrets()), this.#outer);
    this.#listener.onSnapshot(this.#outer);
  }

  #secrets(): TypeSnapshot {
    const leaf = this.#encoded(this.#leaf?.state, leafSecret);
    const roots = this.#encoded(this.#roots?.state, rootsSecret);
    const made = [leaf, roots].filter((secret) => secret !== undefined);
    return {
      ...(typesOf(made).get(SECRET_TYPE) ?? { version: 'none', resources: new Map() }),
      awaits: (name) =>
        (name === LEAF_SECRET && this.#leaf !== undefined) || (name === ROOTS_SECRET && this.#roots !== undefined),
      explain: (name) => this.#explain(name),
    };
  }

  #encoded<T>(
    state: WatchState<T> | undefined,
    translate: (value: T) => Parameters<SnapshotStore['encodeAnew']>[0],
  ): EncodedResource | undefined {
    const value = state === undefined ? undefined : knownValue(state);
    const encoded = value === undefined ? undefined : this.#options.store.encodeAnew(translate(value));
    return encoded?.ok === true ? encoded.resource : undefined;
  }

  #explain(name: string): { readonly code: number; readonly message: string } {
    if (name === LEAF_SECRET) return { code: PERMISSION_DENIED, message: KEY_RULE };
    return { code: NOT_FOUND, message: `the secrets of a sidecar are "${LEAF_SECRET}" and "${ROOTS_SECRET}"` };
  }
}

/** What was had before stays in force, and who never had one waits. */
function troubleWith<T>(where: string, state: WatchState<T> | undefined): readonly Problem[] {
  if (state?.kind === 'failing') {
    return [errorAt(where, `cannot be had, so sidecars that need it take no call and make none: ${state.error}`)];
  }
  if (state?.kind !== 'stale') return [];
  return [warningAt(where, `is not renewed now, and sidecars keep the one they have: ${state.error}`)];
}

/** gRPC names a peer by address and port. */
function isLoopback(peer: string): boolean {
  return /^(?:127\.|\[?::1\]?:|\[?::ffff:127\.)/.test(peer);
}
