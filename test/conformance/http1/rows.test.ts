import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { ROWS } from './rows.ts';

const CODEC_TESTS = new URL('../../../src/http/http1/', import.meta.url);

test('the checklist has its 69 rows in order', () => {
  expect(ROWS.map(({ row }) => row)).toEqual(Array.from({ length: 69 }, (_, index) => index + 1));
});

test('every row on which the codec has a say is tested beside it', () => {
  const tested = new Set<number>();
  for (const name of readdirSync(CODEC_TESTS)) {
    if (!name.endsWith('.test.ts')) continue;
    const text = readFileSync(new URL(name, CODEC_TESTS), 'utf8');
    for (const [, helperRow, titleRow] of text.matchAll(/\brow\((\d+),|\btest\('row (\d+):/g)) {
      tested.add(Number(helperRow ?? titleRow));
    }
  }
  const untested = ROWS.filter(({ row, decidedBy }) => decidedBy !== 'connection' && !tested.has(row));
  expect(untested).toEqual([]);
});
