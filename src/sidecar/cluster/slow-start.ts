import type { SlowStart } from '../../resource/cluster.ts';
import type { Host } from './host.ts';

/** Configured weights are multiplied by this while a cluster has slow start, so that a tenth of weight 1 is still a number. */
const WEIGHT_SCALE = 100;
/** Steps in which a host goes from its first weight to its full one. */
const STEPS = 20;

/**
 * Envoy's slow start: for `windowMs` after a host became eligible its weight is
 * weight × max(minWeightPercent, (time / window)^(1 / aggression)). Sets what hosts weigh now; returns when that is to be
 * done again, or undefined where no host is on its way.
 */
export function applySlowStart(
  hosts: readonly Host[],
  slowStart: SlowStart | undefined,
  nowMs: number,
): number | undefined {
  let isRamping = false;
  for (const host of hosts) {
    if (!host.isEligible()) host.eligibleSinceMs = undefined;
    else host.eligibleSinceMs ??= nowMs;
    if (slowStart === undefined) {
      host.slowStartWeight = undefined;
      continue;
    }
    const share = rampShare(slowStart, nowMs - (host.eligibleSinceMs ?? nowMs));
    if (share < 1) isRamping = true;
    host.slowStartWeight = Math.max(1, Math.round(host.endpoint.loadBalancingWeight * WEIGHT_SCALE * share));
  }
  return isRamping && slowStart !== undefined ? nowMs + slowStart.windowMs / STEPS : undefined;
}

function rampShare({ windowMs, aggression, minWeightPercent }: SlowStart, ageMs: number): number {
  if (ageMs >= windowMs) return 1;
  return Math.max(minWeightPercent / 100, (ageMs / windowMs) ** (1 / aggression));
}
