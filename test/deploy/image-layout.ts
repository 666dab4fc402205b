import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

export const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** One instruction of a Dockerfile, continuation lines joined. */
export interface Instruction {
  readonly name: string;
  readonly text: string;
}

export function readDockerfile(): readonly Instruction[] {
  const text = readFileSync(join(ROOT, 'deploy/image/Dockerfile'), 'utf8');
  const lines = text
    .replace(/^#.*\n/gm, '')
    .replace(/\\\n\s*/g, '')
    .split('\n');
  return lines
    .filter((line) => line.trim() !== '')
    .map((line) => {
      const [name = '', ...rest] = line.split(' ');
      return { name, text: rest.join(' ') };
    });
}

/** Puts into `target` what the last stage of the Dockerfile has in /opt/weft; nothing of node_modules. */
export async function layOutImage(target: string): Promise<void> {
  mkdirSync(target, { recursive: true });
  for (const name of ['LICENSE', 'package.json']) cpSync(join(ROOT, name), join(target, name));
  cpSync(join(ROOT, 'deploy/image/ready.ts'), join(target, 'ready.ts'));
  await promisify(execFile)(process.execPath, [join(ROOT, 'deploy/build.ts'), join(target, 'dist')], { cwd: ROOT });
}
