import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { peerBinary, peerHome } from './locate.ts';
import { acquireLock } from './lock.ts';
import { PEERS, type PeerName } from './peers.ts';
import { formatElapsed, reportProgress } from './progress.ts';
import { RECIPES, type Recipe } from './recipes.ts';
import { runStep } from './run-step.ts';

/** Unfinished installations; the dot keeps them apart from versions. */
const STAGE_PREFIX = '.stage-';

export interface InstallOptions {
  readonly directory: string;
  readonly signal: AbortSignal;
  readonly print: (line: string) => void;
  /** Ours when left out. */
  readonly recipes?: Readonly<Record<PeerName, Recipe>>;
}

/** Installs the pinned version unless it is there already. Others see either nothing or the finished directory. */
export async function installPeer(name: PeerName, options: InstallOptions): Promise<void> {
  const { directory, signal, print } = options;
  const title = `${name} ${PEERS[name].version}`;
  if (reportPresent(name, options)) return;

  const home = peerHome(name, directory);
  const parent = dirname(home);
  await mkdir(parent, { recursive: true });
  let told = false;
  const lock = await acquireLock(join(parent, '.lock'), signal, () => {
    if (!told) print(`${title}: another run is installing it, waiting`);
    told = true;
  });
  try {
    if (reportPresent(name, options)) return;
    await removeStages(parent);
    const stage = join(parent, `${STAGE_PREFIX}${process.pid}`);
    const startedMs = performance.now();
    try {
      await fillStage(name, stage, options);
      await rm(home, { recursive: true, force: true });
      await rename(stage, home);
    } finally {
      await rm(stage, { recursive: true, force: true });
    }
    print(`${title}: installed in ${formatElapsed(performance.now() - startedMs)}`);
  } finally {
    lock.release();
  }
}

function reportPresent(name: PeerName, { directory, print }: InstallOptions): boolean {
  const binary = peerBinary(name, directory);
  if (binary !== undefined) print(`${name} ${PEERS[name].version}: ${binary}`);
  return binary !== undefined;
}

async function fillStage(name: PeerName, stage: string, options: InstallOptions): Promise<void> {
  const { directory, signal, print, recipes = RECIPES } = options;
  const title = `${name} ${PEERS[name].version}`;
  await mkdir(join(stage, 'bin'), { recursive: true });
  await mkdir(join(stage, 'tmp'));
  const logs = join(directory, 'logs');
  await mkdir(logs, { recursive: true });
  const logPath = join(logs, `${name}-${PEERS[name].version}.log`);
  await writeFile(logPath, '');

  print(`${title}: installing, log ${logPath}`);
  const stopReporting = reportProgress(title, logPath, print);
  try {
    for (const step of recipes[name](stage)) await runStep(step, logPath, signal);
  } finally {
    stopReporting();
  }
  await rm(join(stage, 'tmp'), { recursive: true, force: true });
}

/** What a killed run left behind. We hold the lock, so nobody is filling one of these. */
async function removeStages(parent: string): Promise<void> {
  for (const entry of await readdir(parent)) {
    if (entry.startsWith(STAGE_PREFIX)) await rm(join(parent, entry), { recursive: true, force: true });
  }
}
