import { getHeapStatistics } from 'node:v8';

/** Nanoseconds for one operation: the best round is what the code costs, the median what the machine made of it. */
export interface Cost {
  readonly bestNs: number;
  readonly medianNs: number;
  /** Heap bytes allocated for one operation, collected or not. */
  readonly allocatedBytes: number;
}

export interface NamedCost extends Cost {
  readonly name: string;
}

const ROUNDS = 40;

/** Runs a round of `operations` many times. The first rounds warm up and are still counted: the best is none of them. */
export function measure(round: () => void, operations: number): Cost {
  const times: number[] = [];
  for (let index = 0; index < ROUNDS; index++) {
    const start = performance.now();
    round();
    times.push(((performance.now() - start) * 1e6) / operations);
  }
  times.sort((left, right) => left - right);
  const allocatedBefore = allocatedSoFar();
  round();
  return {
    bestNs: Math.round(times[0] ?? 0),
    medianNs: Math.round(times[ROUNDS >> 1] ?? 0),
    allocatedBytes: Math.round((allocatedSoFar() - allocatedBefore) / operations),
  };
}

function allocatedSoFar(): number {
  const bytes: unknown = Reflect.get(getHeapStatistics(), 'total_allocated_bytes');
  return typeof bytes === 'number' ? bytes : Number.NaN;
}

/** Prints costs for people, or with `--json` for programs. */
export function report(name: string, costs: readonly NamedCost[]): void {
  if (process.argv.includes('--json')) {
    process.stdout.write(`${JSON.stringify({ suite: `micro:${name}`, node: process.versions.node, costs })}\n`);
    return;
  }
  for (const cost of costs) {
    process.stdout.write(
      `${cost.name.padEnd(70)} best ${cost.bestNs} ns, median ${cost.medianNs} ns, ${cost.allocatedBytes} B allocated\n`,
    );
  }
}
