/**
 * The demo's own processes. Each leads a group of its own, so that Ctrl-C reaches the demo alone and the demo ends them in
 * order; each also ends when its standard input closes, so that none outlives a demo that was killed. Nothing else is ever signalled.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';

export interface ChildSpec {
  /** For messages. */
  readonly name: string;
  readonly arguments: readonly string[];
  /** Ends together with the others of its phase; lower phases first. */
  readonly phase: number;
}

export interface ChildProcessesOptions {
  /** Executable and first argument: `node`, `src/cli/main.ts`. */
  readonly program: readonly [string, string];
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** A child ended although nobody asked it to. */
  onUnexpectedEnd(message: string): void;
}

interface Child {
  readonly spec: ChildSpec;
  readonly process: ChildProcess;
  readonly ended: Promise<void>;
  isRunning: boolean;
  /** The end of what it wrote on standard error. */
  tail: string;
}

const MAX_TAIL_CHARS = 2_048;
const TERMINATE_TIMEOUT_MS = 4_000;
const KILL_TIMEOUT_MS = 2_000;

export class ChildProcesses {
  readonly #options: ChildProcessesOptions;
  readonly #children: Child[] = [];
  #isStopping = false;

  constructor(options: ChildProcessesOptions) {
    this.#options = options;
  }

  start(spec: ChildSpec): void {
    if (this.#isStopping) return;
    const [executable, main] = this.#options.program;
    const started = spawn(executable, [main, ...spec.arguments], {
      detached: true,
      stdio: ['pipe', 'ignore', 'pipe'],
      env: { ...this.#options.environment, WEFT_END_WITH_STDIN: '1' },
    });
    const ended = new Promise<void>((resolve) => {
      started.once('exit', () => resolve());
      started.once('error', () => resolve());
    });
    const child: Child = { spec, process: started, ended, isRunning: true, tail: '' };
    this.#children.push(child);
    started.stdin?.on('error', () => undefined);
    started.stderr?.setEncoding('utf8');
    started.stderr?.on('data', (chunk: string) => {
      child.tail = (child.tail + chunk).slice(-MAX_TAIL_CHARS);
    });
    started.once('error', (error) => this.#ended(child, `cannot be started: ${error.message}`));
    started.once('exit', (code, signal) => {
      this.#ended(child, `ended ${signal === null ? `with code ${code}` : `by ${signal}`}`);
    });
  }

  running(): number {
    return this.#children.filter((child) => child.isRunning).length;
  }

  /** SIGTERM, a bounded wait, SIGKILL, phase by phase. Resolves when none is left. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    const phases = [...new Set(this.#children.map((child) => child.spec.phase))].sort((a, b) => a - b);
    for (const phase of phases) {
      const members = this.#children.filter((child) => child.spec.phase === phase && child.isRunning);
      await endAll(members);
    }
  }

  /** At once, for the last moment of a process that ends itself. */
  kill(): void {
    this.#isStopping = true;
    for (const child of this.#children) if (child.isRunning) signalGroup(child, 'SIGKILL');
  }

  #ended(child: Child, how: string): void {
    if (!child.isRunning) return;
    child.isRunning = false;
    if (this.#isStopping) return;
    const said = child.tail.trim();
    this.#options.onUnexpectedEnd(`${child.spec.name} ${how}${said === '' ? '' : `; it said: ${said}`}`);
  }
}

async function endAll(children: readonly Child[]): Promise<void> {
  for (const child of children) signalGroup(child, 'SIGTERM');
  if (await allEnded(children, TERMINATE_TIMEOUT_MS)) return;
  for (const child of children) if (child.isRunning) signalGroup(child, 'SIGKILL');
  await allEnded(children, KILL_TIMEOUT_MS);
}

async function allEnded(children: readonly Child[], timeoutMs: number): Promise<boolean> {
  const bound = new AbortController();
  const late = delay(timeoutMs, false, { signal: bound.signal }).catch(() => false);
  const all = Promise.all(children.map((child) => child.ended)).then(() => true);
  const result = await Promise.race([all, late]);
  bound.abort();
  return result;
}

/** The negative id addresses the group that the child leads: its own children with it. */
function signalGroup(child: Child, signal: NodeJS.Signals): void {
  const { pid } = child.process;
  if (pid === undefined) return;
  try {
    process.kill(-pid, signal);
  } catch {
    // Gone between the look and the signal.
  }
}
