/**
 * HTTP/2: bytes in, streams of messages out, and frames gathered for one write per turn. Knows RFC 9113, HPACK and what
 * peers do to servers with both. Does not know sockets, routes, pools or the clock: time is an argument.
 *
 * Who owns a socket makes an `Http2Output` and a connection over it, hands every read to `receive`, writes the output when
 * the turn ends and says so with `outputTaken`, tells `onSocketDrained` and `lost`, and calls `advance` at `nextDeadlineMs`.
 * Who owns a stream passes body bytes on and credits them, stops feeding it while `isBackedUp`, and releases it.
 */
export { Http2ClientConnection, type Http2ClientSink } from './client-connection.ts';
export type { Http2ClientStream } from './client-stream.ts';
export { configuredLimits } from './configured-limits.ts';
export type { Http2ConnectionSink } from './connection-core.ts';
export * as Http2ErrorCode from './error-code.ts';
export { CONNECTION_FAULTS, type Http2Fault, STREAM_FAULTS } from './faults.ts';
export { CLIENT_PREFACE } from './frame.ts';
export { Http2RequestHead, Http2ResponseHead } from './http2-heads.ts';
export {
  DEFAULT_HTTP2_LIMITS,
  type Http2Limits,
  MESH_HTTP2_LIMITS,
  RELAYED_SEND_BUFFER_BYTES,
} from './limits.ts';
export { Http2Output } from './output.ts';
export { Http2ServerConnection, type Http2ServerSink } from './server-connection.ts';
export type { Http2ServerStream } from './server-stream.ts';
export type { Http2StreamState } from './stream.ts';
export type { Http2Reset, Http2ResponseSink, Http2StreamSink } from './stream-sink.ts';
export type { Http2RequestLine, Http2ResponseFraming } from './write-head.ts';
