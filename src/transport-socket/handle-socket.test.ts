import { once } from 'node:events';
import net from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { handleBinding } from './handle-binding.ts';
import { HandleSocket } from './handle-socket.ts';
import { LentBuffer } from './lent-buffer.ts';
import type { StreamSocketUser } from './stream-socket.ts';

class Recorder implements StreamSocketUser {
  readonly events: string[] = [];
  received = '';
  #waiters: (() => void)[] = [];

  onSocketConnected(): void {
    this.#note('connected');
  }

  onSocketBytes(buffer: Buffer, length: number): void {
    this.received += buffer.toString('latin1', 0, length);
    this.#note('bytes');
  }

  onSocketEnd(): void {
    this.#note('end');
  }

  onSocketDrained(): void {
    this.#note('drained');
  }

  onSocketFailed(code: string): void {
    this.#note(`failed ${code}`);
  }

  onSocketClosed(): void {
    this.#note('closed');
  }

  async until(event: string): Promise<void> {
    while (!this.events.includes(event)) await new Promise<void>((resolve) => this.#waiters.push(resolve));
  }

  #note(event: string): void {
    this.events.push(event);
    for (const resolve of this.#waiters.splice(0)) resolve();
  }
}

const isKnownNode = process.versions.node.startsWith('26.');
const whole = Buffer.alloc(65_536);
let isCrowded: boolean;
let lent: LentBuffer;
let server: net.Server;
let port: number;
let peers: net.Socket[];

beforeEach(async () => {
  isCrowded = false;
  lent = new LentBuffer(whole, () => isCrowded);
  peers = [];
  server = net.createServer({ pauseOnConnect: true, allowHalfOpen: true });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  port = typeof address === 'object' && address !== null ? address.port : 0;
});

afterEach(() => {
  server.close();
  for (const peer of peers) peer.destroy();
});

function known<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('this Node has no handle to drive');
  return value;
}

async function accepted(user: Recorder): Promise<{ socket: HandleSocket; peer: net.Socket }> {
  const connected = once(server, 'connection');
  const peer = net.connect({ host: '127.0.0.1', port, allowHalfOpen: true });
  peers.push(peer);
  const [taken] = (await connected) as [net.Socket];
  return { socket: known(HandleSocket.accept(taken, lent, user)), peer };
}

async function dialled(user: Recorder): Promise<{ socket: HandleSocket; peer: net.Socket }> {
  const connected = once(server, 'connection');
  const socket = known(HandleSocket.connect({ kind: 'ip', host: '127.0.0.1', port }, lent, user));
  const [peer] = (await connected) as [net.Socket];
  peers.push(peer);
  await user.until('connected');
  return { socket, peer };
}

it('the binding is found on the Node that Weft runs on', () => {
  expect(handleBinding !== undefined).toBe(isKnownNode);
});

