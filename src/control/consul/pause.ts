/** Waits, or returns early when the signal fires. Never rejects, and never keeps a process alive by itself. */
export function pause(durationMs: number, signal: AbortSignal): Promise<void> {
  if (durationMs <= 0 || signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const finish = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', finish);
      resolve();
    };
    const timer = setTimeout(finish, durationMs);
    timer.unref();
    signal.addEventListener('abort', finish);
  });
}
