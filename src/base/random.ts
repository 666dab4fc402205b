/** Chance as an argument, so that a seed replays a failure. */
export interface Random {
  /** Uniform in [0, 1). */
  next(): number;
  /** Uniform 32-bit unsigned integer. */
  uint32(): number;
}

/** Not for secrets: identifiers, jitter and picks only. */
export const systemRandom: Random = {
  next: () => Math.random(),
  uint32: () => Math.floor(Math.random() * 0x1_0000_0000) >>> 0,
};

/** Mulberry32: the same seed gives the same sequence on every platform. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  const uint32 = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
  return { uint32, next: () => uint32() / 0x1_0000_0000 };
}
