import type { ResponseHead } from '../../http/head.ts';
import type { HeaderFields } from '../../http/header-fields.ts';

/** Why a lent connection was lost before its exchange was over. */
export type ResetReason =
  /** Closed by the peer or the network. */
  | 'connectionTermination'
  /** The upstream has promised that it did nothing with the request: sending it again is safe (RFC 9113 §8.7). */
  | 'unprocessed'
  /** The upstream sent bytes that are not canonical HTTP. */
  | 'protocolError'
  /** A fault of ours. */
  | 'localReset';

/** Why no connection could be had. */
export type PoolFailure = 'overflow' | 'connectFailure' | 'connectTimeout' | 'pendingTimeout' | 'hostRemoved';

/** Whoever a connection is lent to, for one exchange. Heads are lent as the codec says; body bytes until the call returns. */
export interface UpstreamSink {
  onUpstreamInformational(head: ResponseHead): void;
  /** `status` 101: what follows is a tunnel, delivered through onUpstreamBody, and no onUpstreamEnd comes. */
  onUpstreamHead(head: ResponseHead): void;
  onUpstreamBody(buffer: Buffer, start: number, end: number): void;
  onUpstreamTrailers(fields: HeaderFields): void;
  /** The response is complete and the connection is no longer lent. */
  onUpstreamEnd(): void;
  /** A tunnel's upstream sent FIN; writing may go on. */
  onUpstreamFinished(): void;
  /** The connection is gone and no longer lent. */
  onUpstreamReset(reason: ResetReason, detail: string): void;
  /** Output that had passed the watermark has drained. */
  onUpstreamWritable(): void;
}
