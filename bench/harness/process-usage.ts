import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

const TICKS_PER_SECOND = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));

/** CPU that these processes have used so far, user and system, all threads, in microseconds. */
export function cpuMicros(pids: readonly number[]): number {
  let ticks = 0;
  for (const pid of pids) {
    // The second field is the command in parentheses and may hold spaces; what follows the last one does not.
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    ticks += Number(fields[11]) + Number(fields[12]);
  }
  return (ticks / TICKS_PER_SECOND) * 1e6;
}

export interface MemoryUsage {
  readonly rssMb: number;
  readonly pssMb: number;
}

/** Resident and proportional memory of these processes together. */
export function memoryUsage(pids: readonly number[]): MemoryUsage {
  let rssKb = 0;
  let pssKb = 0;
  for (const pid of pids) {
    const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
    rssKb += Number(/^Rss:\s+(\d+)/m.exec(rollup)?.[1]);
    pssKb += Number(/^Pss:\s+(\d+)/m.exec(rollup)?.[1]);
  }
  return { rssMb: rssKb / 1024, pssMb: pssKb / 1024 };
}

/** The process and its children: nginx works in a child. */
export function processTree(pid: number): number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
  return [pid, ...(children === '' ? [] : children.split(' ').flatMap((child) => processTree(Number(child))))];
}
