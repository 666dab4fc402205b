import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, writeSync } from 'node:fs';
import { setPriority } from 'node:os';
import type { Step } from './recipes.ts';

/** A build that ignores the interrupt for this long is killed. */
const KILL_AFTER_MS = 5_000;

/** A little below normal, so that a build of minutes leaves the machine usable. */
const NICENESS = 5;

export class StepFailed extends Error {
  readonly commandLine: string;
  readonly logPath: string;

  constructor(step: Step, outcome: string, logPath: string) {
    const commandLine = [step.command, ...step.args].join(' ');
    super(`${commandLine}: ${outcome}`);
    this.name = 'StepFailed';
    this.commandLine = commandLine;
    this.logPath = logPath;
  }
}

/** Runs one command with its output appended to the log; an abort ends it and everything it started. */
export async function runStep(step: Step, logPath: string, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const log = openSync(logPath, 'a');
  writeSync(log, `$ ${[step.command, ...step.args].join(' ')}\n`);
  // Its own process group: compilers started by the build are stopped with it.
  const child = spawn(step.command, step.args, {
    cwd: step.cwd,
    env: { ...process.env, ...step.env },
    stdio: ['ignore', log, log],
    detached: true,
  });
  closeSync(log);
  const endGroup = interruptGroup(child.pid, signal);
  try {
    if (child.pid !== undefined) setPriority(child.pid, NICENESS);
    const [code, killedBy] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
    signal.throwIfAborted();
    if (code !== 0) throw new StepFailed(step, killedBy ?? `exit code ${code}`, logPath);
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof StepFailed) throw error;
    const outcome = isMissingCommand(error) ? `${step.command} is not installed` : String(error);
    throw new StepFailed(step, outcome, logPath);
  } finally {
    endGroup();
  }
}

/** Interrupts the group when the signal aborts, and kills it if that is not heeded. The result is for the end. */
function interruptGroup(pid: number | undefined, signal: AbortSignal): () => void {
  if (pid === undefined) return () => {};
  let killTimer: NodeJS.Timeout | undefined;
  const interrupt = (): void => {
    signalGroup(pid, 'SIGINT');
    killTimer = setTimeout(() => signalGroup(pid, 'SIGKILL'), KILL_AFTER_MS);
  };
  signal.addEventListener('abort', interrupt, { once: true });
  return () => {
    clearTimeout(killTimer);
    signal.removeEventListener('abort', interrupt);
    // The command has gone; something that it started may have ignored the interrupt.
    if (signal.aborted) signalGroup(pid, 'SIGKILL');
  };
}

function signalGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch {
    // The group has already ended.
  }
}

function isMissingCommand(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}
