/**
 * HTTP/1.1: bytes in, messages out, and heads written as text. Knows RFC 9110/9112 framing and refuses whatever is not
 * canonical before anyone sees it. Does not know sockets, routes, pools or time.
 */

import type { RequestHead, ResponseHead } from '../head.ts';
import type { HeaderFields } from '../header-fields.ts';

/** Bounds on one message. Envoy's defaults: 60 KiB of head, 100 fields. */
export interface Http1Limits {
  readonly maxHeadBytes: number;
  readonly maxTargetBytes: number;
  readonly maxFields: number;
  readonly maxTrailerBytes: number;
  readonly maxChunkExtensionBytes: number;
  readonly maxChunkExtensionBytesPerBody: number;
  readonly headersWithUnderscores: 'allow' | 'reject' | 'drop';
  readonly allowConnect: boolean;
  readonly acceptHttp10: boolean;
}

/**
 * Why bytes were refused. `status` is what a server answers (0: close without an answer); `reason` is a stable kebab-case
 * name, counted and put in the access log as `http1.<reason>`.
 */
export interface Http1Fault {
  readonly status: number;
  readonly reason: string;
}

/** Called in this order for each request: head, body…, trailers?, end. Arguments are lent: valid until the call returns, strings excepted. */
export interface Http1RequestSink {
  onRequestHead(head: RequestHead): void;
  onRequestBody(buffer: Buffer, start: number, end: number): void;
  onRequestTrailers(fields: HeaderFields): void;
  onRequestEnd(): void;
}

/** As above for responses. Informational responses (1xx other than 101) come through onInformational. */
export interface Http1ResponseSink {
  onInformational(head: ResponseHead): void;
  onResponseHead(head: ResponseHead): void;
  onResponseBody(buffer: Buffer, start: number, end: number): void;
  onResponseTrailers(fields: HeaderFields): void;
  onResponseEnd(): void;
}
