import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DataPath, RawPeer, RawUpstream } from './data-path-fixture.ts';

let path: DataPath;
let upstream: RawUpstream;
const peers: RawPeer[] = [];
const GET = 'GET / HTTP/1.1\r\nhost: web\r\n\r\n';
const OK = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok';

async function connect(port: number): Promise<RawPeer> {
  const peer = await RawPeer.connect(port);
  peers.push(peer);
  return peer;
}

async function exchange(client: RawPeer, index: number): Promise<void> {
  client.send(GET);
  const host = await upstream.connection(0);
  await host.until(() => host.received.split('GET').length === index + 2, `request ${index}`);
  host.send(OK);
  await client.until(() => client.received.split('ok').length === index + 2, `answer ${index}`);
}

beforeEach(async () => {
  path = new DataPath({ drainTimeoutMs: 2_000 });
  upstream = await RawUpstream.listen();
  path.addCluster('web', [upstream.port]);
});

afterEach(() => {
  for (const peer of peers.splice(0)) peer.destroy();
  upstream.close();
  path.close();
});

describe('a connection ends', () => {
  it('after max_requests_per_connection, saying so in the last answer', async () => {
    const client = await connect(await path.serve({ maxRequestsPerConnection: 2 }));
    await exchange(client, 0);
    expect(client.received).not.toContain('connection: close');
    await exchange(client, 1);
    expect(await client.ends()).toContain('connection: close\r\n');
    expect(path.counter('http', 'ingress', 'downstream_cx_max_requests_reached')).toBe(1);
  });

  it('after max_connection_duration, when idle', async () => {
    const client = await connect(await path.serve({ maxConnectionDurationMs: 60 }));
    await exchange(client, 0);
    await client.ends();
  });

  it('after max_connection_duration, with the answer that is under way', async () => {
    const client = await connect(await path.serve({ maxConnectionDurationMs: 60 }));
    client.send(GET);
    const host = await upstream.connection(0);
    await host.receives('GET');
    await new Promise((resolve) => setTimeout(resolve, 100));
    host.send(OK);
    expect(await client.ends()).toMatch(/ok$/);
  });

  it('when its listener drains: an idle one soon, and a request that crosses with it is still served', async () => {
    const port = await path.serve({ delayedCloseTimeoutMs: 50 });
    const idle = await connect(port);
    const racing = await connect(port);
    await exchange(idle, 0);
    const drained = path.listeners.drain('all');
    racing.send(GET);
    const host = await upstream.connection(0);
    await host.until(() => host.received.split('GET').length === 3, 'the racing request');
    host.send(OK);
    expect(await racing.ends()).toMatch(/connection: close\r\n[\s\S]*ok$/);
    await idle.ends();
    await drained;
  });

  it('by lingering: a client that goes on sending can still read the answer', async () => {
    const client = await connect(await path.serve({ delayedCloseTimeoutMs: 200 }));
    client.send(`GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n`);
    for (let round = 0; round < 50; round++) client.send('x'.repeat(1_000));
    expect(await client.ends()).toMatch(/^HTTP\/1\.1 400 /);
    expect(client.errorCode).toBe('');
  });
});

describe('bounds', () => {
  it('a flood of pipelined requests is read no further than the bound while one is being answered', async () => {
    const client = await connect(await path.serve());
    client.send(GET);
    const host = await upstream.connection(0);
    await host.receives('GET');
    const flood = GET.repeat(400_000);
    client.send(flood);
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(client.socket.writableLength).toBeGreaterThan(flood.length / 2);
  });

  it('a tunnel in which nothing moves ends by the idle timeout', async () => {
    const client = await connect(await path.serve({ upgradeTypes: ['websocket'], streamIdleTimeoutMs: 60 }));
    client.send('GET / HTTP/1.1\r\nhost: web\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n');
    const host = await upstream.connection(0);
    await host.receives('\r\n\r\n');
    host.send('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n');
    await client.receives('101');
    await Promise.all([client.ends(), host.ends()]);
    expect(path.gauge('http', 'ingress', 'downstream_cx_upgrades_active')).toBe(0);
  });

  it('row 41: trailers pass only where they are enabled', async () => {
    const client = await connect(await path.serve({ enableTrailers: false }));
    client.send('POST / HTTP/1.1\r\nhost: web\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\nx-up: 1\r\n\r\n');
    const host = await upstream.connection(0);
    await host.receives('0\r\n\r\n');
    expect(host.received).not.toContain('x-up');
    host.send('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nb\r\n0\r\nx-down: 1\r\n\r\n');
    await client.receives('0\r\n\r\n');
    expect(client.received).not.toContain('x-down');
  });

  it('row 61: Via is appended in both directions where it is configured', async () => {
    const client = await connect(await path.serve({ via: 'mesh' }));
    client.send('GET / HTTP/1.1\r\nhost: web\r\nvia: 1.1 outer\r\n\r\n');
    const host = await upstream.connection(0);
    expect(await host.receives('\r\n\r\n')).toMatch(/via: 1\.1 outer\r\n[\s\S]*via: 1\.1 mesh\r\n/);
    host.send(OK);
    expect(await client.receives('ok')).toContain('via: 1.1 mesh\r\n');
  });

  it('row 61: a request whose Via names us too often is answered 508 and goes no further', async () => {
    const port = await path.serve({ via: 'mesh' });
    const visits = (count: number): string => Array.from({ length: count }, () => '1.1 mesh').join(', ');
    const around = await connect(port);
    around.send(`GET /around HTTP/1.1\r\nhost: web\r\nvia: 1.1 other, ${visits(5)}\r\nvia: ${visits(5)}\r\n\r\n`);
    expect(await around.receives('circles')).toMatch(/^HTTP\/1\.1 508 /);
    const once = await connect(port);
    once.send(`GET /once HTTP/1.1\r\nhost: web\r\nvia: ${visits(9)}\r\n\r\n`);
    const host = await upstream.connection(0);
    expect(await host.receives('\r\n\r\n')).toContain('GET /once ');
  });

  it('an upstream that answers while its slow reading holds the client does not leave it held', async () => {
    const client = await connect(await path.serve());
    const size = 8 << 20;
    client.send(`POST / HTTP/1.1\r\nhost: web\r\ncontent-length: ${size}\r\n\r\n`);
    const host = await upstream.connection(0);
    await host.receives('\r\n\r\n');
    host.socket.pause();
    client.socket.write(Buffer.alloc(size, 'x'));
    await new Promise((resolve) => setTimeout(resolve, 100));
    host.send('HTTP/1.1 413 Too Large\r\ncontent-length: 0\r\n\r\n');
    expect(await client.receives('\r\n\r\n')).toMatch(/^HTTP\/1\.1 413 [\s\S]*connection: close\r\n/);
    await client.ends();
  });
});
