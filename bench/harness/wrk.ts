import { execFile } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { LOAD_CORE } from './options.ts';

export interface LoadResult {
  readonly requests: number;
  readonly seconds: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
  readonly errors: number;
}

export interface LoadShape {
  readonly url: string;
  readonly connections: number;
  readonly seconds: number;
  readonly headers?: readonly string[];
}

const REPORT = `
done = function(summary, latency, requests)
  local e = summary.errors
  io.write(string.format('WEFT_BENCH {"requests":%d,"micros":%d,"p50":%d,"p99":%d,"p999":%d,"errors":%d}\\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99), latency:percentile(99.9),
    e.connect + e.read + e.write + e.status + e.timeout))
end
`;

let scriptPath: string | undefined;

/** Closed-loop load by wrk on one thread of the load core. */
export async function runWrk(shape: LoadShape): Promise<LoadResult> {
  if (scriptPath === undefined) {
    scriptPath = join(mkdtempSync(join(tmpdir(), 'weft-bench-')), 'report.lua');
    writeFileSync(scriptPath, REPORT);
  }
  const headers = (shape.headers ?? []).flatMap((header) => ['-H', header]);
  const args = [
    '-c',
    String(LOAD_CORE),
    'wrk',
    '-t1',
    `-c${shape.connections}`,
    `-d${shape.seconds}s`,
    '--latency',
    '-s',
    scriptPath,
    ...headers,
    shape.url,
  ];
  const { stdout } = await promisify(execFile)('taskset', args, {
    encoding: 'utf8',
    timeout: (shape.seconds + 20) * 1000,
  });
  const line = /^WEFT_BENCH (.*)$/m.exec(stdout)?.[1];
  if (line === undefined) throw new Error(`wrk printed no result:\n${stdout}`);
  const raw: { requests: number; micros: number; p50: number; p99: number; p999: number; errors: number } =
    JSON.parse(line);
  return {
    requests: raw.requests,
    seconds: raw.micros / 1e6,
    p50Ms: raw.p50 / 1000,
    p99Ms: raw.p99 / 1000,
    p999Ms: raw.p999 / 1000,
    errors: raw.errors,
  };
}
