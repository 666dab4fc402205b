import type net from 'node:net';

/** What a StreamSocket was driving, for whoever goes on with it. */
export type ReleasedTransport =
  | { readonly kind: 'handle'; readonly handle: object }
  | { readonly kind: 'socket'; readonly socket: net.Socket };

/** A connected byte stream of the system, whichever way it is driven. All calls to its user come from the event loop. */
export interface StreamSocket {
  /** Handed over and not yet taken by the kernel. */
  readonly unsentBytes: number;
  /** Whether `unsentBytes` is nearly always 0 again when a write returns. */
  readonly takesAtOnce: boolean;
  /** Who hears of it from now on. */
  set user(user: StreamSocketUser);
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly localAddress: string;
  readonly localPort: number;
  /** Latin1 text. */
  writeText(text: string): void;
  /** The bytes must stay as they are until `unsentBytes` is 0 again. */
  writeBytes(bytes: Buffer): void;
  pause(): void;
  resume(): void;
  /** FIN behind what was written; reading goes on. Once the peer has finished too, the socket closes by itself. */
  finish(): void;
  destroy(): void;
  /** Destroys with RST where the system can. */
  reset(): void;
  /** Lets go of the transport, for TLS to take it over; nothing of it is told any more. Only while paused with nothing unsent. */
  release(): ReleasedTransport;
}

/** Whoever owns a StreamSocket. */
export interface StreamSocketUser {
  /** Dialled sockets only. */
  onSocketConnected(): void;
  /** The first `length` bytes of `buffer`, lent until the call returns. */
  onSocketBytes(buffer: Buffer, length: number): void;
  /** The peer's FIN. */
  onSocketEnd(): void;
  /** Unsent bytes had reached the watermark, and all have been taken. */
  onSocketDrained(): void;
  /** The system's word for what broke the socket; it closes. */
  onSocketFailed(code: string): void;
  /** Once, last, and never inside a call to the socket. */
  onSocketClosed(): void;
}
