import type { MetricsAnnouncement } from '../../telemetry/metrics/metrics.ts';
import type { Ejection } from '../cluster/cluster.ts';
import type { WorkerUpdate } from '../config/worker-update.ts';

/** What a worker thread is born with. */
export interface WorkerStart {
  readonly workerId: number;
  /** `node.cluster` of the bootstrap. */
  readonly nodeCluster: string;
  /** SharedCounters memory of all workers, and the ledger of this one. */
  readonly sharedCounters: SharedArrayBuffer;
  readonly ledger: SharedArrayBuffer;
  /** undefined: sampled streams leave no record here; their context is passed on all the same. */
  readonly spanRing: SharedArrayBuffer | undefined;
  /** Streams of a drained listener that still run after this are cut. */
  readonly drainTimeoutMs: number;
}

export type ToWorker =
  | { readonly kind: 'update'; readonly update: WorkerUpdate }
  /** Health checks are told that we fail, or no longer: connections are asked to go elsewhere meanwhile. */
  | { readonly kind: 'healthFailing'; readonly isFailing: boolean }
  /** Stop accepting on these listeners, finish what runs, abort the rest at the deadline. */
  | { readonly kind: 'drain'; readonly inboundOnly: boolean };

export type FromWorker =
  | { readonly kind: 'started' }
  | {
      readonly kind: 'applied';
      readonly version: number;
      readonly listeners: readonly BoundListener[];
      readonly failures: readonly ListenerFailure[];
    }
  /** A downstream connection was turned away before it was any stream's: one line, at a bounded rate. */
  | { readonly kind: 'connectionRefused'; readonly message: string }
  | { readonly kind: 'metrics'; readonly announcements: readonly MetricsAnnouncement[] }
  | { readonly kind: 'drained' }
  | { readonly kind: 'ejected'; readonly ejection: Ejection }
  | { readonly kind: 'problem'; readonly message: string };

/** A listener with the address it really has (port 0 resolved). */
export interface BoundListener {
  readonly name: string;
  readonly address: string;
}

export interface ListenerFailure {
  readonly name: string;
  readonly message: string;
}
