import { once } from 'node:events';
import net from 'node:net';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../base/clock.ts';
import { ByteStream } from './byte-stream.ts';
import type { ByteStreamUser } from './byte-stream-user.ts';
import { EventTurn } from './event-turn.ts';

class Recorder implements ByteStreamUser {
  received = '';
  readonly buffers = new Set<Buffer>();
  readonly events: string[] = [];
  onBytesHook: () => void = () => undefined;
  #waiters: (() => void)[] = [];

  onConnected(): void {
    this.#note('connected');
  }

  onBytes(buffer: Buffer, start: number, end: number): void {
    this.buffers.add(buffer);
    this.received += buffer.toString('latin1', start, end);
    this.onBytesHook();
    this.#wake();
  }

  onPeerFinished(): void {
    this.#note('finished');
  }

  onWritable(): void {
    this.#note('writable');
  }

  onClosed(errorCode: string): void {
    this.#note(`closed ${errorCode}`);
  }

  async until(holds: () => boolean): Promise<void> {
    while (!holds()) await new Promise<void>((resolve) => this.#waiters.push(resolve));
  }

  #note(event: string): void {
    this.events.push(event);
    this.#wake();
  }

  #wake(): void {
    for (const resolve of this.#waiters.splice(0)) resolve();
  }
}

let drivesHandles: boolean;
let turn: EventTurn;
let unexpected: unknown[];
let server: net.Server;
let clients: net.Socket[];

beforeEach(async () => {
  unexpected = [];
  clients = [];
  turn = new EventTurn(systemClock, (error) => unexpected.push(error), { drivesHandles });
  server = net.createServer({ pauseOnConnect: true, allowHalfOpen: true });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});

afterEach(() => {
  turn.stop();
  server.close();
  for (const client of clients) client.destroy();
});

async function accepted(user: Recorder): Promise<{ stream: ByteStream; client: net.Socket }> {
  const address = server.address();
  const connected = once(server, 'connection');
  const client = net.connect({
    port: typeof address === 'object' && address !== null ? address.port : 0,
    allowHalfOpen: true,
  });
  clients.push(client);
  const [socket] = (await connected) as [net.Socket];
  const stream = ByteStream.accept(turn, socket, user, 65_536);
  stream.resume();
  return { stream, client };
}

