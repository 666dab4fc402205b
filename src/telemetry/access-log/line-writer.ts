import { close, open, write } from 'node:fs';
import type { AccessLogger } from '../../resource/access-logger.ts';
import type { Counter } from '../metrics/metrics.ts';

type LineTarget = AccessLogger['destination'];

export interface LineWriterCounters {
  readonly written: Counter;
  /** Refused because what waits reached its bound. */
  readonly dropped: Counter;
  /** Lost to an error of the file. */
  readonly failed: Counter;
}

export interface LineWriterOptions {
  readonly target: LineTarget;
  readonly counters: LineWriterCounters;
  /** Told once when writing begins to fail. */
  readonly failed: (error: Error) => void;
  readonly maxWaitingBytes?: number;
}

const DEFAULT_MAX_WAITING_BYTES = 4 * 1_024 * 1_024;
const WRITE_BYTES = 64 * 1_024;
const FLUSH_INTERVAL_MS = 1_000;
/** A pipe whose reader is slow says EAGAIN; this is how soon it is asked again. */
const BUSY_RETRY_MS = 20;
const CLOSE_TIMEOUT_MS = 2_000;

type State =
  | { readonly kind: 'opening' }
  | { readonly kind: 'idle'; readonly fd: number }
  | { readonly kind: 'writing'; readonly fd: number }
  | { readonly kind: 'closed' };

/**
 * Appends lines to a file or a standard stream, 64 KiB at a time or once a second, one write at a time. Never blocks the
 * thread: when the file is slower than the lines, what waits is bounded and the rest is dropped and counted.
 */
export class LineWriter {
  readonly #options: LineWriterOptions;
  readonly #maxWaitingBytes: number;
  #state: State = { kind: 'opening' };
  #lines: string[] = [];
  #waitingBytes = 0;
  #timer: NodeJS.Timeout | undefined;
  #failing = false;
  #drained: (() => void)[] = [];

  constructor(options: LineWriterOptions) {
    this.#options = options;
    this.#maxWaitingBytes = options.maxWaitingBytes ?? DEFAULT_MAX_WAITING_BYTES;
    this.#open(options.target);
  }

  /** Takes one line, line end included. */
  write(line: string): void {
    // Counted in characters: lines are ASCII but for JSON that was sent other text.
    if (this.#state.kind === 'closed' || this.#waitingBytes + line.length > this.#maxWaitingBytes) {
      this.#options.counters.dropped.increment();
      return;
    }
    this.#lines.push(line);
    this.#waitingBytes += line.length;
    this.#schedule();
  }

  /** Resolves when what was taken so far is written or lost. */
  flush(): Promise<void> {
    if (this.#state.kind === 'closed') return Promise.resolve();
    return new Promise((resolve) => {
      this.#drained.push(resolve);
      this.#next();
    });
  }

  /** Writes what waits, for at most so long, and closes a file it opened. */
  async close(timeoutMs: number = CLOSE_TIMEOUT_MS): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const deadline = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, timeoutMs);
    });
    await Promise.race([this.flush(), deadline]);
    clearTimeout(timer);
    const state = this.#state;
    if (state.kind === 'closed') return;
    this.#become({ kind: 'closed' });
    this.#options.counters.failed.add(this.#takeLines().length);
    // While a write is in flight the descriptor is its own: closed under it, it could be another file's by then.
    if (state.kind === 'idle') this.#closeFile(state.fd);
  }

  #closeFile(fd: number): void {
    if (this.#options.target.kind === 'file') close(fd);
  }

  #open(target: LineTarget): void {
    if (target.kind !== 'file') {
      this.#become({ kind: 'idle', fd: target.kind === 'stdout' ? 1 : 2 });
      return;
    }
    open(target.path, 'a', 0o644, (error, fd) => {
      if (this.#state.kind === 'closed') {
        if (error === null) close(fd);
      } else if (error === null) {
        this.#become({ kind: 'idle', fd });
        this.#schedule();
      } else {
        this.#lose(this.#takeLines(), error);
        this.#become({ kind: 'closed' });
        this.#tellDrained();
      }
    });
  }

  #schedule(): void {
    if (this.#waitingBytes >= WRITE_BYTES || this.#drained.length > 0) this.#next();
    else if (this.#lines.length > 0) this.#timer ??= setTimeout(() => this.#next(), FLUSH_INTERVAL_MS).unref();
  }

  #next(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#state.kind !== 'idle') return;
    if (this.#lines.length === 0) {
      this.#tellDrained();
      return;
    }
    const { fd } = this.#state;
    this.#become({ kind: 'writing', fd });
    const lines = this.#takeLines();
    this.#write(fd, Buffer.from(lines.join('')), 0, lines);
  }

  #write(fd: number, bytes: Buffer, offset: number, lines: readonly string[]): void {
    write(fd, bytes, offset, bytes.length - offset, null, (error, written) => {
      const end = offset + (error === null ? written : 0);
      if (end === bytes.length) {
        this.#failing = false;
        this.#options.counters.written.add(lines.length);
        this.#writeEnded(fd);
      } else if (this.#state.kind === 'closed' || (error !== null && error.code !== 'EAGAIN')) {
        this.#lose(lines, error ?? new Error('closed before everything was written'));
        this.#writeEnded(fd);
      } else if (error === null) {
        this.#write(fd, bytes, end, lines);
      } else {
        setTimeout(() => this.#write(fd, bytes, end, lines), BUSY_RETRY_MS);
      }
    });
  }

  #writeEnded(fd: number): void {
    if (this.#state.kind === 'closed') {
      this.#closeFile(fd);
      return;
    }
    this.#become({ kind: 'idle', fd });
    this.#schedule();
  }

  #takeLines(): readonly string[] {
    const lines = this.#lines;
    this.#lines = [];
    this.#waitingBytes = 0;
    return lines;
  }

  #lose(lines: readonly string[], error: Error): void {
    this.#options.counters.failed.add(lines.length);
    if (!this.#failing) this.#options.failed(error);
    this.#failing = true;
  }

  #tellDrained(): void {
    for (const resolve of this.#drained.splice(0)) resolve();
  }

  #become(state: State): void {
    this.#state = state;
  }
}