describe.runIf(isKnownNode)('a socket driven by its handle', () => {
  it('sends text and bytes in the order written, whatever the kernel takes at once', async () => {
    const user = new Recorder();
    const { socket, peer } = await dialled(user);
    let expected = '';
    let waiting = 0;
    for (let piece = 0; piece < 5_000 && waiting < 100; piece++) {
      if (socket.unsentBytes > 0) waiting++;
      const text = `${String(piece % 10).repeat(9_000)}\n`;
      if (piece % 2 === 0) socket.writeText(text);
      else socket.writeBytes(Buffer.from(text, 'latin1'));
      expected += text;
    }
    expect(socket.unsentBytes).toBeGreaterThan(0);
    socket.finish();
    let received = '';
    peer.on('data', (bytes: Buffer) => {
      received += bytes.toString('latin1');
    });
    peer.resume();
    await once(peer, 'end');
    expect(received === expected).toBe(true);
    await user.until('drained');
    expect(socket.unsentBytes).toBe(0);
    socket.destroy();
    await user.until('closed');
  });

  it('closes by itself when both have finished, and tells it once', async () => {
    const user = new Recorder();
    const { socket, peer } = await accepted(user);
    socket.resume();
    peer.end('last words');
    await user.until('end');
    expect(user.received).toBe('last words');
    socket.finish();
    await user.until('closed');
    socket.destroy();
    socket.reset();
    expect(user.events.filter((event) => event === 'closed' || event === 'end')).toEqual(['end', 'closed']);
  });

  it('the FIN of a peer is told once, however often reading is started again', async () => {
    const user = new Recorder();
    const { socket, peer } = await accepted(user);
    socket.resume();
    peer.end();
    await user.until('end');
    socket.pause();
    socket.resume();
    for (let round = 0; round < 5; round++) await new Promise((resolve) => setImmediate(resolve));
    expect(user.events).toEqual(['end']);
    socket.destroy();
    await user.until('closed');
  });

  it('a reset by the peer is told with its code before the close', async () => {
    const user = new Recorder();
    const { socket, peer } = await accepted(user);
    socket.resume();
    peer.resetAndDestroy();
    await user.until('closed');
    expect(user.events).toEqual(['failed ECONNRESET', 'closed']);
    socket.writeText('too late');
    socket.finish();
    expect(user.events).toEqual(['failed ECONNRESET', 'closed']);
  });

  it('reset() shows the peer that this was no end', async () => {
    const user = new Recorder();
    const { socket, peer } = await dialled(user);
    peer.resume();
    socket.reset();
    const [error] = (await once(peer, 'error')) as [NodeJS.ErrnoException];
    expect(error.code).toBe('ECONNRESET');
    await user.until('closed');
    expect(user.events).toEqual(['connected', 'closed']);
  });

  it('destroy() with unsent output tells of no write and no error', async () => {
    const user = new Recorder();
    const { socket } = await dialled(user);
    for (let round = 0; round < 2_000 && socket.unsentBytes === 0; round++) socket.writeText('x'.repeat(100_000));
    expect(socket.unsentBytes).toBeGreaterThan(0);
    socket.destroy();
    await user.until('closed');
    expect(user.events).toEqual(['connected', 'closed']);
  });

  it('a dial that is given up is closed and never connected', async () => {
    const user = new Recorder();
    const socket = known(HandleSocket.connect({ kind: 'ip', host: '127.0.0.1', port }, lent, user));
    server.on('connection', (peer: net.Socket) => peers.push(peer));
    socket.reset();
    await user.until('closed');
    expect(user.events).toEqual(['closed']);
  });

  it('an address the system refuses outright is told like any other failure', async () => {
    const user = new Recorder();
    known(HandleSocket.connect({ kind: 'ip', host: '255.255.255.255', port: 1 }, lent, user));
    expect(user.events).toEqual([]);
    await user.until('closed');
    expect(user.events).toEqual([expect.stringMatching(/^failed E/), 'closed']);
  });

  it('what needs more than a connect is left to net.Socket', () => {
    const user = new Recorder();
    expect(HandleSocket.connect({ kind: 'pipe', path: '/nowhere', mode: 0 }, lent, user)).toBeUndefined();
    expect(HandleSocket.connect({ kind: 'ip', host: 'localhost', port: 1 }, lent, user)).toBeUndefined();
  });

  it('reads into the part of the buffer that a crowded worker lends, and the whole again afterwards', async () => {
    const user = new Recorder();
    const { socket, peer } = await accepted(user);
    const sizes: number[] = [];
    user.onSocketBytes = (buffer, length) => {
      sizes.push(length);
      user.received += buffer.toString('latin1', 0, length);
      isCrowded = user.received.length < 100_000;
      if (user.received.length === 400_001) user.onSocketEnd();
    };
    isCrowded = true;
    const text = `${'0123456789'.repeat(40_000)}!`;
    peer.write(text);
    await new Promise((resolve) => setImmediate(resolve));
    socket.resume();
    await user.until('end');
    expect(user.received === text).toBe(true);
    expect(sizes.some((size) => size === 16_384)).toBe(true);
    socket.destroy();
    await user.until('closed');
  });

  it('knows both ends while it is open and after', async () => {
    const user = new Recorder();
    const { socket, peer } = await accepted(user);
    expect([socket.remoteAddress, socket.remotePort]).toEqual(['127.0.0.1', peer.localPort]);
    expect([socket.localAddress, socket.localPort]).toEqual(['127.0.0.1', port]);
    socket.destroy();
    await user.until('closed');
    expect([socket.remoteAddress, socket.remotePort]).toEqual(['127.0.0.1', peer.localPort]);
  });
});
