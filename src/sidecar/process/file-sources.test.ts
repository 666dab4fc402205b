import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { keySetFault } from '../../resource/jwt-key-set-decode.ts';
import { Logs } from '../../telemetry/log/log.ts';
import { FileSources } from './file-sources.ts';

const GOOD = '{"keys":[{"kty":"oct","k":"AA"}]}';
const RENEWED = '{"keys":[{"kty":"oct","k":"AQ"}]}';
const BAD = 'no keys';

let directory: string;
let path: string;
let sources: FileSources;
let changes: (string | undefined)[];
let warnings: string[];

/** As secrets are rotated: another file takes the name, so that no half of one is ever read. */
async function put(text: string): Promise<void> {
  await writeFile(`${path}.new`, text);
  await rename(`${path}.new`, path);
}

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'weft-files-'));
  path = join(directory, 'keys.json');
  changes = [];
  warnings = [];
  const log = new Logs({ level: 'silent', format: 'json' }).root;
  log.warn = (facts: object) => void warnings.push(String(Reflect.get(facts, 'reason')));
  sources = new FileSources({
    log,
    intervalMs: 5,
    faultOf: (_path, text) => keySetFault(text),
    onChanged: (files) => void changes.push(files.get(path)),
  });
});

afterEach(async () => {
  sources.stop();
  await rm(directory, { recursive: true });
});

const faults = (): readonly string[] => [...sources.faults.values()];

describe('a file that configuration names', () => {
  it('keeps its last good content while it holds what cannot be used, and is named once', async () => {
    await put(GOOD);
    sources.setPaths(new Set([path]));
    await expect.poll(() => changes).toEqual([GOOD]);
    await put(BAD);
    await expect.poll(faults).toEqual(['Jwks is an invalid JSON']);
    await put(`${BAD} either`);
    await put(RENEWED);
    await expect.poll(() => changes).toEqual([GOOD, RENEWED]);
    expect(faults()).toEqual([]);
    expect(warnings).toEqual(['Jwks is an invalid JSON']);
  });

  it('is no fault any more once what was good comes back', async () => {
    await put(GOOD);
    sources.setPaths(new Set([path]));
    await expect.poll(() => changes).toEqual([GOOD]);
    await rename(path, `${path}.away`);
    await expect.poll(faults).toEqual([expect.stringContaining('ENOENT')]);
    await rename(`${path}.away`, path);
    await expect.poll(faults).toEqual([]);
    expect(changes).toEqual([GOOD]);
  });

  it('is forgotten, faults and all, when it is named no longer', async () => {
    sources.setPaths(new Set([path]));
    await expect.poll(faults).toHaveLength(1);
    sources.setPaths(new Set());
    expect(faults()).toEqual([]);
  });
});
