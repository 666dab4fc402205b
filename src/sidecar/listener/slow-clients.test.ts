import net from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Clock, systemClock } from '../../base/clock.ts';
import { DataPath, RawPeer, RawUpstream } from './data-path-fixture.ts';

/** In small what `npm run bench -- slow-clients` measures with 10,000. */
const CLIENTS = 300;
/** The largest copy that is ever held for one reader. */
const LARGEST_COPY_BYTES = 70_000;
const GET = 'GET / HTTP/1.1\r\nhost: web\r\n\r\n';
const OK = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok';

/** Stands still but for what a test lets pass: on a busy machine nobody is late. */
let passedMs = 0;
const startedAtMs = systemClock.nowMs();
const clock: Clock = { ...systemClock, nowMs: () => startedAtMs + passedMs };

function pass(ms: number): void {
  passedMs += ms;
  path.turn.advance();
}

/** Deadlines are looked at so often. */
const TICK_MS = 20;
/** Longer than a refused client is listened to. */
const PAST_LINGERING_MS = 10_000;

async function closesAfter408(clients: readonly RawPeer[]): Promise<void> {
  await Promise.all(clients.map((client) => client.receives('\r\n\r\n')));
  pass(PAST_LINGERING_MS);
  await Promise.all(clients.map((client) => client.ends()));
}

let path: DataPath;
let upstream: RawUpstream;
const peers: RawPeer[] = [];

const WIDE = {
  circuitBreakers: {
    maxConnections: 1_000,
    maxPendingRequests: 1_000,
    maxRequests: 1_000,
    maxRetries: 3,
    retryBudget: undefined,
    maxConnectionsPerHost: undefined,
  },
};

beforeEach(async () => {
  passedMs = 0;
  path = new DataPath({ maxConnections: 1_000, clock });
  upstream = await RawUpstream.listen();
  path.addCluster('web', [upstream.port], WIDE);
});

afterEach(() => {
  for (const peer of peers.splice(0)) peer.destroy();
  upstream.close();
  path.close();
});

async function connect(port: number): Promise<RawPeer> {
  const peer = await RawPeer.connect(port);
  peers.push(peer);
  return peer;
}

function connectAll(port: number): Promise<RawPeer[]> {
  return Promise.all(Array.from({ length: CLIENTS }, () => connect(port)));
}

/** Somebody else's request, while the others do what they do. */
async function expectServed(port: number): Promise<void> {
  const known = upstream.connections.length;
  const client = await connect(port);
  client.send(GET);
  const host = await upstream.connection(known);
  await host.receives('GET');
  host.send(OK);
  expect(await client.receives('ok')).toMatch(/^HTTP\/1\.1 200 /);
}

