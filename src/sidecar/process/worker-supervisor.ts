import { setFlagsFromString } from 'node:v8';
import { Worker } from 'node:worker_threads';
import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../telemetry/log/log.ts';
import { createSharedCounterMemory, settleLedger } from '../cluster/shared-counters.ts';
import type { FromWorker, ToWorker, WorkerStart } from './messages.ts';

/** A worker that dies sooner than this after its start waits before the next start. */
const STABLE_AFTER_MS = 10_000;
const RESTART_DELAYS_MS = [0, 200, 1000, 5000] as const;
const START_TIMEOUT_MS = 20_000;
/**
 * Of a request's objects nothing outlives it, so a small young generation is collected as cheaply as V8's 48 MB: half a
 * millisecond for each thousand requests or so. It stays in the cache, and each worker holds 10 MB less.
 */
const YOUNG_GENERATION_MB = 6;

/**
 * What lives through a collection of so small a generation is copied sooner by the thread itself than by helpers that have
 * to be woken, one set for each worker. And a request runs through many small functions: let the compiler join more of them.
 * There is no middle compiler: the whole request path is due for it at once, its jobs pile up beside a busy worker with all
 * they allocated, and the C library keeps those 15 MB for good. What is hot is compiled by the last one soon after anyway.
 */
const COLLECTOR_AND_COMPILER = [
  '--no-parallel-scavenge',
  '--no-maglev',
  '--max-inlined-bytecode-size=1000',
  '--max-inlined-bytecode-size-cumulative=4000',
] as const;

/**
 * ```text
 * starting ──started──▶ running ──exit──▶ waiting ──timer──▶ starting
 *     └───────exit / start timeout───────────▲
 * any ──stop()──▶ stopped
 * ```
 */
type WorkerState =
  | { readonly kind: 'starting'; readonly worker: Worker; readonly sinceMs: number; readonly timer: NodeJS.Timeout }
  | { readonly kind: 'running'; readonly worker: Worker; readonly sinceMs: number }
  | { readonly kind: 'waiting'; readonly timer: NodeJS.Timeout }
  | { readonly kind: 'stopped' };

export interface SupervisorOptions {
  readonly count: number;
  readonly sharedCounters: SharedArrayBuffer;
  readonly clock: Clock;
  readonly log: Logger;
  startOf(workerId: number): Omit<WorkerStart, 'workerId' | 'ledger' | 'sharedCounters'>;
  /** The program a worker runs; the sidecar's own unless a test brings another. */
  readonly entry?: URL;
  /** A fresh worker has started and knows nothing yet. */
  onStarted(workerId: number): void;
  onMessage(workerId: number, message: FromWorker): void;
  /** The worker is gone; what it still held in shared counters has been taken back. */
  onEnded(workerId: number): void;
}

/** Keeps a number of worker threads alive: starts them, starts them again when they die, and stops them. */
export class WorkerSupervisor {
  readonly #options: SupervisorOptions;
  readonly #states: WorkerState[] = [];
  readonly #failuresInARow: number[] = [];
  #restarts = 0;

  constructor(options: SupervisorOptions) {
    this.#options = options;
    for (const flag of COLLECTOR_AND_COMPILER) setFlagsFromString(flag);
    for (let workerId = 0; workerId < options.count; workerId++) {
      this.#failuresInARow[workerId] = 0;
      this.#start(workerId);
    }
  }

  get restarts(): number {
    return this.#restarts;
  }

  get runningWorkers(): readonly number[] {
    return this.#states.flatMap((state, workerId) => (state.kind === 'running' ? [workerId] : []));
  }

  post(workerId: number, message: ToWorker): void {
    const state = this.#states[workerId];
    if (state?.kind === 'running') state.worker.postMessage(message);
  }

  broadcast(message: ToWorker): void {
    for (const workerId of this.runningWorkers) this.post(workerId, message);
  }

  /** Ends every worker at once; drain before if streams should finish. */
  async stop(): Promise<void> {
    const ended: Promise<number>[] = [];
    this.#states.forEach((state, workerId) => {
      this.#states[workerId] = { kind: 'stopped' };
      if (state.kind === 'waiting' || state.kind === 'starting') clearTimeout(state.timer);
      if (state.kind === 'starting' || state.kind === 'running') ended.push(state.worker.terminate());
    });
    await Promise.all(ended);
  }

  #start(workerId: number): void {
    const ledger = createSharedCounterMemory();
    const start: WorkerStart = {
      ...this.#options.startOf(workerId),
      workerId,
      ledger,
      sharedCounters: this.#options.sharedCounters,
    };
    const worker = new Worker(this.#options.entry ?? new URL('./worker.ts', import.meta.url), {
      workerData: start,
      name: `weft-worker-${workerId}`,
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MB },
    });
    const sinceMs = this.#options.clock.nowMs();
    const timer = setTimeout(() => {
      this.#options.log.error({ workerId, timeoutMs: START_TIMEOUT_MS }, 'worker did not start in time; ending it');
      void worker.terminate();
    }, START_TIMEOUT_MS);
    this.#states[workerId] = { kind: 'starting', worker, sinceMs, timer };
    worker.on('message', (message: FromWorker) => this.#onMessage(workerId, worker, message));
    worker.on('error', (error) => this.#options.log.error({ workerId, err: error }, 'worker failed'));
    worker.on('exit', (code) => {
      clearTimeout(timer);
      this.#onExit(workerId, worker, code, ledger, sinceMs);
    });
  }

  #onMessage(workerId: number, worker: Worker, message: FromWorker): void {
    const state = this.#states[workerId];
    if (message.kind === 'started' && state?.kind === 'starting' && state.worker === worker) {
      clearTimeout(state.timer);
      this.#states[workerId] = { kind: 'running', worker, sinceMs: state.sinceMs };
      this.#options.onStarted(workerId);
      return;
    }
    this.#options.onMessage(workerId, message);
  }

  #onExit(workerId: number, worker: Worker, code: number, ledger: SharedArrayBuffer, startedAtMs: number): void {
    settleLedger(this.#options.sharedCounters, ledger);
    this.#options.onEnded(workerId);
    const state = this.#states[workerId];
    if (state === undefined || state.kind === 'stopped' || state.kind === 'waiting' || state.worker !== worker) return;
    const livedMs = this.#options.clock.nowMs() - startedAtMs;
    const failures = livedMs >= STABLE_AFTER_MS ? 0 : (this.#failuresInARow[workerId] ?? 0);
    this.#failuresInARow[workerId] = failures + 1;
    const delayMs = RESTART_DELAYS_MS[Math.min(failures, RESTART_DELAYS_MS.length - 1)] ?? 0;
    this.#options.log.error(
      { workerId, code, restartInMs: delayMs },
      'worker ended; its streams are lost, starting another',
    );
    this.#restarts++;
    const timer = setTimeout(() => this.#start(workerId), delayMs);
    this.#states[workerId] = { kind: 'waiting', timer };
  }
}
