import { StreamRecord } from '../../telemetry/stream-record.ts';

export function newStreamRecord(): StreamRecord {
  return new StreamRecord();
}

/** Forgets the stream before; what every request sets anyway is left alone. */
export function resetRecord(record: StreamRecord): void {
  record.requestEndAtMs = 0;
  record.attemptStartedAtMs = 0;
  record.pickedAtMs = 0;
  record.connectionReadyAtMs = 0;
  record.firstUpstreamByteAtMs = 0;
  record.endedAtMs = 0;
  record.queueMs = 0;
  record.userAgent = '';
  record.routeName = '';
  record.clusterName = '';
  record.hostAddress = '';
  record.hostPort = 0;
  record.attempt = 0;
  record.connectionReused = false;
  record.hostInFlightAtPick = 0;
  record.status = 0;
  record.requestBodyBytes = 0;
  record.responseBodyBytes = 0;
  record.responseFlags = '';
  record.responseCodeDetails = '';
  record.traceId = '';
  record.spanId = '';
  record.parentSpanId = '';
  record.traceState = '';
  record.sampled = false;
}
