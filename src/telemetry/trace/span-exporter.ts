import { BatchSpanProcessor } from '@opentelemetry/sdk-trace';
import { type Clock, systemClock } from '../../base/clock.ts';
import type { Logger } from '../log/log.ts';
import type { MetricsRegistry } from '../metrics/metrics.ts';
import { CountedExporter } from './counted-exporter.ts';
import type { TraceExportSettings } from './export-settings.ts';
import { otlpExporter } from './otlp-exporter.ts';
import { SdkSpans } from './sdk-spans.ts';
import { SpanRingReader } from './span-ring-reader.ts';

export interface SpanExporterOptions {
  readonly settings: TraceExportSettings;
  /** The Consul service; OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES go before it. */
  readonly serviceName: string;
  /** The proxy's own identifier. */
  readonly serviceInstanceId: string;
  readonly log: Logger;
  readonly clock?: Clock;
  /** The main thread's own registry, to show the counts in `/stats` as `tracing.opentelemetry.spans_*`. */
  readonly metrics?: MetricsRegistry;
}

/** What became of spans since the start. */
export interface SpanExportCounts {
  readonly exported: number;
  readonly failed: number;
  /** Refused by a full ring, or left in one at the end, because exporting could not keep up. */
  readonly dropped: number;
  /** Made, and neither exported nor failed yet. */
  readonly pending: number;
}

const DRAIN_INTERVAL_MS = 50;
/** While exports fail: one record each second, to see whether they still do. */
const PROBE_EVERY_DRAINS = 20;
/** Records of one ring per turn: about 15 ms of the main thread's time at most. */
const MAX_RECORDS_PER_RING = 512;
/** Below this a wall clock that differs from ours is rounding; above it was set or the machine slept. */
const CLOCK_STEP_MS = 5;

/**
 * The main thread's end of the rings: reads records now and then, makes SDK spans of them, lets the SDK's batch
 * processor export them. While as many spans wait as the processor holds, records stay in their ring; a ring that then
 * fills drops and counts. So do rings while the collector is away, since spans that nobody takes cost as much to make as
 * others. Nothing here can make a worker wait.
 */
export class SpanExporter {
  readonly #spans: SdkSpans;
  readonly #counted: CountedExporter;
  readonly #clock: Clock;
  readonly #maxPending: number;
  readonly #rings = new Map<number, SpanRingReader>();
  readonly #timer: NodeJS.Timeout;
  readonly #publish: (counts: SpanExportCounts) => void;
  #made = 0;
  #drains = 0;
  #droppedByEndedThreads = 0;

  /** Loads the exporter the settings name and begins to read. */
  static async start(options: SpanExporterOptions): Promise<SpanExporter> {
    const { log, settings } = options;
    const inner = await otlpExporter(settings);
    const counted = new CountedExporter(inner, (error) => {
      if (error === undefined) log.info({ url: settings.url }, 'traces are exported again');
      else log.warn({ url: settings.url, reason: error.message }, 'traces cannot be exported; traffic goes on');
    });
    return new SpanExporter(options, counted);
  }

