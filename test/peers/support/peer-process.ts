import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** Time a peer gets to leave by itself before it is killed. */
const STOP_GRACE_MS = 5_000;

const POLL_MS = 50;

/** How much of the peer's newest output is kept for error messages. */
const MAX_OUTPUT_CHARACTERS = 64 * 1_024;

const TAIL_LINES = 40;

/** Kills its child when the thread that started it dies, even by SIGKILL, where no handler of ours runs. */
const SETPRIV = '/usr/bin/setpriv';

export interface PeerProcessOptions {
  /** Named in error messages. */
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Asked again and again until it says true; what it throws counts as false and is reported after the deadline. */
  readonly isReady: () => Promise<boolean>;
  readonly readyWithinMs: number;
}

/** A running program that somebody else wrote. It never outlives this process. */
export class PeerProcess implements AsyncDisposable {
  readonly #name: string;
  readonly #child: ChildProcess;
  readonly #closed: Promise<unknown>;
  readonly #killOnExit = (): void => {
    this.#child.kill('SIGKILL');
  };
  #output = '';
  #failure: Error | undefined;

  private constructor(options: PeerProcessOptions) {
    this.#name = options.name;
    const [command, args] = dieWithParent(options.command, options.args);
    this.#child = spawn(command, args, { env: { ...process.env, ...options.env }, stdio: ['ignore', 'pipe', 'pipe'] });
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => this.#keep(text));
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => this.#keep(text));
    this.#child.on('error', (error) => {
      this.#failure = error;
    });
    this.#closed = once(this.#child, 'close').catch(() => {});
    process.on('exit', this.#killOnExit);
    void this.#closed.then(() => process.off('exit', this.#killOnExit));
  }

  /** Starts the program and waits until it is ready; a failure carries the end of its output. */
  static async start(options: PeerProcessOptions): Promise<PeerProcess> {
    const peer = new PeerProcess(options);
    try {
      await peer.#waitUntilReady(options);
      return peer;
    } catch (error) {
      await peer.crash();
      throw error;
    }
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  get hasExited(): boolean {
    return this.#failure !== undefined || this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  /** The newest output of the program, standard output and error together. */
  get output(): string {
    return this.#output;
  }

  /** Any signal, such as SIGSTOP for a peer that hangs. */
  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Asks the program to leave, and kills it when it does not. */
  async stop(): Promise<void> {
    this.#child.kill('SIGTERM');
    // A peer stopped by SIGSTOP would sit out the grace period.
    this.#child.kill('SIGCONT');
    const grace = new AbortController();
    const kill = sleep(STOP_GRACE_MS, undefined, { signal: grace.signal }).then(this.#killOnExit, () => {});
    await this.#closed;
    grace.abort();
    await kill;
  }

  /** Ends the program without letting it say goodbye. */
  async crash(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #waitUntilReady({ isReady, readyWithinMs }: PeerProcessOptions): Promise<void> {
    const deadlineMs = performance.now() + readyWithinMs;
    let lastAnswer: unknown = 'no';
    while (performance.now() < deadlineMs) {
      if (this.hasExited) throw new Error(this.#describe('ended before it was ready'));
      try {
        if (await isReady()) return;
      } catch (error) {
        lastAnswer = error;
      }
      await sleep(POLL_MS);
    }
    throw new Error(this.#describe(`was not ready within ${readyWithinMs} ms (last answer: ${String(lastAnswer)})`));
  }

  #describe(what: string): string {
    const end = this.#failure ?? this.#child.exitCode ?? this.#child.signalCode;
    const outcome = end === null ? '' : ` (${String(end)})`;
    return `${this.#name} ${what}${outcome}\n${this.#output.split('\n').slice(-TAIL_LINES).join('\n')}`;
  }

  #keep(text: string): void {
    this.#output = (this.#output + text).slice(-MAX_OUTPUT_CHARACTERS);
  }
}

/** Adds what the platform offers for ending a child with its parent; elsewhere only the `exit` handler does. */
function dieWithParent(command: string, args: readonly string[]): [string, readonly string[]] {
  try {
    accessSync(SETPRIV, constants.X_OK);
    return [SETPRIV, ['--pdeathsig', 'KILL', '--', command, ...args]];
  } catch {
    return [command, args];
  }
}

/** True when a GET of the address answers 200 soon. */
export async function answersOk(address: string): Promise<boolean> {
  const response = await fetch(address, { signal: AbortSignal.timeout(1_000) });
  await response.arrayBuffer();
  return response.status === 200;
}
