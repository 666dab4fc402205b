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
