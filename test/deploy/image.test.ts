import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { layOutImage, ROOT, readDockerfile } from './image-layout.ts';

const instructions = readDockerfile();
const lastFrom = instructions.findLastIndex(({ name }) => name === 'FROM');
const lastStage = instructions.slice(lastFrom);
const textsOf = (wanted: string): readonly string[] =>
  lastStage.filter(({ name }) => name === wanted).map(({ text }) => text);

describe('the image definition', () => {
  test('builds in one stage and runs in another, from images with plain names', () => {
    expect(instructions.filter(({ name }) => name === 'FROM').map(({ text }) => text)).toEqual([
      '$NODE_IMAGE AS build',
      '$NODE_IMAGE',
    ]);
    expect(instructions[0]).toEqual({ name: 'ARG', text: 'NODE_IMAGE=node:26-slim' });
  });

  test('runs as a user that is not root, given as a number', () => {
    expect(textsOf('USER')).toEqual(['10001:10001']);
  });

  test('starts, and checks its health, without a shell', () => {
    const commands = instructions.filter(({ name }) => ['ENTRYPOINT', 'CMD', 'RUN', 'HEALTHCHECK'].includes(name));
    for (const { name, text } of commands) {
      const list: unknown = JSON.parse(text.replace(/^.*?CMD /, ''));
      expect(Array.isArray(list), `${name} ${text}`).toBe(true);
    }
    expect(textsOf('ENTRYPOINT')).toEqual(['["node", "/opt/weft/dist/src/cli/main.js"]']);
    expect(textsOf('HEALTHCHECK')[0]).toContain('CMD ["node", "/opt/weft/ready.ts"]');
  });

  test('copies only what exists', () => {
    const copied = instructions.filter(({ name, text }) => name === 'COPY' && !text.startsWith('--from'));
    for (const { text } of copied) {
      for (const source of text.split(' ').slice(0, -1)) expect(existsSync(join(ROOT, source)), source).toBe(true);
    }
  });
});

describe('what stands in the image', () => {
  let directory = '';
  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'weft-image-'));
    await layOutImage(directory);
  });
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  test('the built program runs without node_modules', async () => {
    const { code, output } = await run([join(directory, 'dist/src/cli/main.js'), '--help']);
    expect(code, output).toBe(0);
    expect(output).toContain('sidecar');
  });

  test('the health check passes with 200 only', async () => {
    let status = 200;
    const server = createServer((_request, response) => response.writeHead(status).end('LIVE\n'));
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/ready`;
    const check = (): Promise<{ code: number; output: string }> =>
      run([join(directory, 'ready.ts')], { WEFT_READY_URL: url });
    expect(await check()).toEqual({ code: 0, output: `${url}: 200 LIVE\n` });
    status = 503;
    expect((await check()).code).toBe(1);
    server.close();
    server.closeAllConnections();
    const refused = await check();
    expect(refused.code).toBe(1);
    expect(refused.output).toContain('ECONNREFUSED');
  });

  test('the build refuses to empty a folder that is not its own', async () => {
    const other = join(directory, 'other');
    mkdirSync(other);
    writeFileSync(join(other, 'letter.txt'), 'dear');
    const { code, output } = await run([join(ROOT, 'deploy/build.ts'), other]);
    expect(code).toBe(1);
    expect(existsSync(join(other, 'letter.txt'))).toBe(true);
    expect(output).toContain('holds something else than an earlier build');
  });
});

function run(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<{ code: number; output: string }> {
  return new Promise((resolve) => {
    const options = { env: { PATH: process.env['PATH'] ?? '', ...env }, timeout: 20_000 };
    execFile(process.execPath, args, options, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), output: stdout + stderr });
    });
  });
}
