import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  httpListener,
  NO_MUTATIONS,
  route,
  routeAction,
  routeConfiguration,
  virtualHost,
} from '../../../test/support/resources.ts';
import type { HttpConnectionManager } from '../../resource/http-connection-manager.ts';
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

function marked(value: string): Pick<HttpConnectionManager, 'routes'> {
  const headers = {
    ...NO_MUTATIONS,
    responseHeadersToAdd: [{ name: 'x-config', value, appendAction: 'overwriteIfExistsOrAdd' } as const],
  };
  const table = routeConfiguration({
    virtualHosts: [virtualHost({ routes: [route({ action: routeAction(), headers })] })],
  });
  return { routes: { kind: 'inline', routeConfiguration: table } };
}

beforeEach(async () => {
  path = new DataPath({ drainTimeoutMs: 300, maxConnections: 3 });
  upstream = await RawUpstream.listen();
  path.addCluster('web', [upstream.port]);
});

afterEach(() => {
  for (const peer of peers.splice(0)) peer.destroy();
  upstream.close();
  path.close();
});

describe('while health fails', () => {
  async function answered(client: RawPeer, index: number): Promise<void> {
    client.send(GET);
    const host = await upstream.connection(0);
    await host.until(() => host.received.split('GET').length === index + 1, 'the request');
    host.send(OK);
    await client.until(() => client.received.split('ok').length === index + 1, 'the answer');
  }

  it('connections end after their answer, new ones too, and the listener accepts on', async () => {
    const port = await path.serve();
    const client = await connect(port);
    client.send(GET);
    const host = await upstream.connection(0);
    await host.receives('GET');
    path.listeners.setHealthFailing(true);
    host.send(OK);
    expect((await client.ends()).toLowerCase()).toContain('connection: close');
    const late = await connect(port);
    late.send(GET);
    await host.until(() => host.received.split('GET').length === 3, 'the request');
    host.send(OK);
    expect((await late.ends()).toLowerCase()).toContain('connection: close');
    path.listeners.setHealthFailing(false);
    const healthy = await connect(port);
    healthy.send(GET);
    await host.until(() => host.received.split('GET').length === 4, 'the request');
    host.send(OK);
    expect((await healthy.receives('ok')).toLowerCase()).not.toContain('connection: close');
  });

  it('drain_type MODIFY_ONLY: nothing is asked of connections', async () => {
    const client = await connect(await path.serve({}, { drainType: 'modifyOnly' }));
    path.listeners.setHealthFailing(true);
    await answered(client, 1);
    await answered(client, 2);
    expect(client.received.toLowerCase()).not.toContain('connection: close');
  });
});

