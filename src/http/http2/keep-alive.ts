import type { Http2Limits } from './limits.ts';

const NEVER = Number.POSITIVE_INFINITY;

/**
 *     quiet ──interval──► asked ──ack──► quiet          asked ──timeout──► lost
 *
 * When the peer is asked for a sign of life, and by when it must have given one.
 */
export class KeepAlive {
  readonly #intervalMs: number;
  readonly #timeoutMs: number;
  #askAtMs = NEVER;
  #lostAtMs = NEVER;

  constructor({ pingIntervalMs, pingTimeoutMs }: Http2Limits) {
    this.#intervalMs = pingIntervalMs;
    this.#timeoutMs = pingTimeoutMs;
  }

  get nextMs(): number {
    return Math.min(this.#askAtMs, this.#lostAtMs);
  }

  /** From here on the peer is asked in intervals, where it is to be asked at all. */
  begin(nowMs: number): void {
    if (this.#intervalMs > 0) this.#askAtMs = nowMs + this.#intervalMs;
  }

  /** The peer has been asked. */
  onAsked(nowMs: number): void {
    this.#askAtMs = NEVER;
    this.#lostAtMs = nowMs + this.#timeoutMs;
  }

  onAnswered(nowMs: number): void {
    this.#lostAtMs = NEVER;
    this.begin(nowMs);
  }

  isDue(nowMs: number): boolean {
    return nowMs >= this.#askAtMs;
  }

  isLost(nowMs: number): boolean {
    return nowMs >= this.#lostAtMs;
  }
}
