import {
  CANCEL,
  COMPRESSION_ERROR,
  ENHANCE_YOUR_CALM,
  FLOW_CONTROL_ERROR,
  FRAME_SIZE_ERROR,
  INTERNAL_ERROR,
  NO_ERROR,
  PROTOCOL_ERROR,
  REFUSED_STREAM,
  SETTINGS_TIMEOUT,
  STREAM_CLOSED,
} from './error-code.ts';

/**
 * Why a stream or the connection was ended by this side. `code` is what the peer is told; `reason` is a stable kebab-case
 * name, counted and put in the access log as `http2.<reason>`.
 */
export interface Http2Fault {
  readonly scope: 'connection' | 'stream';
  readonly code: number;
  readonly reason: string;
  /** The message itself is malformed (RFC 9113 §8.1.1), and not merely too large or too late. */
  readonly isMalformed: boolean;
}

function connection(code: number, reason: string): Http2Fault {
  return Object.freeze({ scope: 'connection', code, reason, isMalformed: false });
}

function stream(code: number, reason: string): Http2Fault {
  return Object.freeze({ scope: 'stream', code, reason, isMalformed: false });
}

function malformed(reason: string): Http2Fault {
  return Object.freeze({ scope: 'stream', code: PROTOCOL_ERROR, reason, isMalformed: true });
}

/** Faults that end the connection with GOAWAY. */
export const CONNECTION_FAULTS = {
  // Framing
  preface: connection(PROTOCOL_ERROR, 'bad-preface'),
  firstFrame: connection(PROTOCOL_ERROR, 'first-frame-not-settings'),
  frameTooLarge: connection(FRAME_SIZE_ERROR, 'frame-too-large'),
  frameSize: connection(FRAME_SIZE_ERROR, 'wrong-frame-size'),
  padding: connection(PROTOCOL_ERROR, 'padding-exceeds-frame'),
  streamZero: connection(PROTOCOL_ERROR, 'frame-on-stream-zero'),
  notStreamZero: connection(PROTOCOL_ERROR, 'connection-frame-on-a-stream'),
  idleStream: connection(PROTOCOL_ERROR, 'frame-on-idle-stream'),
  streamId: connection(PROTOCOL_ERROR, 'invalid-stream-id'),
  closedStream: connection(STREAM_CLOSED, 'headers-on-closed-stream'),
  push: connection(PROTOCOL_ERROR, 'push-promise'),
  unexpectedContinuation: connection(PROTOCOL_ERROR, 'unexpected-continuation'),
  expectedContinuation: connection(PROTOCOL_ERROR, 'expected-continuation'),
  idlePriority: connection(PROTOCOL_ERROR, 'idle-stream-depends-on-itself'),
  // Settings
  settingValue: connection(PROTOCOL_ERROR, 'invalid-setting'),
  settingWindow: connection(FLOW_CONTROL_ERROR, 'initial-window-too-large'),
  tooManySettings: connection(ENHANCE_YOUR_CALM, 'too-many-settings'),
  settingsTimeout: connection(SETTINGS_TIMEOUT, 'settings-not-acknowledged'),
  prefaceTimeout: connection(ENHANCE_YOUR_CALM, 'preface-timeout'),
  // Flow control
  connectionWindow: connection(FLOW_CONTROL_ERROR, 'connection-window-exceeded'),
  windowOverflow: connection(FLOW_CONTROL_ERROR, 'connection-window-overflow'),
  zeroIncrement: connection(PROTOCOL_ERROR, 'zero-connection-window-increment'),
  // Header blocks
  compression: connection(COMPRESSION_ERROR, 'bad-hpack'),
  blockTooLarge: connection(ENHANCE_YOUR_CALM, 'header-block-too-large'),
  continuationFlood: connection(ENHANCE_YOUR_CALM, 'continuation-flood'),
  headTimeout: connection(ENHANCE_YOUR_CALM, 'header-block-timeout'),
  // Floods
  glitches: connection(ENHANCE_YOUR_CALM, 'too-many-resets'),
  controlFlood: connection(ENHANCE_YOUR_CALM, 'control-frame-flood'),
  emptyFrames: connection(ENHANCE_YOUR_CALM, 'empty-frame-flood'),
  tinyData: connection(ENHANCE_YOUR_CALM, 'tiny-data-flood'),
  priorityFlood: connection(ENHANCE_YOUR_CALM, 'priority-flood'),
  windowUpdateFlood: connection(ENHANCE_YOUR_CALM, 'window-update-flood'),
  outboundFlood: connection(ENHANCE_YOUR_CALM, 'outbound-flood'),
  // Signs of life
  pingTimeout: connection(NO_ERROR, 'ping-timeout'),
  // Nothing is sent for this one: the socket is gone, or GOAWAY has said goodbye.
  lost: connection(NO_ERROR, 'connection-lost'),
} as const satisfies Record<string, Http2Fault>;

