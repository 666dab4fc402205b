/** Time as an argument, so that a test or a simulation can own it. */
export interface Clock {
  /** Monotonic milliseconds with fractions; only differences mean anything. */
  nowMs(): number;
  /** Milliseconds since the Unix epoch. */
  wallMs(): number;
}

export const systemClock: Clock = {
  nowMs: () => performance.now(),
  wallMs: () => Date.now(),
};
