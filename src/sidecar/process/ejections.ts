import type { Ejection } from '../cluster/cluster.ts';
import { CLUSTER_FIELD, HEALTH_FLAG, HOST_FIELD, type SharedCounters } from '../cluster/shared-counters.ts';

interface Ejected {
  readonly timer: NodeJS.Timeout | undefined;
  /** Times it has been out; each makes the next longer. */
  readonly times: number;
}

/** More hosts than this are not remembered; their next ejection counts as the first. */
const MAX_REMEMBERED = 10_000;

/** Lets ejected hosts back in after base × times (Envoy's outlier detection), at most max_ejection_time. */
export class Ejections {
  readonly #counters: SharedCounters;
  readonly #hosts = new Map<number, Ejected>();
  total = 0;

  constructor(counters: SharedCounters) {
    this.#counters = counters;
  }

  /** Returns how long the host stays out, milliseconds. */
  begin(ejection: Ejection): number {
    this.total++;
    const known = this.#hosts.get(ejection.hostSlot);
    clearTimeout(known?.timer);
    const times = (known?.times ?? 0) + 1;
    const durationMs = Math.min(ejection.baseEjectionTimeMs * times, ejection.maxEjectionTimeMs);
    const timer = setTimeout(() => this.#end(ejection, times), durationMs);
    timer.unref();
    if (this.#hosts.size >= MAX_REMEMBERED) this.#hosts.clear();
    this.#hosts.set(ejection.hostSlot, { timer, times });
    return durationMs;
  }

  /** The slot belongs to nobody any more. */
  forget(hostSlot: number): void {
    clearTimeout(this.#hosts.get(hostSlot)?.timer);
    this.#hosts.delete(hostSlot);
  }

  stop(): void {
    for (const { timer } of this.#hosts.values()) clearTimeout(timer);
    this.#hosts.clear();
  }

  #end(ejection: Ejection, times: number): void {
    this.#hosts.set(ejection.hostSlot, { timer: undefined, times });
    this.#counters.clearBits(this.#counters.hostCell(ejection.hostSlot, HOST_FIELD.health), HEALTH_FLAG.ejected);
    this.#counters.advance(this.#counters.clusterCell(ejection.clusterSlot, CLUSTER_FIELD.healthGeneration));
  }
}
