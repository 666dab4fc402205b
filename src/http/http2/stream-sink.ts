import type { ResponseHead } from '../head.ts';
import type { HeaderFields } from '../header-fields.ts';

/** Why a stream ended before its exchange was over. */
export interface Http2Reset {
  /** RFC 9113 §7. */
  readonly code: number;
  /** Stable kebab-case name of what happened. */
  readonly reason: string;
  readonly isByPeer: boolean;
  /** The peer has promised that it did nothing: sending the request again is safe, whatever its method (§8.7). */
  readonly isUnprocessed: boolean;
}

/**
 * Whoever a stream belongs to on our side. Body slices are lent until the call returns; heads and trailers may be kept.
 * Body bytes must be given back with `stream.credit` once they are passed on. onEnd comes once the peer's message is whole;
 * onReset comes last, also after onEnd while our own message is unfinished. One of the two always comes, unless we reset
 * the stream: from then on comes nothing.
 */
export interface Http2StreamSink {
  onBody(buffer: Buffer, start: number, end: number): void;
  onTrailers(fields: HeaderFields): void;
  /** The peer has sent all of its message. */
  onEnd(): void;
  /** The stream is over, both ways. NO_ERROR after onEnd: the rest of our message is not wanted (RFC 9113 §8.1). */
  onReset(reset: Http2Reset): void;
  /** What was handed to the stream has been sent: `isBackedUp` is false again. */
  onWritable(): void;
}

/** Of a stream that we opened: the answer's heads come before everything else. */
export interface Http2ResponseSink extends Http2StreamSink {
  onInformational(head: ResponseHead): void;
  /** `status` 101 also where an extended CONNECT was granted: what follows is a tunnel. */
  onResponseHead(head: ResponseHead): void;
}
