import type { ByteStreamUser } from '../../../transport-socket/transport-socket.ts';

/** A connection that a client has made, its handshake done: paused, with nothing read. A ByteStream is most of one. */
export interface AcceptedTransport {
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly isSecure: boolean;
  /** URI names of the certificate that the client has proved to own. */
  readonly certifiedUris: readonly string[];
  /** Everything it is told comes inside a turn. */
  set user(user: ByteStreamUser);
  /** From the moment that unsent output is too much until it has drained. */
  readonly isBackedUp: boolean;
  /** Writes from the front of a buffer of the caller's own; false where the buffer is the caller's no longer. */
  writeOwned(buffer: Buffer, length: number): boolean;
  resume(): void;
  /** Sends what is queued, then FIN. */
  finish(): void;
  /** Closes now. */
  destroy(): void;
}
