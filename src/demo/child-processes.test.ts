import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ChildProcesses } from './child-processes.ts';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'weft-children-'));
});

afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

/** A child that appends its name to a file when asked to end; `stubborn` does not end. */
const PROGRAM = `
const { appendFileSync, writeFileSync } = require('node:fs');
const [folder, name, manner] = process.argv.slice(2);
if (manner === 'fails') { process.stderr.write('no such thing\\n'); process.exit(3); }
process.on('SIGTERM', () => { appendFileSync(folder + '/ended', name + '\\n'); if (manner !== 'stubborn') process.exit(0); });
process.stdin.on('end', () => process.exit(0)).resume();
setInterval(() => {}, 1000);
writeFileSync(folder + '/' + name, String(process.pid));
`;

async function start(children: readonly { name: string; phase: number; manner?: string }[]): Promise<{
  processes: ChildProcesses;
  messages: string[];
}> {
  const program = join(folder, 'child.cjs');
  await writeFile(program, PROGRAM);
  const messages: string[] = [];
  const processes = new ChildProcesses({
    program: [process.execPath, program],
    environment: process.env,
    onUnexpectedEnd: (message) => messages.push(message),
  });
  for (const { name, phase, manner = 'ends' } of children) {
    processes.start({ name, phase, arguments: [folder, name, manner] });
  }
  return { processes, messages };
}

async function started(name: string): Promise<number> {
  const read = (): Promise<string> => readFile(join(folder, name), 'utf8').catch(() => '');
  await expect.poll(read, { timeout: 10_000 }).not.toBe('');
  return Number(await read());
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

test('children end phase by phase, lower phases first, and none is left', async () => {
  const { processes, messages } = await start([
    { name: 'late', phase: 2 },
    { name: 'early', phase: 1 },
  ]);
  const pids = await Promise.all([started('late'), started('early')]);
  expect(processes.running()).toBe(2);
  await processes.stop();
  expect((await readFile(join(folder, 'ended'), 'utf8')).trim().split('\n')).toEqual(['early', 'late']);
  expect(pids.filter(isAlive)).toEqual([]);
  expect(messages).toEqual([]);
});

test('a child that does not heed SIGTERM is killed after a bound', async () => {
  const { processes } = await start([{ name: 'deaf', phase: 1, manner: 'stubborn' }]);
  const pid = await started('deaf');
  await processes.stop();
  expect(isAlive(pid)).toBe(false);
});

test('a child that fails is reported with what it said', async () => {
  const { processes, messages } = await start([{ name: 'sidecar', phase: 1, manner: 'fails' }]);
  await expect.poll(() => messages, { timeout: 10_000 }).toEqual(['sidecar ended with code 3; it said: no such thing']);
  await processes.stop();
});

test('an executable that is not there is reported, not thrown', async () => {
  const messages: string[] = [];
  const processes = new ChildProcesses({
    program: [join(folder, 'nothing'), 'x'],
    environment: {},
    onUnexpectedEnd: (message) => messages.push(message),
  });
  processes.start({ name: 'ghost', phase: 1, arguments: [] });
  await expect.poll(() => messages).toEqual([expect.stringContaining('ghost cannot be started')]);
  await processes.stop();
});
