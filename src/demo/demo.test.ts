import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { runDemo } from './demo.ts';

const MAIN = fileURLToPath(new URL('../cli/main.ts', import.meta.url));
const RUN_TIMEOUT_MS = 150_000;

interface Ran {
  readonly failed: boolean;
  readonly printed: string[];
  readonly said: string[];
}

/** A mark in the environment of every child tells the children of this run from any other program on the machine. */
async function run(mark: string, mutualTls: string, forMs: number | undefined, abortOn?: RegExp): Promise<Ran> {
  const abort = new AbortController();
  const printed: string[] = [];
  const said: string[] = [];
  const failed = await runDemo({
    forMs,
    json: true,
    consulUrl: undefined,
    otlpUrl: undefined,
    requestsPerSecond: 20,
    mutualTls,
    signal: abort.signal,
    program: [process.execPath, MAIN],
    environment: { ...process.env, WEFT_DEMO_TEST: mark },
    print: (line) => printed.push(line),
    progress: (line) => {
      said.push(line);
      if (abortOn?.test(line) === true) abort.abort();
    },
  });
  return { failed, printed, said };
}

/** Linux alone shows another process's environment; elsewhere there is nothing to count with. */
async function childrenLeft(mark: string): Promise<number> {
  const script = `grep -lzs 'WEFT_DEMO_TEST=${mark}' /proc/[0-9]*/environ | wc -l`;
  const { stdout } = await promisify(execFile)('sh', ['-c', script]);
  return Number(stdout.trim());
}

// `off` is what the demo runs with unless told otherwise; `strict` carries every hop under certificates of the mesh.
test.each(['off', 'strict'])(
  'with mutual TLS %s the demo carries load through the whole mesh, reports it, ends by itself and leaves no process behind',
  {
    timeout: RUN_TIMEOUT_MS,
  },
  async (mutualTls) => {
    const mark = `whole-${mutualTls}-${process.pid}`;
    const { failed, printed, said } = await run(mark, mutualTls, 3_000);
    expect(printed, said.join('\n')).toHaveLength(1);
    const report = JSON.parse(printed[0] ?? '');
    expect(report.lastFailures).toEqual([]);
    expect(failed).toBe(false);
    expect(report.requests.total).toBeGreaterThan(0);
    expect(report).toMatchObject({ requests: { failed: 0 }, services: 8, sidecars: 9, xds: { nacked: 0 } });
    expect(report.xds.acked).toBeGreaterThanOrEqual(18);
    // load → storefront → three calls, two of which call on: a CLIENT and a SERVER span for each of seven hops.
    expect(report.traces.maxSpansInOne).toBe(14);
    expect(report.traces.concurrent).toBeGreaterThan(0);
    expect(await childrenLeft(mark)).toBe(0);
  },
);

test('an interruption during the start ends every process, and is no failure', {
  timeout: RUN_TIMEOUT_MS,
}, async () => {
  const mark = `interrupted-${process.pid}`;
  const { failed, printed } = await run(mark, 'off', undefined, /waiting for \d+ sidecars/);
  expect(failed).toBe(false);
  expect(printed).toEqual([]);
  expect(await childrenLeft(mark)).toBe(0);
});
