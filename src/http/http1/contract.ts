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
  /** Names that alias one we rely on (`content_length`) are refused even under `allow`. */
  readonly headersWithUnderscores: 'allow' | 'reject' | 'drop';
  readonly allowConnect: boolean;
  readonly acceptHttp10: boolean;
}

export const DEFAULT_HTTP1_LIMITS: Http1Limits = Object.freeze({
  maxHeadBytes: 60 * 1024,
  maxTargetBytes: 16 * 1024,
  maxFields: 100,
  maxTrailerBytes: 16 * 1024,
  maxChunkExtensionBytes: 1024,
  maxChunkExtensionBytesPerBody: 16 * 1024,
  headersWithUnderscores: 'allow',
  allowConnect: false,
  acceptHttp10: true,
});

/**
 * Why bytes were refused. `status` is what a server answers (0: close without an answer); `reason` is a stable kebab-case
 * name, counted and put in the access log as `http1.<reason>`.
 */
export interface Http1Fault {
  readonly status: number;
  readonly reason: string;
}

/**
 * Called in this order for each request: head, body…, trailers?, end. Body slices and trailers are lent until the call
 * returns. A head stays as it is until its decoder is fed the first byte of the next message or is reset.
 */
export interface Http1RequestSink {
  onRequestHead(head: RequestHead): void;
  onRequestBody(buffer: Buffer, start: number, end: number): void;
  onRequestTrailers(fields: HeaderFields): void;
  onRequestEnd(): void;
}

/**
 * As above for responses. Informational responses (1xx other than 101) come through onInformational. After a 101, or a
 * 2xx to CONNECT, no end follows: the rest of the connection is a tunnel.
 */
export interface Http1ResponseSink {
  onInformational(head: ResponseHead): void;
  onResponseHead(head: ResponseHead): void;
  onResponseBody(buffer: Buffer, start: number, end: number): void;
  onResponseTrailers(fields: HeaderFields): void;
  onResponseEnd(): void;
}
