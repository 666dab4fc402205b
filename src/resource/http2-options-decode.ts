import { type Http2Options, UNSAID_HTTP2_OPTIONS } from './http2-options.ts';
import type { MessageReader } from './message-reader.ts';

/** RFC 9113 §6.9.2 and §6.9.1. */
const SMALLEST_WINDOW_BYTES = 65_535;
const LARGEST_31_BIT = 2 ** 31 - 1;
const LARGEST_32_BIT = 2 ** 32 - 1;

/** envoy.config.core.v3.Http2ProtocolOptions. */
export function decodeHttp2Options(reader: MessageReader | undefined): Http2Options {
  if (reader === undefined) return UNSAID_HTTP2_OPTIONS;
  const keepalive = reader.message('connection_keepalive');
  const within = (field: string, smallest: number, largest = LARGEST_32_BIT): number | undefined =>
    bounded(reader, field, smallest, largest);
  return {
    hpackTableSizeBytes: within('hpack_table_size', 0),
    maxConcurrentStreams: within('max_concurrent_streams', 1, LARGEST_31_BIT),
    initialStreamWindowSizeBytes: within('initial_stream_window_size', SMALLEST_WINDOW_BYTES, LARGEST_31_BIT),
    initialConnectionWindowSizeBytes: within('initial_connection_window_size', SMALLEST_WINDOW_BYTES, LARGEST_31_BIT),
    allowConnect: reader.boolean('allow_connect'),
    maxOutboundFrames: within('max_outbound_frames', 1),
    maxOutboundControlFrames: within('max_outbound_control_frames', 1),
    maxConsecutiveInboundFramesWithEmptyPayload: within('max_consecutive_inbound_frames_with_empty_payload', 0),
    maxInboundPriorityFramesPerStream: within('max_inbound_priority_frames_per_stream', 0),
    maxInboundWindowUpdateFramesPerDataFrameSent: within('max_inbound_window_update_frames_per_data_frame_sent', 1),
    streamErrorOnInvalidHttpMessage: reader.wrappedBoolean('override_stream_error_on_invalid_http_message'),
    connectionKeepaliveIntervalMs: keepalive?.positiveDurationMs('interval'),
    connectionKeepaliveTimeoutMs: keepalive?.positiveDurationMs('timeout'),
    connectionIdleIntervalMs: keepalive?.positiveDurationMs('connection_idle_interval'),
  };
}

function bounded(reader: MessageReader, field: string, smallest: number, largest: number): number | undefined {
  const value = reader.wrappedNumber(field);
  if (value !== undefined && (value < smallest || value > largest)) {
    reader.fault(field, `must be from ${smallest} to ${largest}, not ${value}`);
  }
  return value;
}
