import { execFile, execFileSync } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const FOLDER = fileURLToPath(new URL('../../deploy/systemd/', import.meta.url));
const UNITS = [
  { file: 'weft-control.service', unit: 'weft-control.service' },
  { file: 'weft-sidecar@.service', unit: 'weft-sidecar@web-1-sidecar-proxy.service' },
] as const;
/** Of 100, by systemd's own reckoning; a unit without hardening has about 95. */
const MOST_EXPOSURE = 20;
/** Targets that the units name or that every unit has by default. */
const TARGETS = ['network-online', 'multi-user', 'sysinit', 'basic', 'shutdown', 'network'];
const SYSTEMD_ANALYZE = '/usr/bin/systemd-analyze';

/** The first that can look at units under another root and without a running systemd. */
const OLDEST_SYSTEMD = 250;

const hasSystemd = systemdVersion() >= OLDEST_SYSTEMD;
const describeWithSystemd = hasSystemd ? describe : describe.skip;

describeWithSystemd(
  hasSystemd ? 'systemd-analyze' : `systemd-analyze (needs systemd ${OLDEST_SYSTEMD} or later)`,
  () => {
    let root = '';

    /** A root of its own with the units, their targets and a program where they expect one. */
    beforeAll(() => {
      root = mkdtempSync(join(tmpdir(), 'weft-units-'));
      const units = join(root, 'usr/lib/systemd/system');
      mkdirSync(units, { recursive: true });
      for (const { file } of UNITS) cpSync(join(FOLDER, file), join(units, file));
      for (const target of TARGETS) writeFileSync(join(units, `${target}.target`), `[Unit]\nDescription=${target}\n`);
      mkdirSync(join(root, 'usr/bin'), { recursive: true });
      writeFileSync(join(root, 'usr/bin/node'), '#!/bin/sh\n');
      chmodSync(join(root, 'usr/bin/node'), 0o755);
    });
    afterAll(() => rmSync(root, { recursive: true, force: true }));

    test.each(UNITS)('verifies $unit without a word', async ({ unit }) => {
      expect(await analyze(['verify', `--root=${root}`, unit])).toEqual({ code: 0, output: '' });
    });

    test('finds what is wrong with a unit that is wrong', async () => {
      writeFileSync(
        join(root, 'usr/lib/systemd/system/wrong.service'),
        '[Service]\nExecStart=/no/such/program\nColour=red\n',
      );
      const { output } = await analyze(['verify', `--root=${root}`, 'wrong.service']);
      expect(output).toContain('Colour');
    });

    test.each(UNITS)('holds $unit for well confined', async ({ unit }) => {
      const { code, output } = await analyze([
        ...['security', '--no-pager', '--offline=true', `--root=${root}`],
        ...[`--threshold=${MOST_EXPOSURE}`, unit],
      ]);
      expect(code, output).toBe(0);
    });
  },
);

describe('the units and the example of their settings', () => {
  const example = readFileSync(join(FOLDER, 'weft.env.example'), 'utf8');

  test.each(UNITS)('every setting of $file stands in the example, with the same value', ({ file }) => {
    const text = readFileSync(join(FOLDER, file), 'utf8').replace(/\\\n\s*/g, '');
    const used = [...text.matchAll(/\$\{(WEFT_\w+)\}/g)].map(([, name = '']) => name);
    const defaults = /^Environment=(.*)$/m.exec(text)?.[1]?.split(' ') ?? [];
    expect(defaults.map((each) => each.split('=')[0] ?? '').sort()).toEqual([...used].sort());
    for (const each of defaults) expect(example.split('\n')).toContain(each);
  });

  test('every option that a unit gives is one that the program has', () => {
    for (const { file } of UNITS) {
      const [, command = '', args = ''] =
        /main\.js (\w+) (.*)$/m.exec(readFileSync(join(FOLDER, file), 'utf8').replace(/\\\n\s*/g, '')) ?? [];
      const source = readFileSync(
        fileURLToPath(new URL(`../../src/cli/${command}-command.ts`, import.meta.url)),
        'utf8',
      );
      const options = [...args.matchAll(/--[a-z-]+/g)].map(([name]) => name).filter((name) => name !== '--log-format');
      expect(options.length).toBeGreaterThan(3);
      for (const option of options) expect(source).toContain(`'${option}`);
    }
  });
});

function analyze(args: readonly string[]): Promise<{ code: number; output: string }> {
  return new Promise((resolve) => {
    execFile(SYSTEMD_ANALYZE, args, { timeout: 20_000 }, (error, stdout, stderr) => {
      // The security report goes to standard output even where all is well.
      resolve({ code: error === null ? 0 : Number(error.code), output: stdout + stderr });
    });
  });
}

/** 0 where there is none. */
function systemdVersion(): number {
  try {
    return Number(/^systemd (\d+)/.exec(execFileSync(SYSTEMD_ANALYZE, ['--version'], { encoding: 'utf8' }))?.[1] ?? 0);
  } catch {
    return 0;
  }
}
