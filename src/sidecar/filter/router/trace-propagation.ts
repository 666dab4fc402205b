import type { HeaderEdits } from '../../../http/header-edits.ts';
import type { HeaderFields } from '../../../http/header-fields.ts';
import type { StreamRecord } from '../../../telemetry/stream-record.ts';
import type { TraceStarter } from '../../../telemetry/trace/trace.ts';

/** Puts the trace context of the record's hop among the edits of the outgoing head (W3C Trace Context). */
export function propagateTrace(
  traces: TraceStarter,
  record: StreamRecord,
  fields: HeaderFields,
  edits: HeaderEdits,
): void {
  const traceparent = traces.outgoingTraceparent(record);
  // A retry finds the one of the attempt before among the edits.
  if (record.attempt > 0 || fields.indexOf('traceparent') >= 0) edits.setUnique(fields, 'traceparent', traceparent);
  else edits.addUnique('traceparent', traceparent);
  if (record.traceState !== '') edits.set(fields, 'tracestate', record.traceState);
  else if (fields.indexOf('tracestate') >= 0) edits.remove(fields, 'tracestate');
}
