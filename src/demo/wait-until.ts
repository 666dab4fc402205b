/** Asks again and again, at a gentle pace, until the answer is yes or the time is up. */
import { setTimeout as delay } from 'node:timers/promises';

export interface WaitOptions {
  /** For the message: `sidecars to take their configuration`. */
  readonly what: string;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  readonly pauseMs?: number;
}

/** `ask` answers undefined for yes, or what is still missing. A rejection counts as its message. */
export async function waitUntil(ask: () => Promise<string | undefined>, options: WaitOptions): Promise<void> {
  const { what, timeoutMs, signal, pauseMs = 100 } = options;
  const deadlineMs = performance.now() + timeoutMs;
  for (;;) {
    signal.throwIfAborted();
    const missing = await ask().catch((error: unknown) => (error instanceof Error ? error.message : String(error)));
    if (missing === undefined) return;
    if (performance.now() >= deadlineMs) {
      throw new Error(`waited ${Math.round(timeoutMs / 1_000)} s for ${what}; still missing: ${missing}`);
    }
    await delay(pauseMs, undefined, { signal });
  }
}