  private constructor(options: SpanExporterOptions, counted: CountedExporter) {
    const { settings } = options;
    this.#counted = counted;
    this.#clock = options.clock ?? systemClock;
    this.#maxPending = settings.maxQueueSize;
    const processor = new BatchSpanProcessor({
      exporter: counted,
      maxQueueSize: settings.maxQueueSize,
      maxExportBatchSize: settings.maxExportBatchSize,
      scheduledDelayMillis: settings.scheduleDelayMs,
      exportTimeoutMillis: settings.exportTimeoutMs,
    });
    const resource = {
      'service.name': options.serviceName,
      'service.instance.id': options.serviceInstanceId,
      ...settings.resourceAttributes,
      ...(settings.serviceName === undefined ? {} : { 'service.name': settings.serviceName }),
    };
    this.#spans = new SdkSpans(resource, processor);
    this.#publish = publisher(options.metrics);
    this.#timer = setInterval(() => {
      this.#drainOrProbe();
      this.#publish(this.counts);
    }, DRAIN_INTERVAL_MS);
    this.#timer.unref();
  }

  /** Reads a thread's ring from now on. */
  attach(thread: number, ring: SharedArrayBuffer): void {
    this.#rings.set(thread, new SpanRingReader(ring));
  }

  /** Reads what a thread that ended left behind, as far as there is room, counts the rest and forgets its ring. */
  detach(thread: number): void {
    const ring = this.#rings.get(thread);
    if (ring === undefined) return;
    while (this.#drainRing(ring, MAX_RECORDS_PER_RING) > 0);
    this.#droppedByEndedThreads += ring.dropped + ring.waiting;
    this.#rings.delete(thread);
  }

  /** Reads every ring now, within bounds; the timer calls it. */
  drain(): number {
    let count = 0;
    for (const ring of this.#rings.values()) count += this.#drainRing(ring, MAX_RECORDS_PER_RING);
    return count;
  }

  get counts(): SpanExportCounts {
    let dropped = this.#droppedByEndedThreads;
    for (const ring of this.#rings.values()) dropped += ring.dropped;
    const { exported, failed } = this.#counted;
    return { exported, failed, dropped, pending: this.#pending };
  }

  /** Reads and sends what there is; true where all of it was exported within the bound. */
  async flush(timeoutMs: number): Promise<boolean> {
    this.drain();
    try {
      await within(this.#spans.flush(timeoutMs), timeoutMs);
      return this.#pending === 0;
    } catch {
      return false;
    }
  }

  /** Sends what is left, for at most so long, and stops reading. What could not be sent is counted as pending. */
  async shutdown(timeoutMs: number): Promise<void> {
    clearInterval(this.#timer);
    for (const thread of [...this.#rings.keys()]) this.detach(thread);
    // Failing to export at the end is counted and logged like any other time; the program ends all the same.
    await within(this.#spans.shutdown(), timeoutMs).catch(() => {});
  }

  get #pending(): number {
    return this.#made - this.#counted.exported - this.#counted.failed;
  }

  #drainOrProbe(): void {
    this.#drains += 1;
    if (!this.#counted.isFailing) this.drain();
    else if (this.#drains % PROBE_EVERY_DRAINS === 0) {
      for (const ring of this.#rings.values()) if (this.#drainRing(ring, 1) > 0) return;
    }
  }

  #drainRing(ring: SpanRingReader, atMost: number): number {
    const room = Math.min(atMost, this.#maxPending - this.#pending);
    if (room <= 0) return 0;
    const originMs = this.#originMs(ring.timeOriginMs);
    return ring.drain(room, (record) => {
      this.#made += 1;
      this.#spans.make(record, originMs);
    });
  }

  /** Threads' clocks never step; the wall clock does. Our own thread's clock tells by how much. */
  #originMs(ringOriginMs: number): number {
    const step = this.#clock.wallMs() - (performance.timeOrigin + this.#clock.nowMs());
    return Math.abs(step) < CLOCK_STEP_MS ? ringOriginMs : ringOriginMs + step;
  }
}

/** Brings counters up to the counts, which only grow. */
function publisher(metrics: MetricsRegistry | undefined): (counts: SpanExportCounts) => void {
  if (metrics === undefined) return () => {};
  const sent = metrics.counter({ kind: 'tracing' }, 'spans_sent');
  const failed = metrics.counter({ kind: 'tracing' }, 'spans_failed');
  const dropped = metrics.counter({ kind: 'tracing' }, 'spans_dropped');
  return (counts) => {
    sent.add(counts.exported - sent.value);
    failed.add(counts.failed - failed.value);
    dropped.add(counts.dropped - dropped.value);
  };
}

async function within(work: Promise<void>, timeoutMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not done within ${timeoutMs} ms`)), timeoutMs);
  });
  // Whichever loses may still fail later; that is nobody's business any more.
  work.catch(() => {});
  try {
    await Promise.race([work, deadline]);
  } finally {
    clearTimeout(timer);
  }
}
