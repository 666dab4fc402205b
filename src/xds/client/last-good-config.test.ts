import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import {
  decodeLastGoodConfig,
  encodeLastGoodConfig,
  type LastGoodConfig,
  LastGoodConfigWriter,
  loadLastGoodConfig,
} from './last-good-config.ts';

let folder: string;
let file: string;

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'weft-last-good-'));
  file = path.join(folder, 'state', 'last-good');
});

afterEach(() => rmSync(folder, { recursive: true }));

const config: LastGoodConfig = {
  nodeId: 'web-1',
  types: new Map([
    [
      'type/Cluster',
      [
        { name: 'web "ü"', version: '7', message: Buffer.from([0, 1, 2, 255]) },
        { name: 'mortal', version: '1', message: Buffer.from('m'), ttlMs: 1_500 },
      ],
    ],
    ['type/Listener', []],
  ]),
};

function writerOf(errors: string[], maxBytes?: number, target = file): LastGoodConfigWriter {
  return new LastGoodConfigWriter({
    file: target,
    read: () => config,
    wallMs: () => 42,
    onError: (message) => errors.push(message),
    ...(maxBytes === undefined ? {} : { maxBytes }),
  });
}

test('what is written is what is read, by its owner only', () => {
  const errors: string[] = [];
  const writer = writerOf(errors);
  writer.schedule();
  writer.flush();
  expect(loadLastGoodConfig(file, 'web-1')).toEqual({ kind: 'loaded', config, savedAtWallMs: 42 });
  expect(statSync(file).mode & 0o077).toBe(0);
  expect(readdirSync(path.dirname(file))).toEqual(['last-good']);
  expect([errors, writer.counters]).toEqual([[], { written: 1, failed: 0 }]);
});

test('a burst of changes is one write, and nothing is written when nothing changed', () => {
  const writer = writerOf([]);
  writer.flush();
  for (let change = 0; change < 100; change += 1) writer.schedule();
  writer.flush();
  writer.flush();
  expect(writer.counters).toEqual({ written: 1, failed: 0 });
});

test('no file is no config and no complaint', () => {
  expect(loadLastGoodConfig(file, 'web-1')).toEqual({ kind: 'none' });
});

test('a damaged file is refused whole, wherever the damage is', () => {
  const whole = encodeLastGoodConfig(config, 42);
  fc.assert(
    fc.property(fc.nat(whole.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
      const damaged = Buffer.from(whole);
      damaged[at] = (damaged[at] ?? 0) ^ flip;
      expect(decodeLastGoodConfig(damaged, 'web-1').kind).toBe('refused');
    }),
  );
});

test('a truncated or lengthened file is refused at every length', () => {
  const whole = encodeLastGoodConfig(config, 42);
  for (let length = 0; length < whole.length; length += 1) {
    expect(decodeLastGoodConfig(whole.subarray(0, length), 'web-1').kind).toBe('refused');
  }
  expect(decodeLastGoodConfig(Buffer.concat([whole, Buffer.from('x')]), 'web-1').kind).toBe('refused');
});

test.each([
  ['another node', 'web-2', undefined, 'belongs to node "web-1", this is "web-2"'],
  ['too large a file', 'web-1', 10, 'at most 10 are read'],
])('%s is refused, and the message names file, reason and consequence', (_title, nodeId, maxBytes, reason) => {
  const writer = writerOf([]);
  writer.schedule();
  writer.flush();
  const loaded = loadLastGoodConfig(file, nodeId, maxBytes);
  const text = loaded.kind === 'refused' ? loaded.reason : '';
  expect(text).toContain(file);
  expect(text).toContain(reason);
  expect(text).toContain('it is ignored');
});

test('when writing fails the file before stays and the failure is told', () => {
  const errors: string[] = [];
  const first = writerOf(errors);
  first.schedule();
  first.flush();
  const before = readFileSync(file);
  const second = writerOf(errors, 5);
  second.schedule();
  second.flush();
  expect(readFileSync(file)).toEqual(before);
  expect(errors).toEqual([expect.stringContaining('at most 5 are kept')]);
  writeFileSync(path.join(folder, 'plain'), '');
  const third = writerOf(errors, undefined, path.join(folder, 'plain', 'last-good'));
  third.schedule();
  third.flush();
  expect(third.counters).toEqual({ written: 0, failed: 1 });
});
