import type { NodeIdentity, SnapshotListener, SnapshotSubscription } from '../xds/server/server.ts';
import { ProxySecrets, type ProxySecretsOptions } from './proxy-secrets.ts';
import type { Problem } from './translate/translate.ts';

export interface SecretStreamsOptions extends Omit<ProxySecretsOptions, 'onChange'> {
  /** By node id, whenever they may have changed. */
  readonly onProblems: (nodeId: string, problems: readonly Problem[]) => void;
}

/** The secrets of every open stream of a sidecar, and what is wrong with any of them. */
export class SecretStreams {
  readonly #options: SecretStreamsOptions;
  readonly #open = new Set<ProxySecrets>();

  constructor(options: SecretStreamsOptions) {
    this.#options = options;
  }

  /** The same node's stream with secrets added; `open` opens it without. */
  open(
    node: NodeIdentity,
    listener: SnapshotListener,
    open: (listener: SnapshotListener) => SnapshotSubscription,
  ): SnapshotSubscription {
    const onChange = (): void => this.#options.onProblems(node.id, secrets.problems());
    const secrets = new ProxySecrets(node, listener, { ...this.#options, onChange });
    const inner = secrets.around(open(secrets));
    this.#open.add(secrets);
    return {
      ...inner,
      close: () => {
        this.#open.delete(secrets);
        inner.close();
        this.#options.onProblems(node.id, []);
      },
    };
  }

  problems(): readonly Problem[] {
    return [...this.#open].flatMap((secrets) => secrets.problems());
  }
}
