import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { withinMs } from '../../../mesh/support/waiting.ts';
import { requirePeer } from '../../support/peer.ts';
import { SAY } from './grpc-backend.ts';

const PROGRAM = fileURLToPath(new URL('./grpc_echo.py', import.meta.url));
const ANSWER_WITHIN_MS = 60_000;
const MAX_OUTPUT_CHARACTERS = 16 * 1024;

export interface PythonAnswer {
  readonly heard: Readonly<Record<string, number>>;
  readonly failed: Readonly<Record<string, number>>;
}

export interface PythonQuestion {
  readonly count: number;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A Python program that calls one target over and over, each time it is asked to. */
export class PythonClient implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string, undefined>;
  #errors = '';

  constructor(target: string, xdsBootstrap: object) {
    const env = {
      PATH: process.env['PATH'] ?? '',
      PYTHONDONTWRITEBYTECODE: '1',
      GRPC_XDS_BOOTSTRAP_CONFIG: JSON.stringify(xdsBootstrap),
    };
    const child = spawn(requirePeer('grpcio'), [PROGRAM, target], { env, stdio: ['pipe', 'pipe', 'pipe'] });
    child.stdin.on('error', () => undefined);
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#errors = (this.#errors + text).slice(-MAX_OUTPUT_CHARACTERS);
    });
    this.#child = child;
    this.#lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  }

  /** One question at a time. */
  async calls({ count, path = SAY, headers = {} }: PythonQuestion): Promise<PythonAnswer> {
    this.#child.stdin?.write(`${JSON.stringify({ count, path, headers })}\n`);
    const says = (): string => `no answer from the Python client: ${this.#errors}`;
    const line = await withinMs(ANSWER_WITHIN_MS, this.#lines.next(), says);
    if (line.done === true) throw new Error(says());
    return JSON.parse(line.value) as PythonAnswer;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const isRunning = this.#child.exitCode === null && this.#child.signalCode === null;
    const closed = isRunning ? once(this.#child, 'close') : Promise.resolve();
    this.#child.kill('SIGKILL');
    await closed;
  }
}
