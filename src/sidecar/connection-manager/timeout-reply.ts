import { LOCAL_REPLIES, type LocalReply } from '../filter/filter.ts';
import type { ManagerCounters } from './manager-counters.ts';
import type { StreamTimeout } from './stream-deadlines.ts';

/** Counts a limit that has passed and says what the downstream is told; `isLate`: the request was complete by then. */
export function timeoutReply(timeout: StreamTimeout, isLate: boolean, counters: ManagerCounters): LocalReply {
  switch (timeout) {
    case 'request':
      counters.rqTimeout.increment();
      return LOCAL_REPLIES.requestTimeout;
    case 'grpcDeadline':
      counters.rqGrpcDeadlineExceeded.increment();
      return LOCAL_REPLIES.grpcDeadline;
    case 'maxDuration':
      counters.rqMaxDurationReached.increment();
      return isLate ? LOCAL_REPLIES.maxStreamDurationAfterRequest : LOCAL_REPLIES.maxStreamDuration;
    case 'idle':
      counters.rqIdleTimeout.increment();
      return isLate ? LOCAL_REPLIES.streamIdleTimeoutAfterRequest : LOCAL_REPLIES.streamIdleTimeout;
  }
}
