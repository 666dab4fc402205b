import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface TempDirectory {
  readonly path: string;
  remove(): void;
}

/** A directory of our own, gone after `remove` or, if nobody calls it, when this process leaves. */
export function makeTempDirectory(name: string): TempDirectory {
  const path = mkdtempSync(join(tmpdir(), `weft-${name}-`));
  const remove = (): void => {
    process.off('exit', remove);
    rmSync(path, { recursive: true, force: true });
  };
  process.on('exit', remove);
  return { path, remove };
}
