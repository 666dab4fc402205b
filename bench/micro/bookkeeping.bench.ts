/**
 * Cost of what is remembered of each request: counters, latency histogram, deadlines, trace context and a kept span.
 * `node bench/micro/bookkeeping.bench.ts [--json]`.
 */
import { systemRandom } from '../../src/base/random.ts';
import { MetricsRegistry } from '../../src/telemetry/metrics/metrics.ts';
import { StreamRecord } from '../../src/telemetry/stream-record.ts';
import { SpanRing, spanRingBuffer, TraceStarter } from '../../src/telemetry/trace/trace.ts';
import { Deadline, Deadlines } from '../../src/transport-socket/transport-socket.ts';
import { measure, report } from './measure.ts';

const OPERATIONS = 100_000;
const RECORDS = 1_024;

const metrics = new MetricsRegistry({ announce: () => undefined });
const counter = metrics.counter({ kind: 'weft' }, 'bench_total');
const histogram = metrics.histogram({ kind: 'weft' }, 'bench_time');
const deadlines = new Deadlines(0);
const deadline = new Deadline({ onDeadline: () => undefined });
const traces = new TraceStarter(systemRandom, undefined);
const record = new StreamRecord();
const incoming = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00';
let nowMs = 0;
let ring = new SpanRing(spanRingBuffer(RECORDS), 0);
let written = 0;

const cases = [
  { name: 'counter: increment', run: () => counter.increment() },
  { name: 'histogram: record', run: () => histogram.record(nowMs & 1_023) },
  { name: 'deadline: schedule again', run: () => deadlines.schedule(deadline, 15_000 + nowMs++) },
  {
    name: 'trace context: begin a trace, 1 % kept, and write traceparent',
    run(): void {
      traces.begin(record, undefined, undefined, 0.01);
      traces.outgoingTraceparent(record);
    },
  },
  {
    name: 'trace context: join an unsampled trace',
    run(): void {
      traces.begin(record, incoming, undefined, 0.01);
      traces.outgoingTraceparent(record);
    },
  },
  {
    name: 'span ring: write a record',
    run(): void {
      // Nobody reads here: a full ring makes room by being a new one.
      if (written++ === RECORDS - 1) {
        written = 0;
        ring = new SpanRing(spanRingBuffer(RECORDS), 0);
      }
      ring.write(record, nowMs);
    },
  },
];

record.traceId = '0af7651916cd43dd8448eb211c80319c';
record.spanId = 'b7ad6b7169203331';
record.method = 'GET';
record.path = '/orders/17?page=2';
record.clusterName = 'web.default.dc1.internal.weft';

report(
  'bookkeeping',
  cases.map(({ name, run }) => ({
    name,
    ...measure(() => {
      for (let index = 0; index < OPERATIONS; index++) run();
    }, OPERATIONS),
  })),
);
