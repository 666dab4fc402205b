/** A proxy under measurement. */
export interface Peer {
  readonly name: string;
  start(): Promise<RunningPeer>;
}

export interface RunningPeer {
  readonly port: number;
  /** Every process whose CPU and memory count as the proxy's. */
  pids(): readonly number[];
  stop(): Promise<void>;
}

/** A peer, or why it cannot run here. */
export type FoundPeer =
  | { readonly found: true; readonly peer: Peer }
  | { readonly found: false; readonly name: string; readonly reason: string };
