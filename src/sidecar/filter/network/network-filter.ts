import type { DownstreamPeer } from '../downstream-peer.ts';

/** A connection that has been accepted, and has shown who it is, before a byte of it is read. */
export interface NetworkConnection {
  readonly peer: DownstreamPeer;
  /** What the client asked for by SNI, whoever read it; '' where it did not. */
  readonly serverName: string;
}

/** Why a connection is not let in, and how long it is kept waiting for that. */
export interface NetworkRefusal {
  readonly details: string;
  readonly delayMs: number;
}

/** A network filter with its configuration compiled: one object per filter chain, shared by its connections. */
export interface NetworkFilter {
  /** undefined: let in. Whoever is let in is told about when it leaves. */
  admit(connection: NetworkConnection): NetworkRefusal | undefined;
  /** The end of a connection that was let in. */
  release?(): void;
  /** Whether a connection that lives may go on under this configuration; absent: it may. */
  stillAdmits?(connection: NetworkConnection): boolean;
}
