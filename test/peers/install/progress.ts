import { closeSync, fstatSync, openSync, readSync } from 'node:fs';

/** Often enough to show life, seldom enough that a CI log of a long build stays short. */
const REPORT_EVERY_MS = 15_000;

const TAIL_BYTES = 4_096;

/** Prints a line with the elapsed time and the newest line of the log, until the returned function is called. */
export function reportProgress(title: string, logPath: string, print: (line: string) => void): () => void {
  const startedMs = performance.now();
  const timer = setInterval(() => {
    print(`${title}: ${formatElapsed(performance.now() - startedMs)} ${lastLine(logPath)}`);
  }, REPORT_EVERY_MS);
  return () => clearInterval(timer);
}

export function formatElapsed(elapsedMs: number): string {
  const seconds = Math.round(elapsedMs / 1_000);
  return seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}

function lastLine(path: string): string {
  return readTail(path, TAIL_BYTES).trimEnd().split('\n').at(-1)?.slice(0, 120) ?? '';
}

/** The end of a file, or nothing when there is no such file. */
export function readTail(path: string, bytes: number): string {
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch {
    return '';
  }
  try {
    const { size } = fstatSync(file);
    const buffer = Buffer.alloc(Math.min(bytes, size));
    readSync(file, buffer, 0, buffer.length, size - buffer.length);
    return buffer.toString('utf8');
  } finally {
    closeSync(file);
  }
}
