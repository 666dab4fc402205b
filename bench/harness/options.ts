export interface BenchOptions {
  readonly rounds: number;
  readonly secondsPerRound: number;
  /** Peers to run; weft is always among them. undefined: all that are found. */
  readonly only: readonly string[] | undefined;
  /** How many clients the suite `xds` measures with, one after the other; undefined: its own list. */
  readonly streams: readonly number[] | undefined;
  readonly signal: AbortSignal;
  progress(line: string): void;
}

/** Cores of the two-core layout: the proxy has one to itself, load and origin share the other. */
export const PROXY_CORE = 0;
export const LOAD_CORE = 1;
