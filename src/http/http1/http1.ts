/**
 * HTTP/1.1: bytes in, messages out, and heads written as text. Knows RFC 9110/9112 framing and refuses whatever is not
 * canonical before anyone sees it. Does not know sockets, routes, pools or time.
 */
export { assertCanonicalOutput, NonCanonicalOutputError, setCanonicalCheck } from './canonical.ts';
export { isCanonicalValue, NonCanonicalHeadError } from './checked-text.ts';
export { CHUNK_END, chunkPrefix, encodeTrailers, LAST_CHUNK } from './chunk-writer.ts';
export {
  DEFAULT_HTTP1_LIMITS,
  type Http1Fault,
  type Http1Limits,
  type Http1RequestSink,
  type Http1ResponseSink,
} from './contract.ts';
export { encodeRequestHead, type RequestLine, type RequestOptions } from './encode-request.ts';
export {
  CONTINUE,
  encodeInformationalHead,
  encodeLocalResponseHead,
  encodeResponseHead,
  type ResponseFraming,
} from './encode-response.ts';
export { Http1RequestDecoder } from './request-decoder.ts';
export { Http1ResponseDecoder } from './response-decoder.ts';
