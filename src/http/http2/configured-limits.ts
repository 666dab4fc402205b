import type { Http2Options } from '../../resource/http2-options.ts';
import type { Http2Limits } from './limits.ts';

/** Limits as configuration has them: what it does not say stays as it is. */
export function configuredLimits(limits: Http2Limits, options: Http2Options): Http2Limits {
  const { initialStreamWindowSizeBytes, initialConnectionWindowSizeBytes } = options;
  const saysWindows = (initialStreamWindowSizeBytes ?? initialConnectionWindowSizeBytes) !== undefined;
  const intervalMs = options.connectionKeepaliveIntervalMs;
  return {
    ...limits,
    headerTableBytes: Math.min(options.hpackTableSizeBytes ?? limits.headerTableBytes, limits.headerTableBytes),
    maxConcurrentStreams: options.maxConcurrentStreams ?? limits.maxConcurrentStreams,
    streamWindowBytes: initialStreamWindowSizeBytes ?? limits.streamWindowBytes,
    connectionWindowBytes: initialConnectionWindowSizeBytes ?? limits.connectionWindowBytes,
    // Whoever chooses a window means it.
    maxWindowGrowthBytes: saysWindows ? 0 : limits.maxWindowGrowthBytes,
    maxQueuedFrames: options.maxOutboundFrames ?? limits.maxQueuedFrames,
    maxQueuedControlFrames: options.maxOutboundControlFrames ?? limits.maxQueuedControlFrames,
    maxConsecutiveEmptyFrames: options.maxConsecutiveInboundFramesWithEmptyPayload ?? limits.maxConsecutiveEmptyFrames,
    maxPriorityFramesPerStream: options.maxInboundPriorityFramesPerStream ?? limits.maxPriorityFramesPerStream,
    maxWindowUpdatesPerDataFrame:
      options.maxInboundWindowUpdateFramesPerDataFrameSent ?? limits.maxWindowUpdatesPerDataFrame,
    malformedEndsConnection: options.streamErrorOnInvalidHttpMessage === false || limits.malformedEndsConnection,
    pingIntervalMs: intervalMs ?? limits.pingIntervalMs,
    pingTimeoutMs: options.connectionKeepaliveTimeoutMs ?? limits.pingTimeoutMs,
  };
}
