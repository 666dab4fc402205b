import type { EncodedResource } from '../encoded-resource.ts';

/** A resource that lives on is heard of this often within its time to live, so that one lost beat costs nothing. */
const BEATS_PER_LIFE = 3;

interface Pulse {
  readonly ttlMs: number;
  lastSentMs: number;
}

/** When each type of one stream is due for a heartbeat: only types of which resources with a time to live were sent. */
export class Heartbeats {
  readonly #pulses = new Map<string, Pulse>();

  /** A response went out; whatever was in it begins to live anew. */
  sent(typeUrl: string, resources: readonly EncodedResource[], nowMs: number): void {
    for (const { ttlMs } of resources) {
      if (ttlMs === undefined) continue;
      const known = this.#pulses.get(typeUrl);
      if (known === undefined || ttlMs < known.ttlMs) this.#pulses.set(typeUrl, { ttlMs, lastSentMs: nowMs });
    }
  }

  /**
   * A stream began, and its client holds these from before and was not sent them again. How much of their time is left is not known, so
   * the first beat is due at once.
   */
  resumed(typeUrl: string, held: readonly EncodedResource[], sent: readonly EncodedResource[]): void {
    const anew = new Set(sent);
    const older = held.filter((resource) => !anew.has(resource));
    this.sent(typeUrl, older, Number.NEGATIVE_INFINITY);
    const pulse = this.#pulses.get(typeUrl);
    if (pulse !== undefined && older.some(({ ttlMs }) => ttlMs !== undefined))
      pulse.lastSentMs = Number.NEGATIVE_INFINITY;
  }

  /** The types that are due now; each counts as beaten. */
  takeDue(nowMs: number): readonly string[] {
    const due: string[] = [];
    for (const [typeUrl, pulse] of this.#pulses) {
      if (nowMs - pulse.lastSentMs < pulse.ttlMs / BEATS_PER_LIFE) continue;
      pulse.lastSentMs = nowMs;
      due.push(typeUrl);
    }
    return due;
  }
}
