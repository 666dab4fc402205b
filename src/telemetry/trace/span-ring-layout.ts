/**
 * How span records lie in shared memory: a header of four counters on cache lines of their own, then records of one size.
 * A record is its numbers, its identifiers, and then its texts one behind the other, each led by its length. The writer
 * owns HEAD and DROPPED, the reader owns TAIL; both run freely through 32 bits.
 */
export const HEADER_BYTES = 256;
export const HEAD = 0;
export const TAIL = 16;
export const DROPPED = 32;
/** Index as a Float64: wall clock milliseconds at which the writer's monotonic clock read zero. */
export const ORIGIN = 24;

export const RECORD_BYTES = 2_304;

/** Float64 positions within a record. */
export const NUMBER = {
  receivedAtMs: 0,
  attemptStartedAtMs: 1,
  requestEndAtMs: 2,
  pickedAtMs: 3,
  connectionReadyAtMs: 4,
  firstUpstreamByteAtMs: 5,
  endedAtMs: 6,
  queueMs: 7,
  downstreamPort: 8,
  localPort: 9,
  hostPort: 10,
  attempt: 11,
  inFlightAtArrival: 12,
  hostInFlightAtPick: 13,
  status: 14,
  requestBodyBytes: 15,
  responseBodyBytes: 16,
  workerId: 17,
  protocol: 18,
  bits: 19,
} as const;

export const BIT_INBOUND = 1;
export const BIT_HTTPS = 2;
export const BIT_REUSED = 4;
export const BIT_TLS_12 = 8;
export const BIT_TLS_13 = 16;
/** Above the bits: `grpcStatus` less its smallest value, NOT_GRPC. */
export const GRPC_STATUS_SHIFT = 8;

/** Byte positions within a record; an absent parent is 16 zero bytes. */
export const TRACE_ID_AT = 160;
export const SPAN_ID_AT = 192;
export const PARENT_SPAN_ID_AT = 208;
export const TEXTS_AT = 224;

export const TRACE_ID_LENGTH = 32;
export const SPAN_ID_LENGTH = 16;

/**
 * The texts, in order, with the most bytes kept of each. `wire` ones arrived as bytes read as latin1 and are written back
 * as those bytes; the others are our own text in UTF-8. Together they fit a record (a test adds them up).
 */
export const TEXTS = [
  { field: 'method', maxBytes: 24, wire: true },
  { field: 'authority', maxBytes: 160, wire: true },
  { field: 'path', maxBytes: 320, wire: true },
  { field: 'userAgent', maxBytes: 128, wire: true },
  { field: 'requestId', maxBytes: 64, wire: true },
  { field: 'downstreamAddress', maxBytes: 64, wire: false },
  { field: 'localAddress', maxBytes: 64, wire: false },
  { field: 'listenerName', maxBytes: 96, wire: false },
  { field: 'routeName', maxBytes: 96, wire: false },
  { field: 'clusterName', maxBytes: 128, wire: false },
  { field: 'hostAddress', maxBytes: 96, wire: false },
  { field: 'responseFlags', maxBytes: 24, wire: false },
  { field: 'responseCodeDetails', maxBytes: 96, wire: false },
  { field: 'peerUri', maxBytes: 192, wire: false },
  { field: 'requestedServerName', maxBytes: 64, wire: false },
] as const;

/** `tracestate` is kept whole (W3C: at least 512 characters are to be passed on) or not at all; it comes last. */
export const MAX_TRACESTATE_BYTES = 416;
export const LENGTH_BYTES = 2;
