import { ROOT_CONTEXT, SamplingDecision } from '@opentelemetry/api';
import { TraceIdRatioBasedSampler } from '@opentelemetry/sdk-trace';
import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../base/random.ts';
import { StreamRecord } from '../stream-record.ts';
import { SpanRingReader } from './span-ring-reader.ts';
import { SpanRing, spanRingBuffer, TraceStarter } from './trace.ts';
import { isTraceparent } from './trace-context.ts';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const SPAN = '00f067aa0ba902b7';

function starter(): { starter: TraceStarter; drained: () => StreamRecord[] } {
  const buffer = spanRingBuffer(8);
  const reader = new SpanRingReader(buffer);
  return {
    starter: new TraceStarter(seededRandom(1), new SpanRing(buffer, 0)),
    drained: () => {
      const records: StreamRecord[] = [];
      reader.drain(8, (record) => records.push(record));
      return records;
    },
  };
}

function outbound(): StreamRecord {
  const record = new StreamRecord();
  record.direction = 'outbound';
  record.receivedAtMs = 100;
  return record;
}

describe('beginning a trace', () => {
  it('starts one where none came: valid identifiers, unsampled at share 0, sampled at share 1', () => {
    const record = outbound();
    const { starter: traces } = starter();
    const seen = new Set<string>();
    for (let index = 0; index < 2_000; index += 1) {
      traces.begin(record, undefined, undefined, index % 2);
      expect(record.sampled).toBe(index % 2 === 1);
      const traceparent = traces.outgoingTraceparent(record);
      expect(isTraceparent(traceparent)).toBe(true);
      expect(traceparent.endsWith(record.sampled ? '-01' : '-00')).toBe(true);
      seen.add(record.traceId).add(record.spanId);
    }
    expect(record.parentSpanId).toBe('');
    expect(seen.size).toBe(4_000);
  });

  it('gives the same identifiers for the same seed', () => {
    const make = (): string => {
      const record = outbound();
      const { starter: traces } = starter();
      traces.begin(record, undefined, undefined, 1);
      return traces.outgoingTraceparent(record);
    };
    expect(make()).toBe(make());
  });

  it("keeps exactly the traces that the SDK's ratio sampler keeps", () => {
    const record = outbound();
    const { starter: traces } = starter();
    for (const ratio of [0.0001, 0.1, 0.5, 0.9, 0.9999]) {
      const sdk = new TraceIdRatioBasedSampler(ratio);
      for (let index = 0; index < 1_000; index += 1) {
        traces.begin(record, undefined, undefined, ratio);
        const { decision } = sdk.shouldSample(ROOT_CONTEXT, record.traceId);
        expect(record.sampled).toBe(decision === SamplingDecision.RECORD_AND_SAMPLED);
      }
    }
  });

  it("joins a sampled trace with a span of its own, whatever this hop's share is", () => {
    const record = outbound();
    const { starter: traces } = starter();
    traces.begin(record, `00-${TRACE}-${SPAN}-01`, 'a=1', 0);
    expect(record).toMatchObject({ traceId: TRACE, parentSpanId: SPAN, traceState: 'a=1', sampled: true });
    expect(record.spanId).not.toBe(SPAN);
    expect(traces.outgoingTraceparent(record)).toBe(`00-${TRACE}-${record.spanId}-01`);
  });

  it('passes an unsampled trace on as it came', () => {
    const record = outbound();
    const { starter: traces } = starter();
    traces.begin(record, `00-${TRACE}-${SPAN}-00`, 'a=1', 1);
    expect(record).toMatchObject({ sampled: false, traceState: 'a=1' });
    expect(traces.outgoingTraceparent(record)).toBe(`00-${TRACE}-${SPAN}-00`);
  });

  it('starts anew and drops the tracestate where the traceparent cannot be believed', () => {
    const record = outbound();
    const { starter: traces } = starter();
    traces.begin(record, `00-${TRACE}-${'0'.repeat(16)}-01`, 'a=1', 0);
    expect(record.traceId).not.toBe(TRACE);
    expect(record).toMatchObject({ parentSpanId: '', traceState: '', sampled: false });
  });
});

describe('attempts', () => {
  it('are client spans side by side under one parent', () => {
    const record = outbound();
    const { starter: traces, drained } = starter();
    traces.begin(record, `00-${TRACE}-${SPAN}-01`, undefined, 0);
    record.attempt = 1;
    record.responseFlags = 'UF';
    traces.nextAttempt(record, 110);
    record.attempt = 2;
    record.responseFlags = '';
    record.status = 200;
    record.endedAtMs = 130;
    traces.end(record);
    const [first, second] = drained();
    expect(first).toMatchObject({
      attempt: 1,
      parentSpanId: SPAN,
      attemptStartedAtMs: 100,
      endedAtMs: 110,
      responseFlags: 'UF',
    });
    expect(second).toMatchObject({
      attempt: 2,
      parentSpanId: SPAN,
      attemptStartedAtMs: 110,
      endedAtMs: 130,
      status: 200,
    });
    expect(first?.spanId).not.toBe(second?.spanId);
  });

  it('of an inbound stream share its one server span', () => {
    const record = outbound();
    record.direction = 'inbound';
    const { starter: traces, drained } = starter();
    traces.begin(record, undefined, undefined, 1);
    const { spanId } = record;
    traces.nextAttempt(record, 110);
    traces.end(record);
    expect(drained().map((span) => span.spanId)).toEqual([spanId]);
  });

  it('leave nothing in the ring where the trace is not sampled', () => {
    const record = outbound();
    const { starter: traces, drained } = starter();
    traces.begin(record, undefined, undefined, 0);
    traces.nextAttempt(record, 110);
    traces.end(record);
    expect(drained()).toEqual([]);
  });
});
