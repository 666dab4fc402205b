import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { LOAD_CORE } from './options.ts';
import type { LoadResult } from './wrk.ts';

export interface PacedLoad {
  readonly port: number;
  readonly seconds: number;
  readonly connections: number;
  readonly requestsPerSecond: number;
}

const PROGRAM = fileURLToPath(new URL('./paced-load-program.ts', import.meta.url));

/** Open-loop load: requests are sent when they are due, whether or not earlier ones were answered (wrk has no such mode). */
export async function runPacedLoad(load: PacedLoad): Promise<LoadResult> {
  const { stdout } = await promisify(execFile)(
    'taskset',
    ['-c', String(LOAD_CORE), process.execPath, PROGRAM, JSON.stringify(load)],
    { encoding: 'utf8', timeout: (load.seconds + 20) * 1000 },
  );
  const result: LoadResult = JSON.parse(stdout);
  return result;
}
