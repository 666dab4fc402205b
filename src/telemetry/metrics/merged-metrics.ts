import { type MetricScope, statName } from './scope.ts';
import { type MetricKind, type MetricsAnnouncement, type SeriesDescription, slotCount } from './series.ts';

/** Beyond this many series those of ended threads alone are let go; living threads are bounded by their registries. */
const MAX_SERIES = 100_000;

interface Part {
  readonly slots: Float64Array;
  readonly offset: number;
}

interface MergedSeries {
  readonly name: string;
  readonly kind: MetricKind;
  readonly scope: MetricScope;
  readonly metric: string;
  readonly bounds: readonly number[];
  /** By thread. */
  readonly parts: Map<number, Part>;
  /** What threads that ended had counted; stays zero for gauges. */
  readonly retired: Float64Array;
}

interface Thread {
  readonly blocks: Map<number, Float64Array>;
  readonly series: Map<number, MergedSeries>;
}

/** One series summed over threads at the moment of reading. */
export interface SeriesReading {
  readonly name: string;
  readonly kind: MetricKind;
  readonly scope: MetricScope;
  readonly metric: string;
  readonly bounds: readonly number[];
  /** One number, or a histogram's sum, buckets and +Inf bucket. */
  readonly values: Float64Array;
}

/**
 * The main thread's view: every thread's announcements go in, sums come out. A thread that ended keeps what it counted,
 * while its gauges, which described it while it lived, are gone.
 */
export class MergedMetrics {
  readonly #series = new Map<string, MergedSeries>();
  readonly #threads = new Map<number, Thread>();
  #sorted: readonly MergedSeries[] | undefined;
  #conflicts = 0;

  /** Takes what a registry announced, in the order it did. `thread` names the registry; 0 is the main thread's own. */
  apply(thread: number, announcements: readonly MetricsAnnouncement[]): void {
    const state = this.#thread(thread);
    for (const announcement of announcements) {
      switch (announcement.kind) {
        case 'block':
          state.blocks.set(announcement.block, new Float64Array(announcement.buffer));
          break;
        case 'series':
          this.#add(thread, state, announcement.series);
          break;
        case 'seriesRemoved':
          this.#remove(thread, state, announcement.id);
          break;
      }
    }
  }

  /** Folds what the thread counted into the totals and lets go of its memory; the same number may be used again. */
  threadEnded(thread: number): void {
    const state = this.#threads.get(thread);
    if (state === undefined) return;
    for (const series of state.series.values()) {
      const part = series.parts.get(thread);
      if (part !== undefined && series.kind !== 'gauge') addPart(series.retired, part);
      series.parts.delete(thread);
    }
    this.#threads.delete(thread);
    if (this.#series.size > MAX_SERIES) this.#forgetRetired();
  }

  /** Announced series that could not be merged because another thread has that name with another kind or buckets. */
  get conflicts(): number {
    return this.#conflicts;
  }

  get size(): number {
    return this.#series.size;
  }

  /** All series by name. Lazy: each is summed when it is reached, so that a reader may pause between them. */
  *read(): Generator<SeriesReading, void, void> {
    this.#sorted ??= [...this.#series.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
    for (const series of this.#sorted) {
      const values = Float64Array.from(series.retired);
      for (const part of series.parts.values()) addPart(values, part);
      const { name, kind, scope, metric, bounds } = series;
      yield { name, kind, scope, metric, bounds, values };
    }
  }

  /** The sum of one counter or gauge, 0 where there is none. */
  value(scope: MetricScope, metric: string): number {
    const series = this.#series.get(statName(scope, metric));
    if (series === undefined) return 0;
    let sum = series.retired[0] ?? 0;
    for (const part of series.parts.values()) sum += part.slots[part.offset] ?? 0;
    return sum;
  }

  /** Totals that no living thread adds to: kept for their readers, but not without bound. */
  #forgetRetired(): void {
    for (const [name, series] of this.#series) if (series.parts.size === 0) this.#series.delete(name);
    this.#sorted = undefined;
  }

  #thread(thread: number): Thread {
    const known = this.#threads.get(thread);
    if (known !== undefined) return known;
    const state: Thread = { blocks: new Map(), series: new Map() };
    this.#threads.set(thread, state);
    return state;
  }

  #add(thread: number, state: Thread, description: SeriesDescription): void {
    const slots = state.blocks.get(description.block);
    if (slots === undefined)
      throw new RangeError(`thread ${thread} announced a series in unknown block ${description.block}`);
    const { kind, scope, metric, bounds, offset } = description;
    const name = statName(scope, metric);
    let series = this.#series.get(name);
    if (series === undefined) {
      const retired = new Float64Array(slotCount(kind, bounds.length));
      series = { name, kind, scope, metric, bounds, parts: new Map(), retired };
      this.#series.set(name, series);
      this.#sorted = undefined;
    } else if (series.kind !== kind || series.bounds.join() !== bounds.join()) {
      this.#conflicts += 1;
      return;
    }
    series.parts.set(thread, { slots, offset });
    state.series.set(description.id, series);
  }

  #remove(thread: number, state: Thread, id: number): void {
    const series = state.series.get(id);
    if (series === undefined) return;
    state.series.delete(id);
    series.parts.delete(thread);
    if (series.parts.size > 0) return;
    this.#series.delete(series.name);
    this.#sorted = undefined;
  }
}

function addPart(values: Float64Array, part: Part): void {
  for (let index = 0; index < values.length; index += 1) {
    values[index] = (values[index] ?? 0) + (part.slots[part.offset + index] ?? 0);
  }
}
