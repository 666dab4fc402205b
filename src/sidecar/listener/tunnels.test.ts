import { createHash } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { tcpListener } from '../../../test/support/resources.ts';
import type { TcpProxy } from '../../resource/listener.ts';
import { DataPath, RawPeer, RawUpstream, unusedPort } from './data-path-fixture.ts';

let path: DataPath;
let upstream: RawUpstream;
const peers: RawPeer[] = [];

async function connect(port: number): Promise<RawPeer> {
  const peer = await RawPeer.connect(port);
  peers.push(peer);
  return peer;
}

async function serveTcp(proxy: Partial<TcpProxy> = {}): Promise<number> {
  await path.apply([tcpListener('tcp', proxy)]);
  return path.listeners.get('tcp')?.port ?? 0;
}

beforeEach(async () => {
  path = new DataPath();
  upstream = await RawUpstream.listen();
  path.addCluster('web', [upstream.port]);
});

afterEach(() => {
  for (const peer of peers.splice(0)) peer.destroy();
  upstream.close();
  path.close();
  expect(path.clusters.get('web')?.breakers.active('connections')).toBe(0);
});

const UPGRADE =
  'GET /chat HTTP/1.1\r\nhost: web\r\nconnection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-key: x\r\n\r\n';
const SWITCH = 'HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n';

describe('upgrades', () => {
  it('row 55: bytes pass both ways after 101, and those sent before it are held until then', async () => {
    const client = await connect(await path.serve({ upgradeTypes: ['websocket'] }));
    client.send(`${UPGRADE}early`);
    const host = await upstream.connection(0);
    expect(await host.receives('\r\n\r\n')).toContain('connection: upgrade\r\nupgrade: websocket\r\n');
    expect(host.received).not.toContain('early');
    host.send(`${SWITCH}hello`);
    await client.receives('hello');
    await host.receives('\r\n\r\nearly');
    client.send('ping');
    await host.receives('ping');
    host.send('pong');
    expect(await client.receives('pong')).toMatch(/^HTTP\/1\.1 101 [\s\S]*upgrade: websocket\r\n/);
    expect(path.gauge('http', 'ingress', 'downstream_cx_upgrades_active')).toBe(1);
  });

  it('the tunnel outlives a new configuration, and FIN passes in each direction by itself', async () => {
    const client = await connect(await path.serve({ upgradeTypes: ['websocket'] }));
    client.send(UPGRADE);
    const host = await upstream.connection(0);
    await host.receives('\r\n\r\n');
    host.send(SWITCH);
    await client.receives('101');
    await path.serve({ upgradeTypes: [], statPrefix: 'other' });
    client.send('after');
    await host.receives('after');
    client.socket.end();
    await host.ends();
    host.send('last words');
    await client.receives('last words');
    host.socket.end();
    await client.ends();
    const record = await path.recordsReach(1);
    expect(record).toMatchObject({ status: 101, responseFlags: '' });
    expect(path.gauge('http', 'ingress', 'downstream_cx_upgrades_active')).toBe(0);
  });

  it('an upgrade that configuration does not allow is refused', async () => {
    const client = await connect(await path.serve());
    client.send(UPGRADE);
    expect(await client.receives('\r\n\r\n')).toMatch(/^HTTP\/1\.1 403 /);
    expect(upstream.connections.length).toBe(0);
  });

  it('row 55: an answer other than 101 leaves the connection HTTP', async () => {
    const client = await connect(await path.serve({ upgradeTypes: ['websocket'] }));
    client.send(UPGRADE);
    const host = await upstream.connection(0);
    await host.receives('\r\n\r\n');
    host.send('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n');
    await client.receives('HTTP/1.1 200 ');
    client.send('GET /plain HTTP/1.1\r\nhost: web\r\n\r\n');
    await host.receives('GET /plain');
  });
});

