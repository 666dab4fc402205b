import type { Clock } from '../../base/clock.ts';
import { type Activation, activate, NOTHING_ACTIVE, nextDeadlineMs } from '../config/activation.ts';
import { keyFilesOf } from '../config/key-files.ts';
import { wantedAssignments, wantedRouteConfigurations } from '../config/references.ts';
import { type ResourceChange, ResourceStore } from '../config/resource-store.ts';
import { filePaths, secretNames, tlsContextsOfCluster, tlsContextsOfListener } from '../config/tls-references.ts';
import type { UpdateMaker } from '../config/update-maker.ts';
import type { WorkerUpdate } from '../config/worker-update.ts';

/** Envoy's `initial_fetch_timeout`. */
export const INITIAL_FETCH_TIMEOUT_MS = 15_000;

/** What accepted resources ask for. */
export interface ResourceReferences {
  readonly routeConfigurations: ReadonlySet<string>;
  readonly assignments: ReadonlySet<string>;
  readonly secrets: ReadonlySet<string>;
  /** Paths of files, those of keys among them. */
  readonly files: ReadonlySet<string>;
  /** Files that hold keys of JWT providers. */
  readonly keyFiles: ReadonlySet<string>;
}

export interface ConfigDriverOptions {
  readonly clock: Clock;
  readonly updates: UpdateMaker;
  readonly initialFetchTimeoutMs: number;
  /** The next update for all workers. */
  publish(update: WorkerUpdate): void;
  /** The names the current listeners and clusters refer to; told after every change. */
  onReferences(references: ResourceReferences): void;
}

/** Main-thread half of a config update: accepted changes in, activations and worker updates out, waits bounded by a timer. */
export class ConfigDriver {
  readonly store = new ResourceStore();
  readonly #options: ConfigDriverOptions;
  #activation: Activation = NOTHING_ACTIVE;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: ConfigDriverOptions) {
    this.#options = options;
  }

  get activation(): Activation {
    return this.#activation;
  }

  /** Takes changes that belong together; workers get them in one update. */
  apply(changes: readonly ResourceChange[]): void {
    for (const change of changes) this.store.apply(change);
    this.#options.onReferences(this.#references());
    this.#run();
  }

  #references(): ResourceReferences {
    const { listeners, clusters, secrets } = this.store;
    const contexts = [
      ...[...listeners.values()].flatMap(tlsContextsOfListener),
      ...[...clusters.values()].flatMap(tlsContextsOfCluster),
    ];
    const keyFiles = new Set([...listeners.values()].flatMap((listener) => [...keyFilesOf(listener)]));
    return {
      routeConfigurations: wantedRouteConfigurations(listeners.values()),
      assignments: wantedAssignments(clusters.values()),
      secrets: secretNames(contexts),
      files: filePaths(contexts, secrets).union(keyFiles),
      keyFiles,
    };
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  #run(): void {
    const { clock, updates, initialFetchTimeoutMs } = this.#options;
    const nowMs = clock.nowMs();
    const next = activate(this.store, this.#activation, nowMs, initialFetchTimeoutMs);
    const update = updates.difference(this.#activation, next, nowMs);
    this.#activation = next;
    if (update !== undefined) this.#options.publish(update);
    clearTimeout(this.#timer);
    const deadlineMs = nextDeadlineMs(next, nowMs);
    if (deadlineMs !== undefined) this.#timer = setTimeout(() => this.#run(), Math.ceil(deadlineMs));
  }
}
