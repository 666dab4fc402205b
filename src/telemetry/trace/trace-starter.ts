import type { Random } from '../../base/random.ts';
import type { StreamRecord } from '../stream-record.ts';
import type { SpanRing } from './span-ring.ts';
import { checkedTracestate, isSampledFlagSet, isTraceparent } from './trace-context.ts';
import { isKept, TraceIds } from './trace-ids.ts';

/**
 * The trace context of streams, one starter per worker. Use, per stream whose connection manager has `tracing`:
 *
 *     begin(record, traceparent, tracestate, ratio)        head received; record.receivedAtMs is set
 *     outgoingTraceparent(record) → header value           for each attempt; `tracestate` becomes record.traceState,
 *                                                          or is removed where that is ''
 *     nextAttempt(record, nowMs)                           before a retry: the failed attempt becomes a span of its own
 *     end(record)                                          record is complete
 *
 * An inbound stream is one SERVER span whatever its attempts; an outbound attempt is one CLIENT span.
 */
export class TraceStarter {
  readonly #ids: TraceIds;
  readonly #ring: SpanRing | undefined;

  constructor(random: Random, ring: SpanRing | undefined) {
    this.#ids = new TraceIds(random);
    this.#ring = ring;
  }

  /**
   * Joins the caller's trace, or starts one and keeps it with the given share (0 to 1). The caller's decision stands:
   * an unsampled trace is passed on under the caller's own span, since this hop adds none.
   */
  begin(record: StreamRecord, traceparent: string | undefined, tracestate: string | undefined, ratio: number): void {
    record.attemptStartedAtMs = record.receivedAtMs;
    if (traceparent !== undefined && isTraceparent(traceparent)) {
      this.#join(record, traceparent, tracestate);
      return;
    }
    record.traceId = this.#ids.traceId();
    record.sampled = ratio > 0 && isKept(this.#ids.traceWordsFolded(), ratio);
    record.spanId = this.#ids.spanId();
    record.parentSpanId = '';
    record.traceState = '';
  }

  /** The `traceparent` that goes with the current attempt. */
  outgoingTraceparent(record: StreamRecord): string {
    return `00-${record.traceId}-${record.spanId}${record.sampled ? '-01' : '-00'}`;
  }

  /**
   * Before an outbound stream is tried again: records the attempt that just failed, as the record describes it, and gives
   * the next one its own span identifier under the same parent.
   */
  nextAttempt(record: StreamRecord, nowMs: number): void {
    this.endAttempt(record, nowMs);
    this.forkAttempt(record, nowMs);
  }

  /** The same where the attempt goes on: the next one begins beside it, and endAttempt() comes later for one of them. */
  forkAttempt(record: StreamRecord, nowMs: number): void {
    if (!record.sampled || record.direction === 'inbound') return;
    record.spanId = this.#ids.spanId();
    record.attemptStartedAtMs = nowMs;
  }

  /** Records the attempt that the record describes; the stream goes on with another. */
  endAttempt(record: StreamRecord, nowMs: number): void {
    if (!record.sampled || record.direction === 'inbound') return;
    this.#ring?.write(record, nowMs);
  }

  /** Records the stream's (last) span, ending at record.endedAtMs. */
  end(record: StreamRecord): void {
    if (record.sampled) this.#ring?.write(record, record.endedAtMs);
  }

  #join(record: StreamRecord, traceparent: string, tracestate: string | undefined): void {
    record.traceId = traceparent.slice(3, 35);
    record.parentSpanId = traceparent.slice(36, 52);
    record.sampled = isSampledFlagSet(traceparent);
    if (record.sampled) {
      record.spanId = this.#ids.spanId();
      record.traceState = tracestate === undefined ? '' : checkedTracestate(tracestate);
    } else {
      record.spanId = record.parentSpanId;
      record.traceState = tracestate ?? '';
    }
  }
}
