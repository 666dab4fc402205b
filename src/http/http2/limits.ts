/** Bounds on one HTTP/2 connection. Everything a peer can make us keep or do has one. */
export interface Http2Limits {
  /** Streams a client may have open; one counts until its upstream work has ended too. */
  readonly maxConcurrentStreams: number;
  readonly streamWindowBytes: number;
  readonly connectionWindowBytes: number;
  /** What the window of a stream may grow to while its consumer takes a long body as fast as it comes. */
  readonly maxStreamWindowBytes: number;
  /** By how much the streams of a connection may have grown together; its own window is that much wider meanwhile. */
  readonly maxWindowGrowthBytes: number;
  /** Decoded names and values plus 32 bytes per field (RFC 9113 §6.5.2); also the bound on an encoded block. */
  readonly maxHeadBytes: number;
  /** Pseudo-fields, dropped fields and cookie crumbs included. */
  readonly maxFields: number;
  readonly maxTargetBytes: number;
  readonly maxTrailerBytes: number;
  readonly maxContinuationFrames: number;
  /** HPACK tables, ours and the peer's: at most 4 KiB. */
  readonly headerTableBytes: number;
  readonly maxSettingsPerFrame: number;
  /** Resets and glitches a peer may cause at once, and per second. */
  readonly glitchBurst: number;
  readonly glitchesPerSecond: number;
  /** Control frames made and not yet taken by the kernel; all frames; and their bytes, which heads alone can drive up. */
  readonly maxQueuedControlFrames: number;
  readonly maxQueuedFrames: number;
  readonly maxQueuedBytes: number;
  /** Frames without payload that end nothing, in a row. */
  readonly maxConsecutiveEmptyFrames: number;
  /** What DATA frames below 256 bytes may waste while the consumer has not credited them. */
  readonly dataOverheadBudgetBytes: number;
  readonly maxPriorityFramesPerStream: number;
  readonly maxWindowUpdatesPerDataFrame: number;
  /** Unsent body of one stream. A sink that stops at `isBackedUp` never reaches it. */
  readonly maxSendBufferBytes: number;
  /** Unsent bodies of all streams above which the owner should take none for a stream that cannot send at once. */
  readonly maxBacklogBytes: number;
  /** Output of one turn above which bodies wait. */
  readonly maxOutputBytes: number;
  readonly maxInformationalResponses: number;
  /** Preface, SETTINGS and their ACK, or a header block begun. */
  readonly headTimeoutMs: number;
  /** How long a body may wait for the peer's window. */
  readonly sendStallTimeoutMs: number;
  /** How often the peer is asked for a sign of life, and how long it may take; 0: never asked. */
  readonly pingIntervalMs: number;
  readonly pingTimeoutMs: number;
  /** After this many a server connection drains; 0 is no limit. */
  readonly maxRequestsPerConnection: number;
  readonly allowConnect: boolean;
  /** RFC 8441. Offered by servers. */
  readonly allowExtendedConnect: boolean;
  /** Names that alias one we rely on (`content_length`) are refused even under `allow`. */
  readonly headersWithUnderscores: 'allow' | 'reject' | 'drop';
  /** A malformed message (RFC 9113 §8.1.1) ends the connection and not just its stream. */
  readonly malformedEndsConnection: boolean;
}

/**
 * For a side whose bodies come from another connection: what one of them may hold is bounded by the window that the other
 * side was given, whatever configuration made of that. This bound is only there to be never reached.
 */
export const RELAYED_SEND_BUFFER_BYTES = 256 * 1024 * 1024;

/** At the edge. */
export const DEFAULT_HTTP2_LIMITS: Http2Limits = Object.freeze({
  maxConcurrentStreams: 100,
  streamWindowBytes: 64 * 1024,
  connectionWindowBytes: 1024 * 1024,
  maxStreamWindowBytes: 64 * 1024,
  maxWindowGrowthBytes: 0,
  maxHeadBytes: 60 * 1024,
  maxFields: 100,
  maxTargetBytes: 16 * 1024,
  maxTrailerBytes: 16 * 1024,
  maxContinuationFrames: 8,
  headerTableBytes: 4096,
  maxSettingsPerFrame: 32,
  glitchBurst: 500,
  glitchesPerSecond: 50,
  maxQueuedControlFrames: 1000,
  maxQueuedFrames: 10_000,
  maxQueuedBytes: 1024 * 1024,
  maxConsecutiveEmptyFrames: 1,
  dataOverheadBudgetBytes: 25_600,
  maxPriorityFramesPerStream: 100,
  maxWindowUpdatesPerDataFrame: 10,
  maxSendBufferBytes: 128 * 1024,
  maxBacklogBytes: 1024 * 1024,
  maxOutputBytes: 72 * 1024,
  maxInformationalResponses: 16,
  headTimeoutMs: 10_000,
  sendStallTimeoutMs: 30_000,
  pingIntervalMs: 0,
  pingTimeoutMs: 5_000,
  maxRequestsPerConnection: 10_000,
  allowConnect: false,
  allowExtendedConnect: true,
  headersWithUnderscores: 'allow',
  malformedEndsConnection: false,
});

/**
 * Between sidecars, where one connection carries what many clients ask: a burst of cancellations may be as large as twice
 * all that is open.
 */
export const MESH_HTTP2_LIMITS: Http2Limits = Object.freeze({
  ...DEFAULT_HTTP2_LIMITS,
  maxConcurrentStreams: 1024,
  maxStreamWindowBytes: 512 * 1024,
  maxWindowGrowthBytes: 2 * 1024 * 1024,
  glitchBurst: 2048,
  glitchesPerSecond: 200,
});
