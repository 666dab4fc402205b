import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { installPeer } from './install-peer.ts';
import { peerBinary, peerHome, peersDirectory } from './locate.ts';
import type { PeerName } from './peers.ts';
import type { Recipe, Step } from './recipes.ts';
import { StepFailed } from './run-step.ts';

let directory = '';
let printed: string[] = [];
const print = (line: string): void => {
  printed.push(line);
};

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'weft-peers-'));
  printed = [];
});

afterEach(() => rmSync(directory, { recursive: true }));

test('a recipe fills a directory that appears whole, and the next run does nothing', async () => {
  const runs = join(directory, 'runs');
  const recipes = recipeOf((stage) => shell(stage, `echo run >> ${runs}; cp /bin/true bin/consul`));
  await install(recipes);
  expect(peerBinary('consul', directory)).toBe(join(peerHome('consul', directory), 'bin', 'consul'));
  expect(readdirSync(peerHome('consul', directory))).toEqual(['bin']);
  await install(recipes);
  expect(readFileSync(runs, 'utf8')).toBe('run\n');
});

test('runs at the same time install once', async () => {
  const runs = join(directory, 'runs');
  const recipes = recipeOf((stage) => shell(stage, `echo run >> ${runs}; sleep 0.2; cp /bin/true bin/consul`));
  await Promise.all([install(recipes), install(recipes)]);
  expect(readFileSync(runs, 'utf8')).toBe('run\n');
  expect(printed.some((line) => line.includes('another run is installing it'))).toBe(true);
});

test('a failure names the command and the log, and leaves nothing behind', async () => {
  const recipes = recipeOf((stage) => shell(stage, 'echo no such module; exit 3'));
  const failure = await install(recipes).catch((error: unknown) => error);
  if (!(failure instanceof StepFailed)) throw new Error(`expected a failed step, not ${String(failure)}`);
  expect(failure.message).toContain('exit 3: exit code 3');
  expect(readFileSync(failure.logPath, 'utf8')).toContain('no such module');
  expect(readdirSync(join(directory, 'consul'))).toEqual(['.lock']);
});

test('a command that is not there is said to be missing', async () => {
  const recipes = recipeOf((stage) => ({ command: 'no-such-command', args: [], cwd: stage }));
  await expect(install(recipes)).rejects.toThrow('no-such-command is not installed');
});

test('an interrupt ends the command and all it started, and removes the stage', async () => {
  const pidPath = join(directory, 'pid');
  const recipes = recipeOf((stage) =>
    shell(stage, `sleep 60 & echo $! > ${pidPath}.part; mv ${pidPath}.part ${pidPath}; wait`),
  );
  const interrupt = new AbortController();
  const expectation = expect(install(recipes, interrupt.signal)).rejects.toThrow(/abort/i);
  await expect.poll(() => existsSync(pidPath)).toBe(true);
  interrupt.abort();
  await expectation;
  const pid = Number(readFileSync(pidPath, 'utf8'));
  await expect.poll(() => isRunning(pid)).toBe(false);
  expect(readdirSync(join(directory, 'consul'))).toEqual(['.lock']);
});

test('what a killed run left behind is removed, and a broken installation is replaced', async () => {
  const recipes = recipeOf((stage) => shell(stage, 'cp /bin/true bin/consul'));
  await install(recipes);
  const binary = join(peerHome('consul', directory), 'bin', 'consul');
  chmodSync(binary, 0o644);
  writeFileSync(join(directory, 'consul', '.stage-1'), '');
  expect(peerBinary('consul', directory)).toBeUndefined();
  await install(recipes);
  expect(peerBinary('consul', directory)).toBe(binary);
  expect(existsSync(join(directory, 'consul', '.stage-1'))).toBe(false);
});

test('the directory is the chosen one, else in the cache of the user', () => {
  expect(peersDirectory({ WEFT_PEERS_DIR: '/chosen', XDG_CACHE_HOME: '/cache' })).toBe('/chosen');
  expect(peersDirectory({ XDG_CACHE_HOME: '/cache' })).toBe('/cache/weft/peers');
  expect(peersDirectory({ XDG_CACHE_HOME: 'relative' })).toMatch(/^\/.*\/\.cache\/weft\/peers$/);
});

function install(recipes: Readonly<Record<PeerName, Recipe>>, signal = new AbortController().signal): Promise<void> {
  return installPeer('consul', { directory, signal, print, recipes });
}

/** The same single command for every peer. */
function recipeOf(step: (stage: string) => Step): Readonly<Record<PeerName, Recipe>> {
  const recipe: Recipe = (stage) => [step(stage)];
  return {
    consul: recipe,
    envoy: recipe,
    h2spec: recipe,
    jaeger: recipe,
    grpcio: recipe,
    'go-control-plane': recipe,
    'grpc-go-client': recipe,
    'grpc-go-server': recipe,
  };
}

function shell(stage: string, script: string): Step {
  return { command: 'sh', args: ['-c', script], cwd: stage };
}

/** False for a process that has ended, although nobody has collected its exit code yet. */
function isRunning(pid: number): boolean {
  try {
    return !readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ');
  } catch {
    return false;
  }
}
