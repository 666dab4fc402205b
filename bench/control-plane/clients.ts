import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { LOAD_CORE } from '../harness/options.ts';
import type { ClientCommand, ClientReport } from './client-messages.ts';

const PROGRAM = fileURLToPath(new URL('./clients-program.ts', import.meta.url));
/** What takes longer than this has failed. */
const ANSWER_TIMEOUT_MS = 120_000;

/** The process that holds all clients of a measurement, pinned beside the server. */
export class Clients {
  readonly #child: ChildProcess;
  #waiting: { readonly take: (report: ClientReport) => void } | undefined;
  readonly #early: ClientReport[] = [];

  private constructor() {
    this.#child = fork(PROGRAM, [], { execPath: 'taskset', execArgv: ['-c', String(LOAD_CORE), process.execPath] });
    this.#child.on('message', (report: ClientReport) => {
      const waiting = this.#waiting;
      this.#waiting = undefined;
      if (waiting === undefined) this.#early.push(report);
      else waiting.take(report);
    });
  }

  static async start(): Promise<Clients> {
    const clients = new Clients();
    await clients.#next('ready');
    return clients;
  }

  /** When each client had everything it asked for, in order. */
  async connect(port: number, clients: number): Promise<readonly number[]> {
    this.#send({ kind: 'connect', port, clients });
    return (await this.#next('settled')).atMs;
  }

  /** Settles when the clients are listening for that assignment; what it gives settles when all subscribers have answered it. */
  async watch(
    name: string,
    subscribers: number,
  ): Promise<{ readonly reached: () => Promise<Extract<ClientReport, { kind: 'reached' }>> }> {
    this.#send({ kind: 'watch', name, subscribers });
    await this.#next('ready');
    return { reached: () => this.#next('reached') };
  }

  async disconnect(): Promise<void> {
    this.#send({ kind: 'disconnect' });
    await this.#next('disconnected');
  }

  stop(): void {
    this.#child.kill('SIGKILL');
  }

  #send(command: ClientCommand): void {
    this.#child.send(command);
  }

  async #next<Kind extends ClientReport['kind']>(kind: Kind): Promise<Extract<ClientReport, { kind: Kind }>> {
    const report = this.#early.shift() ?? (await this.#report(kind));
    if (isOf(report, kind)) return report;
    throw new Error(report.kind === 'lost' ? `a client was lost: ${report.reason}` : `${report.kind}, not ${kind}`);
  }

  #report(kind: string): Promise<ClientReport> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new Error(`the clients did not report "${kind}" within ${ANSWER_TIMEOUT_MS} ms`)),
        ANSWER_TIMEOUT_MS,
      );
      this.#waiting = {
        take: (report) => {
          clearTimeout(timer);
          resolve(report);
        },
      };
    });
  }
}

function isOf<Kind extends ClientReport['kind']>(
  report: ClientReport,
  kind: Kind,
): report is Extract<ClientReport, { kind: Kind }> {
  return report.kind === kind;
}
