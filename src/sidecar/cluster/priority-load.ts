/** Health of one priority level. */
export interface PriorityHealth {
  readonly eligible: number;
  readonly total: number;
}

/** Share of traffic of one priority level, and whether it goes to all its hosts because too few are healthy. */
export interface PriorityShare {
  readonly percent: number;
  readonly panic: boolean;
}

/**
 * Envoy's priority rule: a level counts as fully healthy while eligible × overprovisioning reaches its total; what a level
 * cannot take spills to the next. When all levels together are short, shares are scaled up and levels whose eligible
 * share is below the panic threshold use every host. (envoy docs: load_balancing/priority, panic_threshold)
 */
export function priorityShares(
  levels: readonly PriorityHealth[],
  overprovisioningFactorPercent: number,
  panicThresholdPercent: number,
): PriorityShare[] {
  const healths = levels.map((level) =>
    level.total === 0 ? 0 : Math.min(100, Math.floor((overprovisioningFactorPercent * level.eligible) / level.total)),
  );
  const totalHealth = Math.min(
    100,
    healths.reduce((sum, health) => sum + health, 0),
  );
  const panics = levels.map((level) => totalHealth < 100 && isPanicking(level, panicThresholdPercent));
  if (totalHealth === 0) return spreadInPanic(levels, panics);
  let remaining = 100;
  const shares = healths.map((health) => {
    const percent = Math.min(remaining, Math.round((health * 100) / totalHealth));
    remaining -= percent;
    return percent;
  });
  const firstHealthy = shares.findIndex((percent) => percent > 0);
  return shares.map((percent, index) => ({
    percent: index === firstHealthy ? percent + remaining : percent,
    panic: panics[index] ?? false,
  }));
}

function isPanicking(level: PriorityHealth, thresholdPercent: number): boolean {
  return level.total > 0 && (level.eligible * 100) / level.total < thresholdPercent;
}

/** Nobody is healthy: with panic allowed, traffic spreads over the levels by size; without it, nobody gets any. */
function spreadInPanic(levels: readonly PriorityHealth[], panics: readonly boolean[]): PriorityShare[] {
  const total = levels.reduce((sum, level, index) => sum + (panics[index] ? level.total : 0), 0);
  return levels.map((level, index) => ({
    percent: panics[index] && total > 0 ? (level.total * 100) / total : 0,
    panic: panics[index] ?? false,
  }));
}
