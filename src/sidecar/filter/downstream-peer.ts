import type { OriginalDestination, ProxiedAddresses, TransportFacts } from '../../transport-socket/transport-socket.ts';

/** Who is at the other end of a downstream connection. */
export interface DownstreamPeer {
  /** As a PROXY header told it, where one did. */
  readonly address: string;
  readonly port: number;
  /** The socket's own peer, whatever a header said. */
  readonly directAddress: string;
  /** Where it meant to connect, where that is not the address that it came in at. */
  readonly restoredDestination: OriginalDestination | undefined;
  /** What TLS settled with it; PLAINTEXT where there is none. */
  readonly transport: TransportFacts;
  /** With our own end, which costs a system call. */
  ends(): ProxiedAddresses;
}
