import type { Random } from '../../base/random.ts';

/** What a policy sees of a host. */
export interface BalancedHost {
  /** Positive integer. */
  readonly weight: number;
  /** Stable text a consistent hash places the host by. */
  readonly hashKey: string;
  /** Requests in flight to this host from all workers of this sidecar. */
  inFlight(): number;
}

export interface BalancerInputs {
  readonly random: Random;
  /** 64-bit hash of a text (xxHash64, seed 0, as Envoy and gRPC place hosts). */
  readonly hash64: (text: string) => bigint;
  /** Position in a rotation that all workers share: returns 0, 1, 2 … and wraps at 2^31. */
  readonly nextInCycle: () => number;
}

export interface LoadBalancer<H extends BalancedHost> {
  /** `hash` is the request's, for consistent policies; undefined where no hash policy produced one. */
  pick(hash: bigint | undefined): H | undefined;
}
