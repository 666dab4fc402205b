/** Whoever owns a byte stream. All calls come inside a turn. */
export interface ByteStreamUser {
  /** Dialled streams, and those that speak TLS: the peer answered and is who it should be; writing may begin. */
  onConnected(): void;
  /** Bytes lent until the call returns. */
  onBytes(buffer: Buffer, start: number, end: number): void;
  /** The peer will send no more (FIN). It may still read. */
  onPeerFinished(): void;
  /** Output that had passed the watermark has drained. */
  onWritable(): void;
  /** Exactly once, last. `errorCode` is '' for an orderly end, else the system's word (`ECONNRESET`, `ERR_SSL_…`, `TLS_…`). */
  onClosed(errorCode: string): void;
}

/** The stream of a socket that nobody has claimed yet: whoever accepts it says whose it is before it reads. */
export const UNCLAIMED: ByteStreamUser = {
  onConnected: () => undefined,
  onBytes: () => undefined,
  onPeerFinished: () => undefined,
  onWritable: () => undefined,
  onClosed: () => undefined,
};
