import type { ReceivedSpan } from './received-span.ts';

export interface TraceStoreLimits {
  /** Traces kept; the one begun first goes first. */
  readonly maxTraces: number;
  /** Spans kept of one trace; more are counted and let go. */
  readonly maxSpansPerTrace: number;
}

/** What a list shows of one trace. */
export interface TraceSummary {
  readonly traceId: string;
  /** Name and service of the span without a parent, or of the earliest one while that is not here. */
  readonly rootName: string;
  readonly rootService: string;
  readonly services: readonly string[];
  readonly spans: number;
  readonly startUnixMs: number;
  readonly durationMs: number;
  readonly errors: number;
  /** Two spans with the same parent overlap in time. */
  readonly concurrent: boolean;
}

/** Over everything received, traces let go included. */
export interface TraceStats {
  readonly traces: number;
  readonly spans: number;
  /** Spans without valid identifiers, or beyond a trace's bound. */
  readonly dropped: number;
  readonly maxSpansInOne: number;
  readonly concurrent: number;
}

interface StoredTrace {
  readonly traceId: string;
  readonly spans: Map<string, ReceivedSpan>;
  concurrent: boolean;
}

const DEFAULT_LIMITS: TraceStoreLimits = { maxTraces: 1_000, maxSpansPerTrace: 512 };

/** The last traces, in memory. */
export class TraceStore {
  readonly #limits: TraceStoreLimits;
  readonly #traces = new Map<string, StoredTrace>();
  #traceCount = 0;
  #spanCount = 0;
  #dropped = 0;
  #maxSpansInOne = 0;
  #concurrent = 0;

  constructor(limits: TraceStoreLimits = DEFAULT_LIMITS) {
    this.#limits = limits;
  }

  /** Keeps a span; one that came before (an exporter's retry) counts once. */
  add(span: ReceivedSpan): void {
    const trace = this.#trace(span.traceId);
    if (trace.spans.has(span.spanId)) return;
    if (trace.spans.size >= this.#limits.maxSpansPerTrace) {
      this.#dropped += 1;
      return;
    }
    if (!trace.concurrent && overlapsSibling(trace, span)) {
      trace.concurrent = true;
      this.#concurrent += 1;
    }
    trace.spans.set(span.spanId, span);
    this.#spanCount += 1;
    this.#maxSpansInOne = Math.max(this.#maxSpansInOne, trace.spans.size);
  }

  countRejected(spans: number): void {
    this.#dropped += spans;
  }

  /** The traces begun last, newest first. */
  recent(limit: number): readonly TraceSummary[] {
    return [...this.#traces.values()].slice(-limit).reverse().map(summary);
  }

  /** The spans of one trace by start; empty where it is not kept. */
  spans(traceId: string): readonly ReceivedSpan[] {
    const spans = [...(this.#traces.get(traceId)?.spans.values() ?? [])];
    return spans.sort((a, b) => (BigInt(a.startUnixNano) < BigInt(b.startUnixNano) ? -1 : 1));
  }

  stats(): TraceStats {
    return {
      traces: this.#traceCount,
      spans: this.#spanCount,
      dropped: this.#dropped,
      maxSpansInOne: this.#maxSpansInOne,
      concurrent: this.#concurrent,
    };
  }

  #trace(traceId: string): StoredTrace {
    const known = this.#traces.get(traceId);
    if (known !== undefined) return known;
    const trace: StoredTrace = { traceId, spans: new Map(), concurrent: false };
    this.#traces.set(traceId, trace);
    this.#traceCount += 1;
    if (this.#traces.size > this.#limits.maxTraces) {
      const [oldest] = this.#traces.keys();
      if (oldest !== undefined) this.#traces.delete(oldest);
    }
    return trace;
  }
}

function overlapsSibling(trace: StoredTrace, span: ReceivedSpan): boolean {
  if (span.parentSpanId === '') return false;
  const start = BigInt(span.startUnixNano);
  const end = BigInt(span.endUnixNano);
  for (const other of trace.spans.values()) {
    if (other.parentSpanId !== span.parentSpanId) continue;
    if (BigInt(other.startUnixNano) < end && start < BigInt(other.endUnixNano)) return true;
  }
  return false;
}

function summary(trace: StoredTrace): TraceSummary {
  const spans = [...trace.spans.values()];
  const first = spans.reduce<ReceivedSpan | undefined>(
    (best, span) => (best === undefined || BigInt(span.startUnixNano) < BigInt(best.startUnixNano) ? span : best),
    undefined,
  );
  const root = spans.find(({ parentSpanId }) => parentSpanId === '') ?? first;
  const startMs = milliseconds(first?.startUnixNano ?? '0');
  const endMs = spans.reduce((latest, { endUnixNano }) => Math.max(latest, milliseconds(endUnixNano)), startMs);
  return {
    traceId: trace.traceId,
    rootName: root?.name ?? '',
    rootService: root?.service ?? '',
    services: [...new Set(spans.map(({ service }) => service))].sort(),
    spans: spans.length,
    startUnixMs: startMs,
    durationMs: Math.round((endMs - startMs) * 1_000) / 1_000,
    errors: spans.filter(({ status }) => status.code === 'error').length,
    concurrent: trace.concurrent,
  };
}

function milliseconds(unixNano: string): number {
  return Number(BigInt(unixNano) / 1_000n) / 1_000;
}
