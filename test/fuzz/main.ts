/**
 * `node test/fuzz/main.ts TARGET --runs N [--seed S]`: runs a fuzz target and prints its counts. Exit code 0: nothing found;
 * 1: something found, each with the seed that shows it again; 2: wrong usage. Ctrl-C ends it with the counts so far.
 */

import { setImmediate as nextTurn } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { runHttp1 } from './http1/http1.ts';
import { runHttp2 } from './http2/http2.ts';

/** What one run came to. Findings are faults of ours; any at all is a failure. */
interface Outcome {
  readonly seen: Readonly<Record<string, number>>;
  readonly findings: Readonly<Record<string, number>>;
  /** What was found, with the bytes. */
  readonly detail: string;
}

const TARGETS: Readonly<Record<string, (seed: number) => Outcome>> = {
  http1: (seed) => {
    const result = runHttp1(seed);
    return {
      seen: { 'requests forwarded': result.requestsForwarded, 'connections refused': result.requestsRefused },
      findings: {
        'non-canonical forwards': result.nonCanonicalForwards,
        crashes: result.crashes,
        'response mix-ups': result.responseMixUps,
      },
      detail: result.detail,
    };
  },
  http2: (seed) => {
    const result = runHttp2(seed);
    return {
      seen: { 'messages ended': result.messagesEnded, 'connections refused': result.connectionsRefused },
      findings: {
        crashes: result.crashes,
        'state leaks': result.stateLeaks,
        'lost credits': result.lostCredits,
        'split differences': result.splitDifferences,
      },
      detail: result.detail,
    };
  },
};
const USAGE = `usage: node test/fuzz/main.ts ${Object.keys(TARGETS).join('|')} --runs N [--seed S]`;
const DEFAULT_RUNS = '50000';
const RUNS_PER_TURN = 200;
const PROGRESS_EVERY_MS = 5000;
const MOST_FINDINGS_SHOWN = 20;
const SEED_SPACE = 2 ** 32;

interface Totals {
  runs: number;
  readonly seen: Map<string, number>;
  readonly findings: Map<string, number>;
}

interface Usage {
  readonly target: (seed: number) => Outcome;
  readonly runs: number;
  readonly seed: number;
}

function readUsage(): Usage | string {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: { runs: { type: 'string', default: DEFAULT_RUNS }, seed: { type: 'string' } },
    });
    const [name = '', ...rest] = positionals;
    const target = TARGETS[name];
    if (target === undefined || rest.length > 0) return `unknown target ${JSON.stringify(positionals.join(' '))}`;
    const runs = Number(values.runs);
    const seed = values.seed === undefined ? Math.floor(Math.random() * SEED_SPACE) : Number(values.seed);
    if (!Number.isSafeInteger(runs) || runs < 1) return `--runs ${values.runs}: give a whole number above 0`;
    if (!Number.isSafeInteger(seed) || seed < 0) return `--seed ${values.seed}: give a whole number from 0`;
    return { target, runs, seed };
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function add(totals: Map<string, number>, counts: Readonly<Record<string, number>>): void {
  for (const [name, count] of Object.entries(counts)) totals.set(name, (totals.get(name) ?? 0) + count);
}

function sum(counts: ReadonlyMap<string, number>): number {
  return [...counts.values()].reduce((total, count) => total + count, 0);
}

function describe({ runs, seen, findings }: Totals): string {
  const list = (counts: ReadonlyMap<string, number>, nameFirst: boolean): string =>
    [...counts].map(([name, count]) => (nameFirst ? `${name} ${count}` : `${count} ${name}`)).join(', ');
  return `${runs} runs, ${list(seen, false)}; ${list(findings, true)}`;
}

async function fuzz({ target, runs, seed }: Usage): Promise<Totals> {
  const totals: Totals = { runs: 0, seen: new Map(), findings: new Map() };
  let isInterrupted = false;
  process.once('SIGINT', () => {
    isInterrupted = true;
  });
  let reportedAt = performance.now();
  for (let run = 0; run < runs && !isInterrupted; run += 1) {
    const result = target(seed + run);
    totals.runs += 1;
    add(totals.seen, result.seen);
    add(totals.findings, result.findings);
    if (result.detail !== '' && sum(totals.findings) <= MOST_FINDINGS_SHOWN) {
      console.log(`found with --runs 1 --seed ${seed + run}: ${result.detail}`);
    }
    if (run % RUNS_PER_TURN === RUNS_PER_TURN - 1) {
      await nextTurn();
      if (performance.now() - reportedAt > PROGRESS_EVERY_MS) {
        reportedAt = performance.now();
        console.log(`… ${describe(totals)}`);
      }
    }
  }
  return totals;
}

const usage = readUsage();
if (typeof usage === 'string') {
  console.error(`${usage}\n${USAGE}`);
  process.exitCode = 2;
} else {
  console.log(`seed ${usage.seed}, ${usage.runs} runs`);
  const totals = await fuzz(usage);
  console.log(describe(totals));
  for (const [name, count] of totals.findings) console.log(`${name}: ${count}`);
  process.exitCode = sum(totals.findings) > 0 ? 1 : 0;
}
