/**
 * `node test/fuzz/main.ts TARGET --runs N [--seed S]`: runs a fuzz target and prints its counts. Exit code 0: nothing found;
 * 1: something found, each with the seed that shows it again; 2: wrong usage. Ctrl-C ends it with the counts so far.
 */

import { setImmediate as nextTurn } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { type RunResult, runHttp1 } from './http1/http1.ts';

const TARGETS: Readonly<Record<string, (seed: number) => RunResult>> = { http1: runHttp1 };
const USAGE = `usage: node test/fuzz/main.ts ${Object.keys(TARGETS).join('|')} --runs N [--seed S]`;
const DEFAULT_RUNS = '50000';
const RUNS_PER_TURN = 200;
const PROGRESS_EVERY_MS = 5000;
const MOST_FINDINGS_SHOWN = 20;
const SEED_SPACE = 2 ** 32;

interface Totals {
  runs: number;
  forwarded: number;
  refused: number;
  nonCanonicalForwards: number;
  crashes: number;
  responseMixUps: number;
}

interface Usage {
  readonly target: (seed: number) => RunResult;
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

function add(totals: Totals, result: RunResult): void {
  totals.runs += 1;
  totals.forwarded += result.requestsForwarded;
  totals.refused += result.requestsRefused;
  totals.nonCanonicalForwards += result.nonCanonicalForwards;
  totals.crashes += result.crashes;
  totals.responseMixUps += result.responseMixUps;
}

function findings({ nonCanonicalForwards, crashes, responseMixUps }: Totals): number {
  return nonCanonicalForwards + crashes + responseMixUps;
}

function describe(totals: Totals): string {
  const { runs, forwarded, refused, nonCanonicalForwards, crashes, responseMixUps } = totals;
  return (
    `${runs} runs, ${forwarded} requests forwarded, ${refused} connections refused; ` +
    `non-canonical forwards ${nonCanonicalForwards}, crashes ${crashes}, response mix-ups ${responseMixUps}`
  );
}

async function fuzz({ target, runs, seed }: Usage): Promise<Totals> {
  const totals: Totals = { runs: 0, forwarded: 0, refused: 0, nonCanonicalForwards: 0, crashes: 0, responseMixUps: 0 };
  let isInterrupted = false;
  process.once('SIGINT', () => {
    isInterrupted = true;
  });
  let reportedAt = performance.now();
  for (let run = 0; run < runs && !isInterrupted; run += 1) {
    const result = target(seed + run);
    add(totals, result);
    if (result.detail !== '' && findings(totals) <= MOST_FINDINGS_SHOWN) {
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
  console.log(`non-canonical forwards: ${totals.nonCanonicalForwards}`);
  console.log(`crashes: ${totals.crashes}`);
  console.log(`response mix-ups: ${totals.responseMixUps}`);
  process.exitCode = findings(totals) > 0 ? 1 : 0;
}
