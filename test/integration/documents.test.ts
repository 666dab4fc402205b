import { globSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { expect, test } from 'vitest';

const ROOT = new URL('../../', import.meta.url).pathname;
const files = globSync('{src,docs}/**/*', { cwd: ROOT });
const names = new Set(files.map((file) => basename(file)));

test.each(['docs/life-of-a-request.md', 'docs/life-of-a-config-update.md'])('%s names only what exists', (document) => {
  const text = readFileSync(`${ROOT}${document}`, 'utf8');
  const named = [...text.matchAll(/`([a-z0-9/-]+\.ts|[a-z0-9/-]+\/)`/g)].map(([, name = '']) => name);
  expect(named.length).toBeGreaterThan(15);
  const missing = named.filter((name) =>
    name.endsWith('/')
      ? !files.some((file) => `${file}/`.endsWith(`/${name}`))
      : !(name.includes('/') ? files.some((file) => file.endsWith(`/${name}`)) : names.has(name)),
  );
  expect(missing).toEqual([]);
});
