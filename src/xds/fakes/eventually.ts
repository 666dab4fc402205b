import { expect } from 'vitest';

/** Waits until an assertion holds, for as long as a busy machine may need; a test that passes does not wait. */
export function eventually<T>(read: () => T | Promise<T>): ReturnType<typeof expect.poll<T>> {
  return expect.poll(read, { timeout: 15_000, interval: 5 });
}
