import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { until } from '../../mesh/support/waiting.ts';

const RUN_WITHIN_MS = 60_000;
const SAYS_WITHIN_MS = 30_000;
const ENDS_WITHIN_MS = 15_000;
const MAX_OUTPUT_CHARACTERS = 256 * 1024;

export interface ReaderShellOptions {
  /** Where the reader works, and whose home it is. */
  readonly directory: string;
}

/** The shell of somebody who follows a page: what one block sets, the next one has. */
export class ReaderShell implements AsyncDisposable {
  readonly #directory: string;
  readonly #bash: Terminal;
  #blocks = 0;

  constructor({ directory }: ReaderShellOptions) {
    this.#directory = directory;
    this.#bash = new Terminal({ directory, args: ['--norc', '--noprofile'] });
    // Every command of a block must succeed, not only its last one.
    this.#bash.type('trap \'failed="$failed [$BASH_COMMAND]"\' ERR');
  }

  /** The block's output. Rejects where any of its commands fails. */
  async run(script: string): Promise<string> {
    const block = ++this.#blocks;
    const file = join(this.#directory, `.block-${block}.sh`);
    writeFileSync(file, `${script}\n`);
    const before = this.#bash.output.length;
    this.#bash.type(`failed=; . ${file} </dev/null; printf '\\n@@%s@%s@@\\n' ${block} "$failed"`);
    const end = new RegExp(`\\n@@${block}@([\\s\\S]*?)@@\\n`);
    const match = await until(
      `the end of:\n${script}\nso far: ${this.#bash.output}`,
      () => {
        if (this.#bash.isGone) return 'gone' as const;
        return end.exec(this.#bash.output.slice(before)) ?? undefined;
      },
      RUN_WITHIN_MS,
    );
    if (match === 'gone') throw new Error(`the shell ended in:\n${script}\n${this.#bash.output}`);
    const output = this.#bash.output.slice(before, before + match.index);
    if (match[1] !== '') throw new Error(`failed:${match[1]} of:\n${script}\n${output}`);
    return output;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#bash.end('SIGKILL');
  }
}

/** A terminal of its own with one program in it. */
export class Terminal implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #closed: Promise<unknown>;
  #output = '';

  constructor({ directory, args }: ReaderShellOptions & { readonly args: readonly string[] }) {
    // Nothing of the developer's own environment, and a process group of its own: what Ctrl-C reaches.
    this.#child = spawn('bash', args, {
      cwd: directory,
      env: { PATH: process.env['PATH'] ?? '', HOME: directory, WEFT_END_WITH_STDIN: '1' },
      stdio: ['pipe', 'pipe', 'pipe'],
      detached: true,
    });
    this.#closed = once(this.#child, 'close');
    this.#child.stdin?.on('error', () => undefined);
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        if (this.#output.length < MAX_OUTPUT_CHARACTERS) this.#output += text;
      });
    }
  }

  get output(): string {
    return this.#output;
  }

  get isGone(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  type(line: string): void {
    this.#child.stdin?.write(`${line}\n`);
  }

  /** Resolves when a line like it has been printed. */
  async shows(pattern: RegExp): Promise<void> {
    await until(
      `${pattern} in a terminal`,
      () => {
        if (pattern.test(this.#output)) return true;
        if (this.isGone) throw new Error(`it ended: ${this.#output}`);
        throw new Error(this.#output);
      },
      SAYS_WITHIN_MS,
    );
  }

  /** Ctrl-C, or a stronger signal; resolves with the exit code when all is gone. */
  async end(signal: NodeJS.Signals = 'SIGINT'): Promise<number | null> {
    const kill = setTimeout(() => this.#signalGroup('SIGKILL'), ENDS_WITHIN_MS);
    this.#signalGroup(signal);
    await this.#closed;
    clearTimeout(kill);
    return this.#child.exitCode;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.isGone) await this.end('SIGKILL');
  }

  #signalGroup(signal: NodeJS.Signals): void {
    if (this.#child.pid === undefined) return;
    try {
      process.kill(-this.#child.pid, signal);
    } catch {
      // The group has already ended.
    }
  }
}
