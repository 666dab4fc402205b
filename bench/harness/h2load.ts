import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { LOAD_CORE } from './options.ts';
import type { LoadResult } from './wrk.ts';

export interface H2loadShape {
  readonly url: string;
  readonly connections: number;
  readonly streamsPerConnection: number;
  /** For how long, or how many requests in all. */
  readonly extent: { readonly seconds: number } | { readonly requests: number };
  readonly headers?: readonly string[];
  /** File that each request sends, as a POST. */
  readonly bodyFile?: string;
}

const LONGEST_SECONDS = 120;

/** Closed-loop HTTP/2 load by h2load on one thread of the load core, by prior knowledge. */
export async function runH2load(shape: H2loadShape): Promise<LoadResult> {
  const folder = mkdtempSync(join(tmpdir(), 'weft-h2load-'));
  const log = join(folder, 'requests.log');
  const { extent } = shape;
  const args = ['-c', String(LOAD_CORE), 'h2load', '-t1', `-c${shape.connections}`, `-m${shape.streamsPerConnection}`];
  if ('seconds' in extent) args.push(`-D${extent.seconds}`);
  else args.push(`-n${extent.requests}`);
  for (const header of shape.headers ?? []) args.push('-H', header);
  if (shape.bodyFile !== undefined) args.push('-d', shape.bodyFile);
  args.push(`--log-file=${log}`, shape.url);
  try {
    const startedAt = performance.now();
    const { stdout } = await promisify(execFile)('taskset', args, {
      encoding: 'utf8',
      timeout: LONGEST_SECONDS * 1000,
    });
    const seconds = 'seconds' in extent ? extent.seconds : (performance.now() - startedAt) / 1000;
    return { ...countsOf(stdout), seconds, ...percentilesOf(readFileSync(log, 'latin1')) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What was answered 2xx or 3xx is a request; everything else that began and ended is an error. */
function countsOf(output: string): Pick<LoadResult, 'requests' | 'errors'> {
  const [, done, failed, errored] =
    /requests: \d+ total, \d+ started, (\d+) done, \d+ succeeded, (\d+) failed, (\d+) errored/.exec(output) ?? [];
  const [, ok, moved, refused, broken] = /status codes: (\d+) 2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx/.exec(output) ?? [];
  if (done === undefined || ok === undefined) throw new Error(`h2load printed no result:\n${output}`);
  const requests = Number(ok) + Number(moved);
  // The end of the time cuts off what is under way: h2load calls that neither failed nor errored.
  return { requests, errors: Math.max(Number(refused) + Number(broken), Number(failed), Number(errored)) };
}

/** Lines of `started at µs, status, duration µs`. */
function percentilesOf(log: string): Pick<LoadResult, 'p50Ms' | 'p99Ms' | 'p999Ms'> {
  const micros: number[] = [];
  for (const line of log.split('\n')) {
    const duration = Number(line.slice(line.lastIndexOf('\t') + 1));
    if (line !== '') micros.push(duration);
  }
  const sorted = Float64Array.from(micros).sort();
  const at = (share: number): number =>
    (sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0) / 1000;
  return { p50Ms: at(0.5), p99Ms: at(0.99), p999Ms: at(0.999) };
}
