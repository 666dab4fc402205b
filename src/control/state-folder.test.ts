import { mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { StateFolder } from './state-folder.ts';

let folder: string;
let faults: string[];

const open = (): StateFolder =>
  new StateFolder({ folder, wallMs: () => 1_234, onFault: (message) => faults.push(message) });

async function kept(key: string, body: string): Promise<string> {
  const state = open();
  state.keep(key, body);
  await state.flush();
  const [name] = readdirSync(folder);
  return join(folder, name ?? '');
}

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'weft-state-'));
  faults = [];
});

afterEach(() => rmSync(folder, { recursive: true }));

describe('state folder', () => {
  test('gives back what was kept, with its time, to the next program', async () => {
    expect(open().isEmpty).toBe(true);
    await kept('health api filter="ä"', '["ü"]');
    expect(open().isEmpty).toBe(false);
    expect(open().recall('health api filter="ä"')).toEqual({ body: '["ü"]', savedAtWallMs: 1_234 });
    expect(open().recall('health db')).toBeUndefined();
    expect(faults).toEqual([]);
  });

  test('keeps the newest of several, and forgets', async () => {
    const state = open();
    state.keep('a', '1');
    state.keep('a', '2');
    expect(state.recall('a')?.body).toBe('2');
    await state.flush();
    expect(state.recall('a')?.body).toBe('2');
    expect(state.counters.written).toBe(1);
    state.forget('a');
    await state.flush();
    expect(state.recall('a')).toBeUndefined();
    expect(state.isEmpty).toBe(true);
  });

  const damages: readonly (readonly [string, (bytes: Buffer) => Buffer, RegExp])[] = [
    ['cut short', (bytes) => bytes.subarray(0, -1), /bytes follow a header/],
    ['changed', (bytes) => Buffer.concat([bytes.subarray(0, -2), Buffer.from('9"')]), /checksum/],
    ['empty', () => Buffer.alloc(0), /not of the format/],
    ['of another format', (bytes) => Buffer.from(bytes.toString().replace('state/1', 'state/2')), /not of the format/],
    [
      'of another thing',
      (bytes) => Buffer.from(bytes.toString().replace('"key":"a"', '"key":"b"')),
      /the state of "b"/,
    ],
  ];

  test.each(damages)('does not use a file that is %s, and says why', async (_what, damage, reason) => {
    const file = await kept('a', '"one"');
    writeFileSync(file, damage(readFileSync(file)));
    expect(open().recall('a')).toBeUndefined();
    expect(faults).toEqual([expect.stringMatching(reason)]);
  });

  test('goes on when it cannot write, and says so', async () => {
    const state = open();
    rmSync(folder, { recursive: true });
    state.keep('a', '1');
    await state.flush();
    expect(state.counters.failed).toBe(1);
    expect(faults).toEqual([expect.stringContaining('cannot be written')]);
    open();
  });

  test('keeps the newest files only, where there are too many', async () => {
    for (const key of ['a', 'b', 'c']) await kept(key, '1');
    const old = new Date('2020-01-01');
    for (const name of readdirSync(folder)) utimesSync(join(folder, name), old, old);
    await kept('d', '1');
    const state = new StateFolder({ folder, wallMs: () => 0, onFault: () => {}, maxFiles: 1 });
    expect(readdirSync(folder)).toHaveLength(1);
    expect(state.recall('d')?.body).toBe('1');
  });

  test('removes what an unfinished write left behind', () => {
    writeFileSync(join(folder, 'x.state.1.tmp'), 'half');
    open();
    expect(readdirSync(folder)).toEqual([]);
  });
});
