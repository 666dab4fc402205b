import {
  type Attributes,
  type Context,
  createTraceState,
  type HrTime,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  TraceFlags,
  type Tracer,
  trace,
} from '@opentelemetry/api';
import { defaultResource, resourceFromAttributes } from '@opentelemetry/resources';
import { AlwaysOnSampler, type IdGenerator, type SpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';
import type { StreamRecord } from '../stream-record.ts';
import { spanOfRecord } from './span-of-record.ts';

/** Hands out the identifiers that the worker chose: they went out in `traceparent` long before the span is made. */
class ChosenIds implements IdGenerator {
  traceId = '';
  spanId = '';

  generateTraceId(): string {
    return this.traceId;
  }

  generateSpanId(): string {
    return this.spanId;
  }
}

/** Makes ended SDK spans of records. Contexts are passed along explicitly; no global is touched. */
export class SdkSpans {
  readonly #ids = new ChosenIds();
  readonly #provider: TracerProvider;
  readonly #tracer: Tracer;

  constructor(resourceAttributes: Attributes, processor: SpanProcessor) {
    this.#provider = new TracerProvider({
      resource: defaultResource().merge(resourceFromAttributes(resourceAttributes)),
      sampler: new AlwaysOnSampler(),
      idGenerator: this.#ids,
      spanProcessors: [processor],
    });
    this.#tracer = this.#provider.getTracer('weft');
  }

  /** `originMs` is the wall clock at which the record's clock read zero. */
  make(record: StreamRecord, originMs: number): void {
    const content = spanOfRecord(record);
    this.#ids.traceId = record.traceId;
    this.#ids.spanId = record.spanId;
    const span = this.#tracer.startSpan(
      content.name,
      {
        kind: content.kind === 'server' ? SpanKind.SERVER : SpanKind.CLIENT,
        startTime: hrTime(originMs + content.startMs),
        attributes: content.attributes,
      },
      parentContext(record),
    );
    for (const event of content.events) span.addEvent(event.name, hrTime(originMs + event.atMs));
    if (content.error !== undefined) {
      span.setStatus({ code: SpanStatusCode.ERROR, ...(content.error === '' ? {} : { message: content.error }) });
    }
    span.end(hrTime(originMs + content.endMs));
  }

  /** Sends what is left and closes the exporter. */
  shutdown(): Promise<void> {
    return this.#provider.shutdown();
  }

  flush(timeoutMs: number): Promise<void> {
    return this.#provider.forceFlush({ timeoutMillis: timeoutMs });
  }
}

function parentContext(record: StreamRecord): Context {
  if (record.parentSpanId === '') return ROOT_CONTEXT;
  return trace.setSpanContext(ROOT_CONTEXT, {
    traceId: record.traceId,
    spanId: record.parentSpanId,
    traceFlags: TraceFlags.SAMPLED,
    isRemote: true,
    ...(record.traceState === '' ? {} : { traceState: createTraceState(record.traceState) }),
  });
}

/** Seconds and nanoseconds: a plain number would be taken for this thread's own performance clock where it is small. */
function hrTime(wallMs: number): HrTime {
  const seconds = Math.floor(wallMs / 1_000);
  return [seconds, Math.min(999_999_999, Math.round((wallMs - seconds * 1_000) * 1e6))];
}
