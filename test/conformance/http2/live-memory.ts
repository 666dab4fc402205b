import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
const collect: unknown = runInNewContext('gc');

/** Bytes that are alive in this process after a full collection: objects, and buffers outside the heap. */
export function liveBytes(): number {
  if (typeof collect !== 'function') throw new Error('this Node has no collector to call');
  // The memory of buffers found dead by one collection is given back beside the program; the next one waits for that.
  collect();
  collect();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