/** Faults that end one stream with RST_STREAM. */
export const STREAM_FAULTS = {
  // Frames
  refused: stream(REFUSED_STREAM, 'too-many-streams'),
  dataAfterEnd: stream(STREAM_CLOSED, 'data-after-end'),
  headersAfterEnd: stream(STREAM_CLOSED, 'headers-after-end'),
  frameAfterReset: stream(STREAM_CLOSED, 'frame-after-reset'),
  dataBeforeHead: stream(PROTOCOL_ERROR, 'data-before-head'),
  selfDependency: stream(PROTOCOL_ERROR, 'depends-on-itself'),
  prioritySize: stream(FRAME_SIZE_ERROR, 'wrong-priority-size'),
  zeroIncrement: stream(PROTOCOL_ERROR, 'zero-window-increment'),
  windowOverflow: stream(FLOW_CONTROL_ERROR, 'window-overflow'),
  streamWindow: stream(FLOW_CONTROL_ERROR, 'stream-window-exceeded'),
  // Size of a head
  headTooLarge: stream(ENHANCE_YOUR_CALM, 'head-too-large'),
  tooManyFields: stream(ENHANCE_YOUR_CALM, 'too-many-fields'),
  targetTooLong: stream(ENHANCE_YOUR_CALM, 'target-too-long'),
  trailerTooLarge: stream(ENHANCE_YOUR_CALM, 'trailer-too-large'),
  // Fields
  fieldName: malformed('invalid-field-name'),
  fieldValue: malformed('invalid-field-value'),
  underscore: malformed('underscore-in-field-name'),
  connectionField: malformed('connection-specific-field'),
  te: malformed('te-other-than-trailers'),
  pseudoLate: malformed('pseudo-field-after-regular'),
  pseudoRepeated: malformed('repeated-pseudo-field'),
  pseudoUnknown: malformed('unknown-pseudo-field'),
  pseudoMissing: malformed('missing-pseudo-field'),
  pseudoInTrailers: malformed('pseudo-field-in-trailers'),
  trailersWithoutEnd: malformed('trailers-without-end'),
  // Meaning of a head
  method: malformed('invalid-method'),
  scheme: malformed('invalid-scheme'),
  path: malformed('invalid-path'),
  authority: malformed('invalid-authority'),
  authorityMissing: malformed('missing-authority'),
  hostRepeated: malformed('repeated-host'),
  hostMismatch: malformed('host-differs-from-authority'),
  connect: malformed('connect-not-allowed'),
  connectForm: malformed('malformed-connect'),
  protocol: malformed('invalid-protocol'),
  expectation: malformed('unknown-expectation'),
  status: malformed('invalid-status'),
  informationalEnd: malformed('informational-response-ends-stream'),
  tooManyInformational: stream(ENHANCE_YOUR_CALM, 'too-many-informational-responses'),
  contentLength: malformed('invalid-content-length'),
  contentLengthRepeated: malformed('repeated-content-length'),
  bodyTooLong: malformed('body-longer-than-declared'),
  bodyTooShort: malformed('body-shorter-than-declared'),
  // Sending
  sendStalled: stream(CANCEL, 'send-stalled'),
  sendBuffer: stream(INTERNAL_ERROR, 'send-buffer-overflow'),
  // No frame is sent for these: the connection is gone, or the peer said it never looked.
  connectionLost: stream(NO_ERROR, 'connection-lost'),
  notProcessed: stream(REFUSED_STREAM, 'above-goaway-last-stream'),
  peerReset: stream(NO_ERROR, 'reset-by-peer'),
} as const satisfies Record<string, Http2Fault>;
