/**
 * Distributed traces. On a worker: W3C trace context in and out, the sampling decision, and a ring in shared memory into
 * which the record of each sampled stream is written. On the main thread: the ring's reader, which makes OpenTelemetry
 * SDK spans of those records and lets the SDK export them. This room knows W3C's and OpenTelemetry's rules; it does not
 * know routes, hosts or connections, keeps no context of its own and registers nothing globally.
 *
 * The SDK takes a sixth of a second to load, and a worker never needs it: the main thread imports `span-exporter.ts` itself.
 */

export {
  type Environment,
  readTraceExportSettings,
  type TraceExportDecision,
  type TraceExportSettings,
} from './export-settings.ts';
export { SPAN_RING_RECORDS, SpanRing, spanRingBuffer } from './span-ring.ts';
export { TraceStarter } from './trace-starter.ts';
