/** Time as an argument, so that a test or a simulation can own it. */
export interface Clock {
  /** Monotonic milliseconds with fractions; only differences mean anything. */
  nowMs(): number;
  /** Milliseconds since the Unix epoch. */
  wallMs(): number;
}

/** Node's global of that name is a getter, which would be asked at every reading. */
const { performance: timer } = globalThis;

export const systemClock: Clock = {
  nowMs: () => timer.now(),
  wallMs: () => Date.now(),
};
