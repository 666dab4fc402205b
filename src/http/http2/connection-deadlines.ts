import { CONNECTION_FAULTS, type Http2Fault } from './faults.ts';
import type { Http2Limits } from './limits.ts';

const NEVER = Number.POSITIVE_INFINITY;

/** By when a peer must have finished what it began: its first SETTINGS, the ACK of ours, a header block. */
export class ConnectionDeadlines {
  readonly #timeoutMs: number;
  #prefaceAtMs: number;
  #ackAtMs: number;
  #headAtMs = NEVER;
  /** Header blocks completed when the one under way began. */
  #blocksBefore = -1;

  constructor(limits: Http2Limits, nowMs: number) {
    this.#timeoutMs = limits.headTimeoutMs;
    this.#prefaceAtMs = nowMs + this.#timeoutMs;
    this.#ackAtMs = nowMs + this.#timeoutMs;
  }

  onPreface(): void {
    this.#prefaceAtMs = NEVER;
  }

  onSettingsAck(): void {
    this.#ackAtMs = NEVER;
  }

  /** After each read: is a header block incomplete, and how many were completed before it? */
  noteHead(isIncomplete: boolean, blocksCompleted: number, nowMs: number): void {
    if (!isIncomplete) {
      this.#headAtMs = NEVER;
      this.#blocksBefore = -1;
    } else if (this.#blocksBefore !== blocksCompleted) {
      this.#blocksBefore = blocksCompleted;
      this.#headAtMs = nowMs + this.#timeoutMs;
    }
  }

  get nextMs(): number {
    return Math.min(this.#prefaceAtMs, this.#ackAtMs, this.#headAtMs);
  }

  missed(nowMs: number): Http2Fault | undefined {
    if (nowMs >= this.#headAtMs) return CONNECTION_FAULTS.headTimeout;
    if (nowMs >= this.#prefaceAtMs) return CONNECTION_FAULTS.prefaceTimeout;
    if (nowMs >= this.#ackAtMs) return CONNECTION_FAULTS.settingsTimeout;
    return undefined;
  }
}
