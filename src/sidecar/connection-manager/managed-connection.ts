/** A downstream connection as its listener sees it, whatever it speaks. */
export interface ManagedConnection {
  readonly isClosed: boolean;
  /** Finishes what is under way, then closes. */
  drain(): void;
  /** Closes now; streams under way are cut. */
  destroy(): void;
}

/** The listener that accepted the connection. */
export interface ConnectionOwner {
  connectionEnded(connection: ManagedConnection): void;
  /** The same socket goes on as another connection: its first bytes were HTTP/2's. */
  connectionReplaced(connection: ManagedConnection, successor: ManagedConnection): void;
}