describe('TCP proxy', () => {
  it('a server that speaks first is heard', async () => {
    const client = await connect(await serveTcp());
    (await upstream.connection(0)).send('220 ready\r\n');
    await client.receives('220 ready');
    client.send('HELO\r\n');
    await (await upstream.connection(0)).receives('HELO');
  });

  it('relays half-closes in both directions', async () => {
    const client = await connect(await serveTcp());
    client.send('question');
    client.socket.end();
    const host = await upstream.connection(0);
    expect(await host.ends()).toBe('question');
    host.send('answer');
    await client.receives('answer');
    host.socket.end();
    expect(await client.ends()).toBe('answer');
  });

  it('passes megabytes unharmed in both directions at once', async () => {
    const client = await connect(await serveTcp());
    const host = await upstream.connection(0);
    const bytes = Buffer.alloc(8 << 20, 'weft-data-');
    const wanted = createHash('sha256').update(bytes).digest('hex');
    const digestOf = (peer: RawPeer): Promise<string> =>
      new Promise((resolve) => {
        const hash = createHash('sha256');
        peer.socket.removeAllListeners('data');
        peer.socket.on('data', (chunk: Buffer) => hash.update(chunk));
        peer.socket.on('end', () => resolve(hash.digest('hex')));
      });
    const digests = Promise.all([digestOf(client), digestOf(host)]);
    client.socket.end(bytes);
    host.socket.end(bytes);
    expect(await digests).toEqual([wanted, wanted]);
    expect(path.counter('tcp', 'db', 'downstream_cx_rx_bytes_total')).toBe(bytes.length);
  });

  it('tries as often as max_connect_attempts says, then resets', async () => {
    path.addCluster('web', [await unusedPort()]);
    const client = await connect(await serveTcp({ maxConnectAttempts: 3 }));
    await client.ends();
    expect(path.counter('cluster', 'web', 'upstream_cx_connect_fail')).toBe(3);
  });

  it('what the client said first reaches the host that was found at last', async () => {
    path.addCluster('web', [await unusedPort(), await unusedPort(), upstream.port]);
    const port = await serveTcp({ maxConnectAttempts: 3 });
    for (let index = 0; index < 3; index++) {
      const client = await connect(port);
      client.send(`greeting ${index}`);
      await (await upstream.connection(index)).receives(`greeting ${index}`);
    }
  });

  it('closes an idle pair', async () => {
    const client = await connect(await serveTcp({ idleTimeoutMs: 50 }));
    const host = await upstream.connection(0);
    await Promise.all([client.ends(), host.ends()]);
    expect(path.counter('tcp', 'db', 'idle_timeout')).toBe(1);
  });

  it('closes at once where no cluster or host is to be had', async () => {
    const client = await connect(await serveTcp({ cluster: { kind: 'cluster', name: 'gone' } }));
    await client.ends();
    expect(path.counter('tcp', 'db', 'downstream_cx_no_route')).toBe(1);
  });

  it('chooses among weighted clusters', async () => {
    const other = await RawUpstream.listen();
    path.addCluster('other', [other.port]);
    const mutations = {
      requestHeadersToAdd: [],
      requestHeadersToRemove: [],
      responseHeadersToAdd: [],
      responseHeadersToRemove: [],
    };
    const clusters = [
      { name: 'web', weight: 1, headers: mutations },
      { name: 'other', weight: 1, headers: mutations },
    ];
    const port = await serveTcp({ cluster: { kind: 'weightedClusters', clusters, totalWeight: 2 } });
    for (let index = 0; index < 24; index++) (await connect(port)).send('x');
    const all = (): number => upstream.connections.length + other.connections.length;
    await expect.poll(all).toBe(24);
    expect(upstream.connections.length).toBeGreaterThan(3);
    expect(other.connections.length).toBeGreaterThan(3);
    other.close();
  });

  it('a peer that resets is answered by a reset of the other side', async () => {
    const client = await connect(await serveTcp());
    const host = await upstream.connection(0);
    client.send('x');
    await host.receives('x');
    client.socket.resetAndDestroy();
    await host.ends();
    expect(host.errorCode).toBe('ECONNRESET');
  });
});