describe.each([
  { drivenBy: 'its handle', handles: true },
  { drivenBy: 'net.Socket', handles: false },
])('a stream driven by $drivenBy', ({ handles }) => {
  beforeAll(() => {
    drivesHandles = handles;
  });

  describe('lent reads', () => {
    it('an accepted socket reads into the one shared buffer: the trick works on this Node', async () => {
      const user = new Recorder();
      const { client } = await accepted(user);
      client.write('one');
      await user.until(() => user.received === 'one');
      client.write('two');
      await user.until(() => user.received === 'onetwo');
      expect([...user.buffers].map((buffer) => buffer.buffer)).toEqual([turn.readBuffer.buffer]);
    });

    it('where there is no handle to take, bytes come through events all the same', async () => {
      const user = new Recorder();
      const connected = once(server, 'connection');
      const address = server.address();
      const client = net.connect(typeof address === 'object' && address !== null ? address.port : 0);
      clients.push(client);
      const [socket] = (await connected) as [net.Socket];
      const hidden = new Proxy(socket, {
        get: (target, key): unknown => {
          if (key === '_handle') return undefined;
          const value: unknown = Reflect.get(target, key);
          return typeof value === 'function' ? value.bind(target) : value;
        },
      });
      const stream = ByteStream.accept(turn, hidden, user, 65_536);
      stream.resume();
      client.write('plain');
      await user.until(() => user.received === 'plain');
      stream.destroy();
      await user.until(() => user.events.includes('closed '));
    });

    it('nothing is read before resume()', async () => {
      const user = new Recorder();
      const address = server.address();
      const connected = once(server, 'connection');
      const client = net.connect(typeof address === 'object' && address !== null ? address.port : 0);
      clients.push(client);
      const [socket] = (await connected) as [net.Socket];
      const stream = ByteStream.accept(turn, socket, user, 65_536);
      await new Promise<void>((resolve) => client.write('early', () => resolve()));
      for (let round = 0; round < 5; round++) await new Promise((resolve) => setImmediate(resolve));
      expect(user.received).toBe('');
      stream.resume();
      await user.until(() => user.received === 'early');
    });

    it('the server forgets a socket whose handle was taken', async () => {
      const { stream } = await accepted(new Recorder());
      stream.destroy();
      server.close();
      await once(server, 'close');
    });
  });

  describe('writing', () => {
    it('everything written in one turn leaves in one write, large bodies with what stands before them', async () => {
      const user = new Recorder();
      const { stream, client } = await accepted(user);
      const writes: number[] = [];
      user.onBytesHook = () => {
        stream.writeText('head ');
        stream.writeText('body');
        expect(stream.flushedBytes).toBe(0);
      };
      client.write('x');
      client.on('data', (bytes: Buffer) => writes.push(bytes.length));
      await once(client, 'data');
      expect(writes).toEqual([9]);
      expect(stream.flushedBytes).toBe(9);
    });

    it('FIN goes out behind what is queued, and reading goes on', async () => {
      const user = new Recorder();
      const { stream, client } = await accepted(user);
      turn.enter();
      stream.writeText('bye');
      stream.finish();
      turn.leave();
      let received = '';
      client.on('data', (bytes: Buffer) => {
        received += bytes.toString();
      });
      await once(client, 'end');
      expect(received).toBe('bye');
      client.end('still heard');
      await user.until(() => user.events.includes('closed '));
      expect(user.received).toBe('still heard');
      expect(user.events).toEqual(['finished', 'closed ']);
    });

    it('tells when output is backed up and when it has drained', async () => {
      const user = new Recorder();
      const { stream, client } = await accepted(user);
      const piece = Buffer.alloc(1 << 20);
      let written = 0;
      turn.enter();
      while (!stream.isBackedUp) {
        stream.writeBytes(piece, 0, piece.length);
        written += piece.length;
      }
      turn.leave();
      expect(stream.unsentBytes).toBeGreaterThan(0);
      let received = 0;
      client.on('data', (bytes: Buffer) => {
        received += bytes.length;
      });
      await user.until(() => user.events.includes('writable'));
      expect(stream.isBackedUp).toBe(false);
      turn.enter();
      stream.finish();
      turn.leave();
      await once(client, 'end');
      expect(received).toBe(written);
    });

    it('an exception in its user closes this stream, is reported, and harms no other', async () => {
      const faulty = new Recorder();
      faulty.onBytesHook = () => {
        throw new Error('a bug');
      };
      const healthy = new Recorder();
      const first = await accepted(faulty);
      const second = await accepted(healthy);
      first.client.on('error', () => undefined);
      first.client.write('x');
      await faulty.until(() => faulty.events.length > 0);
      second.client.write('y');
      await healthy.until(() => healthy.received === 'y');
      expect(unexpected).toHaveLength(1);
      expect(turn.unexpectedErrors).toBe(1);
    });
  });

  describe('dialling', () => {
    it('a refused connection is closed with its reason, once', async () => {
      const probe = net.createServer();
      probe.listen(0, '127.0.0.1');
      await once(probe, 'listening');
      const address = probe.address();
      const port = typeof address === 'object' && address !== null ? address.port : 0;
      probe.close();
      await once(probe, 'close');
      const user = new Recorder();
      ByteStream.connect(
        turn,
        { target: { address: { kind: 'ip', host: '127.0.0.1', port } }, highWaterMarkBytes: 65_536 },
        user,
      );
      await user.until(() => user.events.length > 0);
      expect(user.events).toEqual(['closed ECONNREFUSED']);
    });
  });

  describe('turns', () => {
    it('bytes that waited out a stall of the loop are read before deadlines are judged', async () => {
      const user = new Recorder();
      const { client } = await accepted(user);
      const { Deadline } = await import('./deadlines.ts');
      let sawBytes = '';
      const fired = new Promise<void>((resolve) => {
        const deadline = new Deadline({
          onDeadline: () => {
            sawBytes = user.received;
            resolve();
          },
        });
        turn.deadlines.schedule(deadline, turn.clock.nowMs() + 30);
      });
      client.write('in time');
      const until = performance.now() + 120;
      while (performance.now() < until);
      await fired;
      expect(sawBytes).toBe('in time');
    });
  });

  describe('a stream that changes hands', () => {
    it('gives the next user what was read for it, then the FIN that was heard with it', async () => {
      const first = new Recorder();
      const { stream, client } = await accepted(first);
      stream.resume();
      client.end('before and behind');
      await first.until(() => first.events.includes('finished'));
      const second = new Recorder();
      stream.pause();
      stream.unread(Buffer.from('and behind'));
      stream.user = second;
      stream.resume();
      expect(second.received).toBe('and behind');
      expect(second.events).toEqual(['finished']);
      expect(stream.receivedBytes).toBe('before and behind'.length);
    });

    it('has the ends that a proxy in front has told', async () => {
      const { stream } = await accepted(new Recorder());
      expect(stream.remoteAddress).toContain('127.0.0.1');
      const told = {
        sourceAddress: '192.0.2.1',
        sourcePort: 7,
        destinationAddress: '198.51.100.2',
        destinationPort: 443,
      };
      stream.assumeAddresses(told);
      expect([stream.remoteAddress, stream.remotePort]).toEqual(['192.0.2.1', 7]);
      expect([stream.localAddress, stream.localPort]).toEqual(['198.51.100.2', 443]);
    });
  });

  describe('a reader that is stuck', () => {
    it('is waited for even with a piece that is barely worth a copy, and that copy is given back', async () => {
      const user = new Recorder();
      const { stream, client } = await accepted(user);
      client.pause();
      const piece = Buffer.alloc(8_193, 'x');
      for (let round = 0; round < 5_000 && turn.copies.heldBytes === 0; round++)
        stream.writeBytes(piece, 0, piece.length);
      expect(stream.isBackedUp).toBe(true);
      client.resume();
      await user.until(() => user.events.includes('writable'));
      expect(turn.copies.heldBytes).toBe(0);
    });

    it('holds one copy, counted until it is taken or the stream ends', async () => {
      const user = new Recorder();
      const { stream, client } = await accepted(user);
      client.pause();
      const piece = Buffer.alloc(60_000, 'x');
      for (let round = 0; round < 1_000 && !stream.isBackedUp; round++) stream.writeBytes(piece, 0, piece.length);
      expect(stream.isBackedUp).toBe(true);
      expect(turn.copies.heldBytes).toBeGreaterThan(0);
      expect(turn.copies.heldBytes).toBeLessThan(70_000);
      client.resume();
      await user.until(() => user.events.includes('writable'));
      expect(turn.copies.heldBytes).toBe(0);
      client.pause();
      for (let round = 0; round < 1_000 && !stream.isBackedUp; round++) stream.writeBytes(piece, 0, piece.length);
      stream.destroy();
      await user.until(() => user.events.some((event) => event.startsWith('closed')));
      expect(turn.copies.heldBytes).toBe(0);
    });
  });
});
