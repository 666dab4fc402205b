import { once } from 'node:events';
import net from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { cluster, NO_MUTATIONS, tcpListener } from '../../../test/support/resources.ts';
import { type Clock, systemClock } from '../../base/clock.ts';
import type { Cluster } from '../../resource/cluster.ts';
import type { TcpProxy } from '../../resource/listener.ts';
import { DataPath, RawPeer, RawUpstream } from './data-path-fixture.ts';
import { commonContext } from './tls-listener-fixture.ts';

/** What bounds a proxied TCP connection: times, places, and the bytes that are held for its slower side. */

/** Deadlines are looked at so often. */
const TICK_MS = 20;
const WATERMARK_BYTES = 64 * 1024;

/** Stands still but for what a test lets pass. */
let passedMs = 0;
const startedAtMs = systemClock.nowMs();
const clock: Clock = { ...systemClock, nowMs: () => startedAtMs + passedMs };

let path: DataPath;
let upstream: RawUpstream;
const peers: RawPeer[] = [];

beforeEach(async () => {
  passedMs = 0;
  path = new DataPath({ clock });
  upstream = await RawUpstream.listen();
  path.addCluster('web', [upstream.port]);
});

afterEach(() => {
  for (const peer of peers.splice(0)) peer.destroy();
  upstream.close();
  path.close();
  expect(path.clusters.get('web')?.breakers.active('connections')).toBe(0);
});

function pass(ms: number): void {
  passedMs += ms;
  path.turn.advance();
}

async function connect(port: number): Promise<RawPeer> {
  const peer = await RawPeer.connect(port);
  peers.push(peer);
  return peer;
}

async function serve(proxy: Partial<TcpProxy> = {}): Promise<number> {
  await path.apply([tcpListener('tcp', proxy, { perConnectionBufferLimitBytes: WATERMARK_BYTES })]);
  return path.listeners.get('tcp')?.port ?? 0;
}

const dbCounter = (name: string): number => path.counter('tcp', 'db', name);
const webCounter = (name: string): number => path.counter('cluster', 'web', name);

describe('idle_timeout', () => {
  it.each(['client', 'host'] as const)('begins anew with what the %s sends', async (sender) => {
    const client = await connect(await serve({ idleTimeoutMs: 1_000 }));
    const host = await upstream.connection(0);
    const [from, to] = sender === 'client' ? [client, host] : [host, client];
    for (const text of ['one', 'two', 'three']) {
      pass(900);
      from.send(text);
      await to.receives(text);
    }
    pass(900);
    expect(dbCounter('idle_timeout')).toBe(0);
    pass(100 + 2 * TICK_MS);
    await Promise.all([client.ends(), host.ends()]);
    expect(dbCounter('idle_timeout')).toBe(1);
  });

  it('of 0 is none', async () => {
    const client = await connect(await serve({ idleTimeoutMs: 0 }));
    const host = await upstream.connection(0);
    client.send('hello');
    await host.receives('hello');
    pass(10 * 3_600_000);
    client.send('still here');
    await host.receives('still here');
  });
});

it('max_downstream_connection_duration ends a connection in which bytes move', async () => {
  const client = await connect(await serve({ maxDownstreamConnectionDurationMs: 1_000 }));
  const host = await upstream.connection(0);
  pass(900);
  client.send('x');
  await host.receives('x');
  expect(dbCounter('max_downstream_connection_duration')).toBe(0);
  pass(100 + 2 * TICK_MS);
  await Promise.all([client.ends(), host.ends()]);
  expect([dbCounter('max_downstream_connection_duration'), dbCounter('idle_timeout')]).toEqual([1, 0]);
});

it('a host that does not come up within connect_timeout is given up, and the next one tried', async () => {
  const silent = net.createServer((socket) => socket.on('error', () => undefined));
  silent.listen(0, '127.0.0.1');
  const accepted = [once(silent, 'connection'), once(silent, 'connection')];
  await once(silent, 'listening');
  const address = silent.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  // A handshake that nobody answers is a connection that does not come up.
  const transportSocket = { kind: 'upstreamTls', common: commonContext(undefined), sni: 'web' } as const;
  path.addCluster('web', [port], { transportSocket, connectTimeoutMs: 1_000 });
  const client = await connect(await serve({ maxConnectAttempts: 2 }));
  await accepted[0];
  pass(1_000 - 2 * TICK_MS);
  expect(webCounter('upstream_cx_connect_timeout')).toBe(0);
  pass(4 * TICK_MS);
  expect(webCounter('upstream_cx_connect_timeout')).toBe(1);
  await expect.poll(() => webCounter('upstream_cx_total')).toBe(2);
  pass(1_000 + 2 * TICK_MS);
  await client.ends();
  expect([webCounter('upstream_cx_connect_timeout'), webCounter('upstream_cx_connect_fail')]).toEqual([2, 2]);
  silent.close();
});

it('connections beyond the limit of the cluster are closed and counted, and a place that comes free serves', async () => {
  const { circuitBreakers } = cluster('web');
  const one: Partial<Cluster> = { circuitBreakers: { ...circuitBreakers, maxConnections: 1 } };
  path.addCluster('web', [upstream.port], one);
  const port = await serve();
  const first = await connect(port);
  const host = await upstream.connection(0);
  await (await connect(port)).ends();
  expect(webCounter('upstream_cx_overflow')).toBe(1);
  first.destroy();
  await host.ends();
  host.socket.end();
  await expect.poll(() => path.gauge('cluster', 'web', 'upstream_cx_active')).toBe(0);
  await connect(port);
  await upstream.connection(1);
});

it('clusters get connections by their weight', async () => {
  const other = await RawUpstream.listen();
  path.addCluster('other', [other.port]);
  const clusters = [
    { name: 'web', weight: 29, headers: NO_MUTATIONS },
    { name: 'other', weight: 1, headers: NO_MUTATIONS },
  ];
  const port = await serve({ cluster: { kind: 'weightedClusters', clusters, totalWeight: 30 } });
  for (let index = 0; index < 60; index++) await connect(port);
  await expect.poll(() => upstream.connections.length + other.connections.length).toBe(60);
  expect(upstream.connections.length).toBeGreaterThan(45);
  other.close();
});

describe('who reads slowly', () => {
  const SENT_BYTES = 32 << 20;
  /** What the kernel keeps for both sockets, and no more: far from all of it. */
  const MOST_TAKEN_BYTES = 16 << 20;

  /** Waits until a number has stood still for a while. */
  async function settled(read: () => number): Promise<number> {
    for (let last = read(), quietRounds = 0; ; ) {
      await new Promise((resolve) => setTimeout(resolve, 20));
      const now = read();
      quietRounds = now === last && now > 0 ? quietRounds + 1 : 0;
      if (quietRounds === 10) return now;
      last = now;
    }
  }

  it.each([
    ['host', 'downstream_cx_rx_bytes_total'],
    ['client', 'downstream_cx_tx_bytes_total'],
  ] as const)(
    'a %s holds the other side back, and gets every byte at last',
    async (slow, counter) => {
      const client = await connect(await serve());
      const host = await upstream.connection(0);
      const [from, to] = slow === 'host' ? [client, host] : [host, client];
      to.socket.pause();
      from.socket.end(Buffer.alloc(SENT_BYTES));
      expect(await settled(() => dbCounter(counter))).toBeLessThan(MOST_TAKEN_BYTES);
      let bytes = 0;
      to.socket.removeAllListeners('data');
      to.socket.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
      });
      to.socket.resume();
      await to.ends();
      expect(bytes).toBe(SENT_BYTES);
    },
    20_000,
  );
});
