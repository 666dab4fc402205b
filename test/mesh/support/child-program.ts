import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { withinMs } from './waiting.ts';

const WEFT = fileURLToPath(new URL('../../../src/cli/main.ts', import.meta.url));
const START_WITHIN_MS = 20_000;
const STOP_WITHIN_MS = 10_000;
const MAX_OUTPUT_CHARACTERS = 256 * 1024;

export interface ChildProgramOptions {
  /** For messages. */
  readonly name: string;
  /** After the path of Node itself. */
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** A program and its arguments that starts the other in its place, as another user for example. */
  readonly startedBy?: readonly string[];
}

/** How a program ended. */
export interface ProgramEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/**
 * A Node program in a process of its own. It ends when its standard input closes, so that it never outlives the test that
 * started it, and is killed by its own id only.
 */
export class ChildProgram implements AsyncDisposable {
  readonly name: string;
  /** Resolves when the process is gone and all it wrote has been read. */
  readonly ended: Promise<ProgramEnd>;
  readonly #child: ChildProcess;
  readonly #lineWaiters = new Set<() => void>();
  #output = '';
  #isGone = false;

  constructor({ name, args, env = {}, startedBy = [] }: ChildProgramOptions) {
    this.name = name;
    // Nothing of the developer's own environment (CONSUL_*, OTEL_*, NODE_OPTIONS) must reach the program.
    const inherited = { PATH: process.env['PATH'] ?? '', HOME: process.env['HOME'] ?? '' };
    const [command = process.execPath, ...rest] = [...startedBy, process.execPath, ...args];
    this.#child = spawn(command, rest, {
      env: { ...inherited, WEFT_END_WITH_STDIN: '1', WEFT_STACKS: '0', ...env },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    this.#child.stdin?.on('error', () => undefined);
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => this.#keep(text));
    }
    running.add(this.#child);
    this.ended = once(this.#child, 'close').then((end) => {
      const [code, signal] = end as [number | null, NodeJS.Signals | null];
      this.#isGone = true;
      running.delete(this.#child);
      for (const wake of this.#lineWaiters) wake();
      return { code, signal };
    });
  }

  /** Standard output and error together, in order of arrival. */
  get output(): string {
    return this.#output;
  }

  get isGone(): boolean {
    return this.#isGone;
  }

  /** The first match in what it has said or will say; rejects with its output where it ends or takes too long. */
  async said(pattern: RegExp, timeoutMs = START_WITHIN_MS): Promise<RegExpExecArray> {
    let wake: () => void = () => undefined;
    const found = new Promise<RegExpExecArray | undefined>((resolve) => {
      wake = () => {
        const match = pattern.exec(this.#output);
        if (match !== null) resolve(match);
        else if (this.#isGone) resolve(undefined);
      };
      this.#lineWaiters.add(wake);
      wake();
    });
    try {
      const match = await withinMs(timeoutMs, found, () => this.#describe(`did not say ${pattern}`));
      if (match === undefined) throw new Error(this.#describe(`ended before it said ${pattern}`));
      return match;
    } finally {
      this.#lineWaiters.delete(wake);
    }
  }

  /** As a machine that loses power: no goodbye. Resolves when the process is gone. */
  async kill(): Promise<ProgramEnd> {
    this.#child.kill('SIGKILL');
    return this.ended;
  }

  /** SIGTERM, and SIGKILL where that does not end it in time, which is an error. */
  async stop(): Promise<ProgramEnd> {
    this.#child.kill('SIGTERM');
    try {
      return await withinMs(STOP_WITHIN_MS, this.ended, () => this.#describe('did not end after SIGTERM'));
    } finally {
      if (!this.#isGone) await this.kill();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#isGone) await this.kill();
  }

  #keep(text: string): void {
    this.#output = (this.#output + text).slice(-MAX_OUTPUT_CHARACTERS);
    for (const wake of this.#lineWaiters) wake();
  }

  #describe(what: string): string {
    return `${this.name} ${what}; it said:\n${this.#output}`;
  }
}

/** `weft <args>` in a process of its own. */
export function weft(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  startedBy: readonly string[] = [],
): ChildProgram {
  return new ChildProgram({ name: `weft ${args.join(' ')}`, args: [WEFT, ...args], env, startedBy });
}

/** Runs `weft <args>` to its end, which must come by itself. */
export async function runWeft(args: readonly string[], timeoutMs = 20_000): Promise<ProgramEnd & { output: string }> {
  await using program = weft(args);
  const end = await withinMs(timeoutMs, program.ended, () => `weft ${args.join(' ')} still runs: ${program.output}`);
  return { ...end, output: program.output };
}
