/**
 * HTTP as messages: bytes in, neutral heads and body slices out, and back. Knows the wire formats of its sub-rooms
 * (`http1/`, `http2/`, `grpc/`) and what they have in common: the head, its fields, the edits made to it. Does not know
 * sockets, timers, routes, clusters or configuration: whoever owns a socket feeds a codec and writes what it returns.
 */
export { type HttpVersion, type RequestHead, type ResponseHead, UNKNOWN_LENGTH } from './head.ts';
export { HeaderEdits } from './header-edits.ts';
export type { HeaderFields } from './header-fields.ts';