describe('binding', () => {
  it('listens on every address of a listener, and on those alone that it still has', async () => {
    const extra = (port: number) => ({ kind: 'ip', host: '127.0.0.2', port }) as const;
    const listener = httpListener('many', {}, { additionalAddresses: [extra(0)] });
    await path.apply([listener]);
    const addresses = path.listeners.views().map(({ address }) => address);
    expect(addresses).toEqual(['127.0.0.1:0', '127.0.0.2:0']);
    for (const { address, port } of path.listeners.views()) {
      const socket = net.connect(port, address.slice(0, address.indexOf(':')));
      await once(socket, 'connect');
      socket.destroy();
    }
    await path.apply([httpListener('many')]);
    const listening = path.listeners.views().filter(({ state }) => state === 'listening');
    expect(listening.map(({ address }) => address)).toEqual(['127.0.0.1:0']);
  });

  it('an address that is taken is reported by name and address, and the other listeners serve', async () => {
    const blocker = net.createServer();
    blocker.listen(0, '127.0.0.1');
    await once(blocker, 'listening');
    const address = blocker.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const faults = await path.apply([
      httpListener('blocked', {}, { address: { kind: 'ip', host: '127.0.0.1', port } }),
      httpListener('fine'),
    ]);
    expect(faults).toHaveLength(1);
    expect(faults[0]?.listenerName).toBe('blocked');
    expect(faults[0]?.message).toMatch(
      new RegExp(`listener blocked: cannot bind 127\\.0\\.0\\.1:${port} \\(EADDRINUSE\\): .*stop`),
    );
    expect(path.bindFailures).toHaveLength(1);
    const client = await connect(path.listeners.get('fine')?.port ?? 0);
    client.send(GET);
    await (await upstream.connection(0)).receives('GET');
    blocker.close();
    await once(blocker, 'close');
    await expect.poll(() => path.listeners.get('blocked')?.state, { timeout: 5_000 }).toBe('listening');
  });

  it('one address for two listeners is refused to the second', async () => {
    const port = await path.serve({}, {}, 'first');
    const at = { address: { kind: 'ip', host: '127.0.0.1', port } } as const;
    const faults = await path.apply([httpListener('a', {}, at), httpListener('b', {}, at)]);
    expect(faults).toEqual([{ listenerName: 'b', message: expect.stringContaining('already taken by listener a') }]);
  });

  it('a chain that cannot be compiled is a fault that names it; what ran before goes on', async () => {
    const port = await path.serve();
    const extra = {
      name: 'unknown.filter',
      isOptional: false,
      disabled: false,
      config: { typeUrl: 'type.googleapis.com/x', value: new Uint8Array() },
    };
    const { httpFilters } = httpListenerManager();
    const faults = await path.apply([httpListener('listener', { httpFilters: [extra, ...httpFilters] })]);
    expect(faults[0]?.message).toContain('unknown.filter');
    const client = await connect(port);
    client.send(GET);
    await (await upstream.connection(0)).receives('GET');
  });

  it('an unknown filter that is optional is left out', async () => {
    const extra = {
      name: 'unknown.filter',
      isOptional: true,
      disabled: false,
      config: { typeUrl: 'type.googleapis.com/x', value: new Uint8Array() },
    };
    const { httpFilters } = httpListenerManager();
    expect(await path.apply([httpListener('listener', { httpFilters: [extra, ...httpFilters] })])).toEqual([]);
  });

  it('listens and dials on unix sockets', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'weft-pipe-'));
    const pipe = join(directory, 'app.sock');
    await path.apply([httpListener('pipe', {}, { address: { kind: 'pipe', path: pipe, mode: 0 } })]);
    path.addCluster('via-pipe', [
      {
        address: { kind: 'pipe', path: pipe, mode: 0 },
        hostname: '',
        healthStatus: 'healthy',
        loadBalancingWeight: 1,
        metadata: {},
      },
    ]);
    const action = routeAction({ cluster: { kind: 'cluster', name: 'via-pipe' } });
    const table = routeConfiguration({ virtualHosts: [virtualHost({ routes: [route({ action })] })] });
    await path.apply([
      httpListener('pipe', {}, { address: { kind: 'pipe', path: pipe, mode: 0 } }),
      httpListener('front', { routes: { kind: 'inline', routeConfiguration: table } }),
    ]);
    const client = await connect(path.listeners.get('front')?.port ?? 0);
    client.send(GET);
    const host = await upstream.connection(0);
    await host.receives('GET');
    host.send(OK);
    await client.receives('ok');
    expect(path.records.map((record) => record.listenerName)).toEqual(['pipe', 'front']);
    path.listeners.destroy();
    rmSync(directory, { recursive: true });
  });
});

