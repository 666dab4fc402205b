import type { StreamRecord } from '../../../telemetry/stream-record.ts';
import type { RoutedStream } from './routed-stream.ts';
import { propagateTrace } from './trace-propagation.ts';

/** What a record says of one attempt and not of its stream. */
export type AttemptFacts = Pick<
  StreamRecord,
  | 'spanId'
  | 'attemptStartedAtMs'
  | 'attempt'
  | 'pickedAtMs'
  | 'connectionReadyAtMs'
  | 'firstUpstreamByteAtMs'
  | 'hostAddress'
  | 'hostPort'
  | 'connectionReused'
  | 'hostInFlightAtPick'
>;

type TracedStream = Pick<RoutedStream, 'record' | 'traces' | 'head' | 'requestEdits'>;

/** The attempt that the record describes is over and another one follows: each is a span of its own. */
export function nextAttempt(stream: TracedStream, nowMs: number): void {
  const { traces, record, head, requestEdits } = stream;
  if (traces === undefined) return;
  traces.nextAttempt(record, nowMs);
  propagateTrace(traces, record, head.fields, requestEdits);
}

/** The attempt that the record describes goes on beside another one, which the record will describe from here on. */
export function parkAttempt(stream: TracedStream, nowMs: number): AttemptFacts {
  const { traces, record, head, requestEdits } = stream;
  const facts = factsOf(record);
  record.firstUpstreamByteAtMs = 0;
  if (traces !== undefined) {
    traces.forkAttempt(record, nowMs);
    propagateTrace(traces, record, head.fields, requestEdits);
  }
  return facts;
}

/** An attempt is over that the record does not describe. */
export function endParked({ traces, record }: TracedStream, facts: AttemptFacts, nowMs: number): void {
  if (traces === undefined) return;
  const current = factsOf(record);
  Object.assign(record, facts);
  traces.endAttempt(record, nowMs);
  Object.assign(record, current);
}

/** The attempt that the record describes is over, and from here on the record describes one that was parked. */
export function resumeParked({ traces, record }: TracedStream, facts: AttemptFacts, nowMs: number): void {
  traces?.endAttempt(record, nowMs);
  Object.assign(record, facts);
}

function factsOf(record: StreamRecord): AttemptFacts {
  const { spanId, attemptStartedAtMs, attempt, pickedAtMs, connectionReadyAtMs, firstUpstreamByteAtMs } = record;
  const { hostAddress, hostPort, connectionReused, hostInFlightAtPick } = record;
  return {
    spanId,
    attemptStartedAtMs,
    attempt,
    pickedAtMs,
    connectionReadyAtMs,
    firstUpstreamByteAtMs,
    hostAddress,
    hostPort,
    connectionReused,
    hostInFlightAtPick,
  };
}
