import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { ATTACK_ROWS } from './rows.ts';

const FOLDERS = ['./', '../../../src/sidecar/listener/'].map((folder) => new URL(folder, import.meta.url));

test('every attack is tried on a listener', () => {
  const tried = new Set<string>();
  for (const folder of FOLDERS) {
    for (const name of readdirSync(folder)) {
      if (!name.endsWith('.test.ts') && name !== 'floods.ts') continue;
      const text = readFileSync(new URL(name, folder), 'utf8');
      for (const [, direct, inTable] of text.matchAll(/attack (\d\d): |row: '(\d\d): /g))
        tried.add(direct ?? inTable ?? '');
    }
  }
  expect([...tried].sort()).toEqual(ATTACK_ROWS.map(({ row }) => row));
});
