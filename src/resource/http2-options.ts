/**
 * envoy.config.core.v3.Http2ProtocolOptions with its KeepaliveSettings, for either side. undefined: not said, so that the
 * data path's own limits hold, which are narrower than Envoy's.
 */
export interface Http2Options {
  readonly hpackTableSizeBytes: number | undefined;
  readonly maxConcurrentStreams: number | undefined;
  readonly initialStreamWindowSizeBytes: number | undefined;
  readonly initialConnectionWindowSizeBytes: number | undefined;
  readonly allowConnect: boolean;
  readonly maxOutboundFrames: number | undefined;
  readonly maxOutboundControlFrames: number | undefined;
  readonly maxConsecutiveInboundFramesWithEmptyPayload: number | undefined;
  readonly maxInboundPriorityFramesPerStream: number | undefined;
  readonly maxInboundWindowUpdateFramesPerDataFrameSent: number | undefined;
  /** Whether a malformed message ends its stream alone, or the connection. */
  readonly streamErrorOnInvalidHttpMessage: boolean | undefined;
  readonly connectionKeepaliveIntervalMs: number | undefined;
  readonly connectionKeepaliveTimeoutMs: number | undefined;
  /** A connection idle for so long is asked for a sign of life before its next stream. */
  readonly connectionIdleIntervalMs: number | undefined;
}

/** Where nothing is said. */
export const UNSAID_HTTP2_OPTIONS: Http2Options = Object.freeze({
  hpackTableSizeBytes: undefined,
  maxConcurrentStreams: undefined,
  initialStreamWindowSizeBytes: undefined,
  initialConnectionWindowSizeBytes: undefined,
  allowConnect: false,
  maxOutboundFrames: undefined,
  maxOutboundControlFrames: undefined,
  maxConsecutiveInboundFramesWithEmptyPayload: undefined,
  maxInboundPriorityFramesPerStream: undefined,
  maxInboundWindowUpdateFramesPerDataFrameSent: undefined,
  streamErrorOnInvalidHttpMessage: undefined,
  connectionKeepaliveIntervalMs: undefined,
  connectionKeepaliveTimeoutMs: undefined,
  connectionIdleIntervalMs: undefined,
});
