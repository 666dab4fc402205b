import { execFile } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { BenchOptions } from '../harness/options.ts';
import type { SuiteReport } from '../harness/report.ts';
import type { NamedCost } from '../micro/measure.ts';

const FOLDER = new URL('../micro/', import.meta.url);
const TIMEOUT_MS = 120_000;

/** Every `*.bench.ts` of `bench/micro`, each in a process of its own so that none compiles for the others. */
export async function microSuite(options: BenchOptions): Promise<SuiteReport> {
  const costs: NamedCost[] = [];
  for (const file of readdirSync(FOLDER).filter((name) => name.endsWith('.bench.ts'))) {
    if (options.signal.aborted) break;
    options.progress(`micro · ${file}`);
    const path = fileURLToPath(new URL(file, FOLDER));
    const { stdout } = await promisify(execFile)(process.execPath, [path, '--json'], { timeout: TIMEOUT_MS });
    const report: { readonly costs: readonly NamedCost[] } = JSON.parse(stdout);
    costs.push(...report.costs);
  }
  return { suite: 'micro', node: process.versions.node, cases: [], missing: {}, costs };
}
