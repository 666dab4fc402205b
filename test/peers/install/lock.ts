import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';

const POLL_MS = 500;

/** SQLite's result code for "another connection holds the lock". */
const SQLITE_BUSY = 5;

export interface Lock {
  release(): void;
}

/**
 * Waits until nobody else holds the lock file, in this process or another. The lock is an exclusive transaction of
 * an empty SQLite database: the kernel drops it when its holder dies, so there is no stale lock to guess about.
 */
export async function acquireLock(path: string, signal: AbortSignal, onWait: () => void): Promise<Lock> {
  const database = new DatabaseSync(path, { timeout: 0 });
  try {
    for (;;) {
      signal.throwIfAborted();
      if (tryBegin(database)) return { release: () => database.close() };
      onWait();
      await sleep(POLL_MS, undefined, { signal });
    }
  } catch (error) {
    database.close();
    throw error;
  }
}

function tryBegin(database: DatabaseSync): boolean {
  try {
    database.exec('BEGIN EXCLUSIVE');
    return true;
  } catch (error) {
    if (error instanceof Error && 'errcode' in error && error.errcode === SQLITE_BUSY) return false;
    throw error;
  }
}