describe('updates', () => {
  it('a connection lives through an update and its next request sees the new configuration', async () => {
    const port = await path.serve(marked('old'));
    const client = await connect(port);
    client.send(GET);
    const host = await upstream.connection(0);
    await host.receives('GET');
    await path.serve(marked('new'));
    host.send(OK);
    // The stream keeps what it began with.
    expect(await client.receives('ok')).toContain('x-config: old\r\n');
    client.send(GET);
    await host.until(() => host.received.split('GET').length === 3, 'the second request');
    host.send(OK);
    expect(await client.receives('x-config: new')).not.toContain('connection: close');
    expect(path.counter('listener', '127.0.0.1:0', 'downstream_cx_total')).toBe(1);
  });

  it('a removed listener finishes what it has with `connection: close` and accepts no more', async () => {
    const port = await path.serve();
    const client = await connect(port);
    client.send(GET);
    const host = await upstream.connection(0);
    await host.receives('GET');
    await path.apply([]);
    expect(path.listeners.views()).toMatchObject([{ state: 'draining', connections: 1 }]);
    host.send(OK);
    expect(await client.ends()).toMatch(/connection: close\r\n[\s\S]*ok$/);
    await expect.poll(() => path.listeners.views().length).toBe(0);
    await expect(RawPeer.connect(port)).rejects.toThrow('ECONNREFUSED');
  });

  it('a stream that does not finish is cut at the drain deadline', async () => {
    const client = await connect(await path.serve());
    client.send(GET);
    await (await upstream.connection(0)).receives('GET');
    const drained = path.listeners.drain('all');
    await Promise.all([drained, client.ends()]);
    expect(path.listeners.views()).toEqual([]);
    expect((await path.recordsReach(1)).responseFlags).toBe('DC');
  });

  it('draining inbound listeners leaves outbound ones alone', async () => {
    await path.apply([httpListener('in', {}, { trafficDirection: 'inbound' }), httpListener('out')]);
    await path.listeners.drain('inbound');
    expect(path.listeners.views()).toMatchObject([{ name: 'out', state: 'listening' }]);
  });

  it('connections beyond the cap are closed at once and counted', async () => {
    const port = await path.serve();
    const kept = [await connect(port), await connect(port), await connect(port)];
    const surplus = await connect(port);
    await surplus.ends();
    expect(path.counter('listener', '127.0.0.1:0', 'downstream_cx_overflow')).toBe(1);
    kept[0]?.destroy();
    await expect.poll(() => path.listeners.views()[0]?.connections).toBe(2);
  });
});

describe('pools', () => {
  it('a host that leaves its cluster has its idle connections closed', async () => {
    const client = await connect(await path.serve());
    client.send(GET);
    const host = await upstream.connection(0);
    await host.receives('GET');
    host.send(OK);
    await client.receives('ok');
    path.assign('web', []);
    await host.ends();
    expect(path.gauge('cluster', 'web', 'upstream_cx_active')).toBe(0);
  });

  it('max_requests_per_connection retires a connection', async () => {
    path.addCluster('web', [upstream.port], { maxRequestsPerConnection: 1 });
    const client = await connect(await path.serve());
    for (let index = 0; index < 2; index++) {
      client.send(GET);
      const host = await upstream.connection(index);
      await host.receives('GET');
      host.send(OK);
      await client.until(() => client.received.split('ok').length === index + 2, 'the answer');
    }
    expect(path.counter('cluster', 'web', 'upstream_cx_max_requests')).toBe(2);
  });

  it('learns how long an upstream keeps connections and closes before it does', async () => {
    const client = await connect(await path.serve());
    client.send(GET);
    const host = await upstream.connection(0);
    await host.receives('GET');
    host.send('HTTP/1.1 200 OK\r\nkeep-alive: timeout=1\r\ncontent-length: 2\r\n\r\nok');
    await client.receives('ok');
    await host.ends();
    expect(path.counter('cluster', 'web', 'upstream_cx_idle_timeout')).toBe(1);
  });

  it('waits for a connection where no more may be opened, and uses it when it comes free', async () => {
    path.addCluster('web', [upstream.port], {
      circuitBreakers: {
        maxConnections: 1,
        maxPendingRequests: 1,
        maxRequests: 10,
        maxRetries: 1,
        retryBudget: undefined,
        maxConnectionsPerHost: undefined,
      },
    });
    const port = await path.serve();
    const clients = [await connect(port), await connect(port), await connect(port)];
    const [first, second, third] = clients;
    first?.send(GET);
    const host = await upstream.connection(0);
    await host.receives('GET');
    second?.send(GET);
    await expect.poll(() => path.gauge('cluster', 'web', 'upstream_rq_pending_active')).toBe(1);
    third?.send(GET);
    expect(await third?.receives('\r\n\r\n')).toMatch(/^HTTP\/1\.1 503 /);
    host.send(OK);
    await first?.receives('ok');
    await host.until(() => host.received.split('GET').length === 3, 'the waiting request');
    host.send(OK);
    await second?.receives('ok');
    expect(upstream.connections.length).toBe(1);
    const waited = path.records.find((record) => record.queueMs > 0);
    expect(waited?.status).toBe(200);
  });
});

function httpListenerManager(): HttpConnectionManager {
  const filter = httpListener('x').filterChains[0]?.filters[0];
  if (filter?.kind !== 'httpConnectionManager') throw new Error('no connection manager');
  return filter.config;
}
