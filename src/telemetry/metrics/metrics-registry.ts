import { Counter, Gauge, Histogram } from './instruments.ts';
import { type MetricScope, statName } from './scope.ts';
import { DEFAULT_BUCKETS_MS, type MetricKind, type MetricsAnnouncement, slotCount } from './series.ts';

export interface MetricsRegistryOptions {
  /** Told what is new, at most once per microtask; a worker posts it to the main thread as it is. */
  readonly announce: (announcements: readonly MetricsAnnouncement[]) => void;
  /** Series beyond this many share one overflow series per kind. */
  readonly maxSeries?: number;
}

const DEFAULT_MAX_SERIES = 20_000;
const SLOTS_PER_BLOCK = 2_048;
const MAX_NAME_LENGTH = 1_024;
const MAX_BUCKETS = 64;
const WEFT: MetricScope = { kind: 'weft' };

interface Series {
  readonly id: number;
  readonly kind: MetricKind;
  readonly instrument: Counter | Gauge | Histogram;
  readonly slots: Float64Array;
  readonly block: number;
  readonly offset: number;
  readonly bounds: readonly number[];
}

interface Place {
  readonly block: number;
  readonly offset: number;
}

/**
 * The series of one thread. Ask for handles when configuration arrives, keep them, and use them per request: asking
 * costs a name lookup, using costs one add. The same scope and name give the same handle.
 */
export class MetricsRegistry {
  readonly #announce: MetricsRegistryOptions['announce'];
  readonly #maxSeries: number;
  readonly #series = new Map<string, Series>();
  readonly #namesByScope = new Map<string, Set<string>>();
  readonly #blocks: Float64Array[] = [];
  /** Places of removed series by their slot count. */
  readonly #free = new Map<number, Place[]>();
  #usedInLastBlock = SLOTS_PER_BLOCK;
  #nextId = 0;
  #pending: MetricsAnnouncement[] = [];
  readonly #discard: Place;
  readonly #overflowed: Counter;

  constructor(options: MetricsRegistryOptions) {
    this.#announce = options.announce;
    this.#maxSeries = options.maxSeries ?? DEFAULT_MAX_SERIES;
    this.#discard = this.#place(MAX_BUCKETS + 2);
    this.#overflowed = this.#create(WEFT, 'metrics_series_refused', 'counter', []) as Counter;
  }

  /** A counter; `increment()` is the hot operation. */
  counter(scope: MetricScope, metric: string): Counter {
    return this.#handle(scope, metric, 'counter', []) as Counter;
  }

  /** A gauge; `add(1)` and `add(-1)` are the hot operations. */
  gauge(scope: MetricScope, metric: string): Gauge {
    return this.#handle(scope, metric, 'gauge', []) as Gauge;
  }

  /** A histogram of milliseconds. */
  histogram(scope: MetricScope, metric: string, bucketsMs: readonly number[] = DEFAULT_BUCKETS_MS): Histogram {
    return this.#handle(scope, metric, 'histogram', bucketsMs) as Histogram;
  }

  /**
   * Forgets every series of a scope that configuration no longer has. Handles that streams in flight still hold keep
   * working and write to nowhere; asking again makes new series.
   */
  removeScope(scope: MetricScope): void {
    const key = statName(scope, '');
    for (const name of this.#namesByScope.get(key) ?? []) {
      const series = this.#series.get(name);
      if (series === undefined) continue;
      this.#series.delete(name);
      const count = slotCount(series.kind, series.bounds.length);
      series.instrument.moveTo(this.#block(this.#discard.block), this.#discard.offset);
      series.slots.fill(0, series.offset, series.offset + count);
      const places = this.#free.get(count) ?? [];
      places.push({ block: series.block, offset: series.offset });
      this.#free.set(count, places);
      this.#tell({ kind: 'seriesRemoved', id: series.id });
    }
    this.#namesByScope.delete(key);
  }

  /** Announces what is pending now instead of at the end of this turn. */
  flush(): void {
    if (this.#pending.length === 0) return;
    const announcements = this.#pending;
    this.#pending = [];
    this.#announce(announcements);
  }

  #handle(scope: MetricScope, metric: string, kind: MetricKind, bounds: readonly number[]): Series['instrument'] {
    const name = statName(scope, metric);
    const known = this.#series.get(name);
    if (known !== undefined) {
      if (known.kind !== kind) throw new TypeError(`metric ${name} is a ${known.kind}, asked for as a ${kind}`);
      return known.instrument;
    }
    if (kind === 'histogram') checkBounds(name, bounds);
    if (this.#series.size >= this.#maxSeries || name.length > MAX_NAME_LENGTH) return this.#overflow(kind);
    return this.#create(scope, metric, kind, bounds);
  }

  #overflow(kind: MetricKind): Series['instrument'] {
    this.#overflowed.increment();
    const metric = `metrics_overflow_${kind}`;
    const known = this.#series.get(statName(WEFT, metric));
    return known?.instrument ?? this.#create(WEFT, metric, kind, kind === 'histogram' ? DEFAULT_BUCKETS_MS : []);
  }

  #create(scope: MetricScope, metric: string, kind: MetricKind, bounds: readonly number[]): Series['instrument'] {
    const { block, offset } = this.#place(slotCount(kind, bounds.length));
    const slots = this.#block(block);
    const instrument = makeInstrument(kind, slots, offset, bounds);
    const id = this.#nextId++;
    const name = statName(scope, metric);
    this.#series.set(name, { id, kind, instrument, slots, block, offset, bounds });
    const scopeKey = statName(scope, '');
    const names = this.#namesByScope.get(scopeKey) ?? new Set();
    this.#namesByScope.set(scopeKey, names.add(name));
    this.#tell({ kind: 'series', series: { id, kind, scope, metric, block, offset, bounds } });
    return instrument;
  }

  #place(count: number): Place {
    const reused = this.#free.get(count)?.pop();
    if (reused !== undefined) return reused;
    if (this.#usedInLastBlock + count > SLOTS_PER_BLOCK) {
      const buffer = new SharedArrayBuffer(SLOTS_PER_BLOCK * Float64Array.BYTES_PER_ELEMENT);
      this.#blocks.push(new Float64Array(buffer));
      this.#usedInLastBlock = 0;
      this.#tell({ kind: 'block', block: this.#blocks.length - 1, buffer });
    }
    const offset = this.#usedInLastBlock;
    this.#usedInLastBlock += count;
    return { block: this.#blocks.length - 1, offset };
  }

  #block(index: number): Float64Array {
    const block = this.#blocks[index];
    if (block === undefined) throw new RangeError(`no metrics block ${index}`);
    return block;
  }

  #tell(announcement: MetricsAnnouncement): void {
    this.#pending.push(announcement);
    if (this.#pending.length === 1) queueMicrotask(() => this.flush());
  }
}

function makeInstrument(
  kind: MetricKind,
  slots: Float64Array,
  offset: number,
  bounds: readonly number[],
): Series['instrument'] {
  switch (kind) {
    case 'counter':
      return new Counter(slots, offset);
    case 'gauge':
      return new Gauge(slots, offset);
    case 'histogram':
      return new Histogram(slots, offset, bounds);
  }
}

function checkBounds(name: string, bounds: readonly number[]): void {
  const ascending = bounds.every((bound, index) => Number.isFinite(bound) && bound > (bounds[index - 1] ?? -Infinity));
  if (bounds.length === 0 || bounds.length > MAX_BUCKETS || !ascending) {
    throw new RangeError(`metric ${name}: bucket bounds must be 1 to ${MAX_BUCKETS} finite ascending numbers`);
  }
}