describe(`${CLIENTS} clients that do not move`, () => {
  it('row 68: slow heads: others are served, and at the timeout each gets 408 and is closed', async () => {
    const port = await path.serve({ requestHeadersTimeoutMs: 700 });
    const slow = await connectAll(port);
    const begun = 'GET / HTTP/1.1\r\nhost: web\r\nx-slow: ';
    for (const client of slow) client.send(begun);
    // Whoever came last is served after what the others had sent has been read.
    await expectServed(port);
    pass(600);
    for (const client of slow) client.send('s');
    expect(slow.every((client) => client.received === '')).toBe(true);
    pass(100 + TICK_MS);
    await closesAfter408(slow);
    expect(slow.filter((client) => /^HTTP\/1\.1 408 /.test(client.received)).length).toBe(CLIENTS);
    expect(path.counter('http', 'ingress', 'downstream_rq_header_timeout')).toBe(CLIENTS);
    expect(upstream.connections.length).toBe(1);
  });

  it('row 68: slow bodies: others are served, and at request_timeout each gets 408 and lets go of its host', async () => {
    const port = await path.serve({ requestTimeoutMs: 1_500 });
    const slow = await connectAll(port);
    for (const client of slow) client.send('POST / HTTP/1.1\r\nhost: web\r\ncontent-length: 9\r\n\r\nb');
    await upstream.connection(CLIENTS - 1);
    await expectServed(port);
    pass(1_500 + TICK_MS);
    await closesAfter408(slow);
    expect(slow.filter((client) => /^HTTP\/1\.1 408 /.test(client.received)).length).toBe(CLIENTS);
    expect(path.gauge('cluster', 'web', 'upstream_rq_active')).toBe(0);
    expect(path.gauge('http', 'ingress', 'downstream_rq_active')).toBe(0);
  });

  it('row 68: slow readers: each holds no more than one copy, others are served, and nothing is held when they leave', async () => {
    const port = await path.serve();
    const slow = await connectAll(port);
    const pouring = pourFromEach();
    for (const client of slow) {
      client.socket.pause();
      client.send(GET);
    }
    await pouring.isStuck(CLIENTS);
    pouring.stop();
    const { heldBytes } = path.turn.copies;
    expect(heldBytes).toBeGreaterThan(0);
    expect(heldBytes).toBeLessThan(CLIENTS * LARGEST_COPY_BYTES);
    await expectServed(port);
    for (const client of slow) client.destroy();
    while (path.gauge('http', 'ingress', 'downstream_rq_active') > 0) {
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(path.turn.copies.heldBytes).toBe(0);
  });
});

describe('stream_idle_timeout begins anew', () => {
  it('with every piece of a request, and with every piece of its answer', async () => {
    const client = await connect(await path.serve({ streamIdleTimeoutMs: 1_000 }));
    client.send('POST / HTTP/1.1\r\nhost: web\r\ncontent-length: 3\r\n\r\n');
    const host = await upstream.connection(0);
    for (const piece of ['x', 'xx', 'xxx']) {
      pass(900);
      client.send('x');
      await host.receives(`\r\n\r\n${piece}`);
    }
    pass(900);
    host.send('HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n');
    await client.receives('\r\n\r\n');
    for (const piece of ['y', 'yy', 'yyy']) {
      pass(900);
      host.send('y');
      await client.receives(`\r\n\r\n${piece}`);
    }
    pass(100 + TICK_MS);
    expect(client.isEnded || client.isClosed).toBe(false);
    pass(900 + TICK_MS);
    await client.ends();
    expect((await path.recordsReach(1)).responseFlags).toBe('SI');
  });
});

describe('request_timeout', () => {
  it('is about the request: an answer may come later', async () => {
    const client = await connect(await path.serve({ requestTimeoutMs: 1_000 }));
    client.send('POST / HTTP/1.1\r\nhost: web\r\ncontent-length: 1\r\n\r\nx');
    const host = await upstream.connection(0);
    await host.receives('\r\n\r\nx');
    pass(5_000);
    host.send('HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nlate');
    expect(await client.receives('late')).toMatch(/^HTTP\/1\.1 200 /);
  });
});

describe('a long body', () => {
  const size = 48 * 1024 * 1024;

  /** Reads nothing until the whole path is stuck, then as it comes; answers the most that was ever held for it, and how many bytes came. */
  async function readSlowly(port: number): Promise<{ mostHeldBytes: number; received: number }> {
    const socket = net.connect({ port, host: '127.0.0.1' });
    socket.write(GET, 'latin1');
    let mostHeldBytes = 0;
    let received = 0;
    const heldBefore = path.turn.copies.heldBytes;
    while (path.turn.copies.heldBytes === heldBefore) await new Promise((resolve) => setImmediate(resolve));
    for await (const chunk of socket as AsyncIterable<Buffer>) {
      received += chunk.length;
      mostHeldBytes = Math.max(mostHeldBytes, path.turn.copies.heldBytes - heldBefore);
      if (received >= size) break;
    }
    return { mostHeldBytes, received };
  }

  async function answerLong(): Promise<void> {
    const host = await upstream.connection(0);
    await host.receives('GET');
    host.send(`HTTP/1.1 200 OK\r\ncontent-length: ${size}\r\n\r\n`);
    const piece = Buffer.alloc(1024 * 1024, 'x');
    for (let sent = 0; sent < size; sent += piece.length) {
      await new Promise<void>((resolve) => host.socket.write(piece, () => resolve()));
    }
  }

  it('through a slow reader never holds more than one copy', async () => {
    const port = await path.serve();
    const [{ mostHeldBytes, received }] = await Promise.all([readSlowly(port), answerLong()]);
    expect(received).toBeGreaterThanOrEqual(size);
    expect(mostHeldBytes).toBeLessThan(LARGEST_COPY_BYTES);
  });

  it('is read in small pieces while much is held for others, and comes through all the same', async () => {
    const port = await path.serve();
    const others = Buffer.alloc(33 * 1024 * 1024);
    path.turn.copies.hold(others);
    const [{ mostHeldBytes, received }] = await Promise.all([readSlowly(port), answerLong()]);
    path.turn.copies.release(others);
    expect(received).toBeGreaterThanOrEqual(size);
    expect(mostHeldBytes).toBeLessThan(40_000);
  });
});

interface Pouring {
  /** So many hosts cannot get rid of anything more. */
  isStuck(hosts: number): Promise<void>;
  stop(): void;
}

/** Every host answers a GET with a body that does not end, as fast as it is taken. */
function pourFromEach(): Pouring {
  const piece = Buffer.alloc(262_144, 'x');
  let isOver = false;
  let index = 0;
  const pour = (socket: net.Socket): void => {
    socket.write('HTTP/1.1 200 OK\r\ncontent-length: 1099511627776\r\n\r\n', 'latin1');
    const more = (): void => {
      while (!isOver && !socket.destroyed && socket.write(piece));
    };
    socket.on('drain', more);
    more();
  };
  const next = async (): Promise<void> => {
    while (!isOver) {
      const host = await upstream.connection(index++);
      if (!isOver) pour(host.socket);
    }
  };
  void next();
  return {
    async isStuck(hosts) {
      let known = -1;
      while (true) {
        await new Promise((resolve) => setTimeout(resolve, 200));
        const sent = upstream.connections.reduce(
          (sum, { socket }) => sum + socket.bytesWritten - socket.writableLength,
          0,
        );
        if (upstream.connections.length >= hosts && sent === known) return;
        known = sent;
      }
    },
    stop() {
      isOver = true;
    },
  };
}
