import { setTimeout as delay } from 'node:timers/promises';

const PAUSE_MS = 20;
const DEFAULT_TIMEOUT_MS = 15_000;

/** The promise, or an error that says what was waited for. */
export async function withinMs<T>(timeoutMs: number, promise: Promise<T>, describe: () => string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${describe()} (waited ${timeoutMs} ms)`)), timeoutMs);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Asks again and again until there is an answer; an `ask` that throws counts as no answer and is told at the end. */
export async function until<T>(
  what: string,
  ask: () => Promise<T | undefined> | T | undefined,
  timeoutMs = DEFAULT_TIMEOUT_MS,
): Promise<T> {
  const deadlineMs = performance.now() + timeoutMs;
  let lastError = '';
  for (;;) {
    try {
      const answer = await ask();
      if (answer !== undefined) return answer;
      lastError = '';
    } catch (error) {
      lastError = `; last: ${error instanceof Error ? error.message : String(error)}`;
    }
    if (performance.now() > deadlineMs) throw new Error(`waited ${timeoutMs} ms for ${what}${lastError}`);
    await delay(PAUSE_MS);
  }
}
