const WINDOW_MS = 1_000;
const MAX_LINES_PER_WINDOW = 10;

/** Lines about connections that were turned away: whoever knocks in a loop must not fill the log. */
export class FailureLog {
  readonly #write: (line: string) => void;
  #windowStartMs = Number.NEGATIVE_INFINITY;
  #lines = 0;
  #unwritten = 0;

  constructor(write: (line: string) => void) {
    this.#write = write;
  }

  add(line: string, nowMs: number): void {
    if (nowMs - this.#windowStartMs >= WINDOW_MS) {
      this.#windowStartMs = nowMs;
      this.#lines = 0;
    }
    if (this.#lines === MAX_LINES_PER_WINDOW) {
      this.#unwritten++;
      return;
    }
    this.#lines++;
    this.#write(this.#unwritten === 0 ? line : `${line} (${this.#unwritten} more before this one)`);
    this.#unwritten = 0;
  }
}
