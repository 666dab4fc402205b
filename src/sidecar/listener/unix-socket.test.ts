import { once } from 'node:events';
import { chmodSync, mkdtempSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { listenOnUnixSocket } from './unix-socket.ts';

let folder: string;
let path: string;
let server: net.Server;

/** Node removes the file when a server closes; only what was killed leaves one behind. */
async function leaveSocketBehind(): Promise<void> {
  const killed = net.createServer();
  killed.listen(join(folder, 'other'));
  await once(killed, 'listening');
  renameSync(join(folder, 'other'), path);
  killed.close();
}

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'weft-socket-'));
  path = join(folder, 's');
  server = net.createServer();
});

afterEach(() => {
  server.close();
  rmSync(folder, { recursive: true });
});

describe('a listener on a Unix socket', () => {
  it('has the mode it is given from the moment it listens', async () => {
    listenOnUnixSocket(server, { path, mode: 0o640 }, {});
    await once(server, 'listening');
    expect(statSync(path).mode & 0o777).toBe(0o640);
  });

  it('replaces a socket that nobody listens on', async () => {
    await leaveSocketBehind();
    listenOnUnixSocket(server, { path, mode: 0 }, {});
    await once(server, 'listening');
    const client = net.connect(path);
    await once(client, 'connect');
    client.destroy();
  });

  it('leaves a socket to the program that listens on it', async () => {
    const other = net.createServer((socket) => socket.destroy());
    other.listen(path);
    await once(other, 'listening');
    listenOnUnixSocket(server, { path, mode: 0 }, {});
    const [error] = await once(server, 'error');
    expect(String(error)).toContain('another program listens there');
    other.close();
  });

  it('leaves a file that is no socket where it is', async () => {
    writeFileSync(path, 'precious');
    chmodSync(path, 0o600);
    listenOnUnixSocket(server, { path, mode: 0 }, {});
    const [error] = await once(server, 'error');
    expect(String(error)).toContain('is no socket');
    expect(statSync(path).size).toBe(8);
  });
});
