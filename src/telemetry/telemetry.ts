/**
 * What a program tells about itself: metrics, traces, access logs and logs, one folder each with a door of its own, all
 * fed from one record per stream. This room knows formats and protocols of observation; it does not know how a request is
 * routed or what configuration means, and it never makes traffic wait.
 */
import type { StreamRecord } from './stream-record.ts';

export { StreamRecord } from './stream-record.ts';

/** Whoever wants to know of streams is told once, when one is over. The record is reused: keep nothing of it. */
export interface StreamObserver {
  streamEnded(record: StreamRecord): void;
}

/** One observer of several, so that the data path calls one. */
export function allOf(observers: readonly StreamObserver[]): StreamObserver {
  const [only] = observers;
  if (observers.length === 1 && only !== undefined) return only;
  return {
    streamEnded: (record) => {
      for (const observer of observers) observer.streamEnded(record);
    },
  };
}
