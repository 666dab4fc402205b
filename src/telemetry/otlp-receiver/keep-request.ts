import type { ExportRequest } from './otlp-messages.ts';
import { receivedSpans } from './received-span.ts';
import type { TraceStore } from './trace-store.ts';

/** Puts a decoded request's spans into the store. */
export function keepRequest(store: TraceStore, request: ExportRequest): void {
  const { spans, rejected } = receivedSpans(request);
  for (const span of spans) store.add(span);
  store.countRejected(rejected);
}
