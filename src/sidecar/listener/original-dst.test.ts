import { once } from 'node:events';
import net from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { httpConnectionManager, httpListener } from '../../../test/support/resources.ts';
import type { HttpConnectionManager } from '../../resource/http-connection-manager.ts';
import type { FilterChain, FilterChainMatch, Listener, ListenerFilter } from '../../resource/listener.ts';
import { proxyHeaderText } from '../../transport-socket/transport-socket.ts';
import { DataPath, RawPeer, RawUpstream, unusedPort } from './data-path-fixture.ts';

/** A PROXY header restores a destination as the kernel does; with the kernel it is done in test/peers/transparent. */
const PROXY: ListenerFilter = { kind: 'proxyProtocol', allowRequestsWithoutProxyProtocol: true };
const GET = 'GET / HTTP/1.1\r\nhost: web\r\n\r\n';
const OK = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok';

let path: DataPath;
let upstream: RawUpstream;
let other: RawUpstream;
const peers: RawPeer[] = [];

beforeEach(async () => {
  path = new DataPath();
  upstream = await RawUpstream.listen();
  other = await RawUpstream.listen();
  path.addCluster('other', [other.port]);
  path.addOriginalDst('web');
});

afterEach(() => {
  for (const peer of peers.splice(0)) peer.destroy();
  upstream.close();
  other.close();
  path.close();
});

const chain = (filters: FilterChain['filters'], criteria: Partial<FilterChainMatch> = {}): FilterChain => ({
  name: '',
  match: {
    destinationPort: undefined,
    prefixRanges: [],
    serverNames: [],
    transportProtocol: '',
    applicationProtocols: [],
    ...criteria,
  },
  filters,
  transportSocket: undefined,
});

function tcp(cluster: string, criteria: Partial<FilterChainMatch> = {}): FilterChain {
  const config = {
    statPrefix: cluster,
    cluster: { kind: 'cluster', name: cluster },
    idleTimeoutMs: 0,
    maxConnectAttempts: 1,
    maxDownstreamConnectionDurationMs: undefined,
  } as const;
  return chain([{ kind: 'tcpProxy', name: 'tcp', config }], criteria);
}

function http(manager: Partial<HttpConnectionManager> = {}): FilterChain {
  return chain([{ kind: 'httpConnectionManager', name: 'hcm', config: httpConnectionManager(manager) }]);
}

function listener(name: string, filterChains: readonly FilterChain[], overrides: Partial<Listener> = {}): Listener {
  return httpListener(name, {}, { filterChains, listenerFilters: [PROXY], ...overrides });
}

async function listen(...listeners: readonly Listener[]): Promise<number> {
  expect(await path.apply(listeners)).toEqual([]);
  return path.listeners.get(listeners[0]?.name ?? '')?.port ?? 0;
}

async function connect(port: number): Promise<RawPeer> {
  const peer = await RawPeer.connect(port);
  peers.push(peer);
  return peer;
}

/** Connects as somebody who meant to reach another address. */
async function redirected(port: number, destinationPort: number, destinationAddress = '127.0.0.1'): Promise<RawPeer> {
  const peer = await connect(port);
  const sourceAddress = destinationAddress.includes(':') ? '2001:db8::9' : '192.0.2.9';
  peer.send(proxyHeaderText('v1', { sourceAddress, sourcePort: 4_711, destinationAddress, destinationPort }));
  return peer;
}

const at = (port: number, host = '127.0.0.1') => ({ address: { kind: 'ip', host, port } }) as const;
const invalid = (): number => path.counter('cluster', 'web', 'original_dst_host_invalid');

describe('a cluster of type ORIGINAL_DST', () => {
  it('TCP goes where its client meant to go', async () => {
    const client = await redirected(await listen(listener('l', [tcp('web')])), upstream.port);
    client.send('ping');
    const host = await upstream.connection(0);
    expect(await host.receives('ping')).toBe('ping');
    host.send('pong');
    expect(await client.receives('pong')).toBe('pong');
    expect(path.gauge('cluster', 'web', 'original_dst_hosts')).toBe(1);
  });

  it('HTTP does too, and the record says where that is', async () => {
    const client = await redirected(await listen(listener('l', [http()])), upstream.port);
    client.send(GET);
    const host = await upstream.connection(0);
    await host.receives('\r\n\r\n');
    host.send(OK);
    await client.receives('ok');
    expect(await path.recordsReach(1)).toMatchObject({
      localAddress: '127.0.0.1',
      localPort: upstream.port,
      hostPort: upstream.port,
      status: 200,
    });
  });

  it('who was not redirected has no host: no loop back to this listener', async () => {
    const port = await listen(listener('l', [http()]));
    const client = await connect(port);
    client.send(GET);
    expect(await client.receives('\r\n\r\n')).toContain('HTTP/1.1 503 ');
    expect(await path.recordsReach(1)).toMatchObject({ responseFlags: 'UH' });
    const claiming = await redirected(port, port);
    claiming.send(GET);
    expect(await claiming.receives('\r\n\r\n')).toContain('HTTP/1.1 503 ');
    await listen(listener('l', [tcp('web')]));
    const direct = await connect(port);
    direct.send('ping');
    expect(await direct.ends()).toBe('');
  });

  it('a header decides where the cluster lets it, and one that is no address is passed over', async () => {
    path.addOriginalDst('web', { httpHeaderName: 'x-to' });
    const port = await listen(listener('l', [http()]));
    const ask = (to: string): string => `GET / HTTP/1.1\r\nhost: web\r\nx-to: ${to}\r\n\r\n`;
    const client = await connect(port);
    client.send(ask(`127.0.0.1:${upstream.port}`));
    const host = await upstream.connection(0);
    await host.receives('\r\n\r\n');
    host.send(OK);
    await client.receives('ok');
    const wrong = ['localhost:80', '127.0.0.1', '127.0.0.1:0', '127.0.0.1:65536', '[127.0.0.1]:80', '::1:80', '', ' '];
    for (const [index, to] of wrong.entries()) {
      const caller = await connect(port);
      caller.send(ask(to));
      expect([to, await caller.receives('\r\n\r\n')]).toEqual([to, expect.stringContaining('HTTP/1.1 503 ')]);
      expect(invalid()).toBe(index + 1);
    }
    // As in Envoy: whoever was redirected as well goes there.
    const both = await redirected(port, other.port);
    both.send(ask('nonsense'));
    await (await other.connection(0)).receives('\r\n\r\n');
  });

  it('without that setting a header decides nothing', async () => {
    const client = await redirected(await listen(listener('l', [http()])), upstream.port);
    client.send(`GET / HTTP/1.1\r\nhost: web\r\nx-envoy-original-dst-host: 127.0.0.1:${other.port}\r\n\r\n`);
    await (await upstream.connection(0)).receives('\r\n\r\n');
    expect(other.connections).toEqual([]);
  });

  it('another port takes the place of the one that was meant', async () => {
    path.addOriginalDst('web', { upstreamPortOverride: upstream.port });
    const client = await redirected(await listen(listener('l', [tcp('web')])), await unusedPort());
    client.send('ping');
    expect(await (await upstream.connection(0)).receives('ping')).toBe('ping');
  });

  it('a host that nobody uses is let go, with its kept connections when those end', async () => {
    path.addOriginalDst('web', { cleanupIntervalMs: 1 });
    const client = await redirected(await listen(listener('l', [http()])), upstream.port);
    client.send(GET);
    const host = await upstream.connection(0);
    await host.receives('\r\n\r\n');
    host.send(OK);
    await client.receives('ok');
    expect(path.gauge('cluster', 'web', 'original_dst_hosts')).toBe(1);
    host.destroy();
    await expect.poll(() => path.gauge('cluster', 'web', 'original_dst_hosts')).toBe(0);
    expect(path.clusters.get('web')?.hosts).toEqual([]);
    client.send(GET);
    await (await upstream.connection(1)).receives('\r\n\r\n');
  });
});

describe('a listener with use_original_dst', () => {
  const handsOver = { useOriginalDst: true } as const;

  it('hands over to the listener at the very address, then to the one at all addresses, else keeps it', async () => {
    const port = await unusedPort();
    path.addCluster('exact', [upstream.port]);
    path.addCluster('any', [other.port]);
    const kept = await RawUpstream.listen();
    path.addCluster('kept', [kept.port]);
    const entry = await listen(
      listener('entry', [tcp('kept')], handsOver),
      listener('any', [tcp('any')], { ...at(port, '0.0.0.0'), bindToPort: false, listenerFilters: [] }),
      listener('exact', [tcp('exact')], { ...at(port, '198.51.100.7'), bindToPort: false, listenerFilters: [] }),
      listener('six', [tcp('exact')], { ...at(port, '2001:db8:0::1'), bindToPort: false, listenerFilters: [] }),
    );
    (await redirected(entry, port, '198.51.100.7')).send('one');
    expect(await (await upstream.connection(0)).receives('one')).toBe('one');
    (await redirected(entry, port, '198.51.100.8')).send('two');
    expect(await (await other.connection(0)).receives('two')).toBe('two');
    (await redirected(entry, port, '2001:db8::1')).send('three');
    expect(await (await upstream.connection(1)).receives('three')).toBe('three');
    (await redirected(entry, port + 1, '198.51.100.7')).send('four');
    expect(await (await kept.connection(0)).receives('four')).toBe('four');
    (await redirected(entry, port, '2001:db8::2')).send('five');
    expect(await (await kept.connection(1)).receives('five')).toBe('five');
    expect(path.counter('listener', `198.51.100.7:${port}`, 'downstream_cx_total')).toBe(1);
    kept.close();
  });

  it('IPv4 goes to [::] only where that says ipv4_compat, and that is how it is bound', async () => {
    path.addCluster('any', [upstream.port]);
    const port = await unusedPort();
    const apply = (ipv4Compat: boolean): Promise<number> =>
      listen(
        listener('entry', [tcp('other')], handsOver),
        listener('any', [tcp('any')], {
          address: { kind: 'ip', host: '::', port, ...(ipv4Compat ? { ipv4Compat: true } : {}) },
          listenerFilters: [],
        }),
      );
    (await redirected(await apply(false), port, '198.51.100.7')).send('one');
    expect(await (await other.connection(0)).receives('one')).toBe('one');
    await expect(RawPeer.connect(port)).rejects.toThrow('ECONNREFUSED');
    (await redirected(await apply(true), port, '198.51.100.7')).send('two');
    expect(await (await upstream.connection(0)).receives('two')).toBe('two');
    (await connect(port)).send('three');
    expect(await (await upstream.connection(1)).receives('three')).toBe('three');
  });

  it('hands over once: the next listener does not hand on', async () => {
    path.addCluster('second', [upstream.port]);
    const entry = await listen(
      listener('first', [tcp('other')], handsOver),
      listener('second', [tcp('second')], { ...at(9_999, '198.51.100.7'), bindToPort: false, ...handsOver }),
    );
    const peer = await redirected(entry, 9_999, '198.51.100.7');
    // Its own PROXY header names yet another listener.
    const ends = { sourceAddress: '192.0.2.9', sourcePort: 1, destinationAddress: '127.0.0.1', destinationPort: entry };
    peer.send(`${proxyHeaderText('v1', ends)}ping`);
    expect(await (await upstream.connection(0)).receives('ping')).toBe('ping');
    expect(other.connections).toEqual([]);
  });

  it('chains of either are matched by the address that was meant', async () => {
    path.addCluster('ten', [upstream.port]);
    const prefixRanges = [{ addressPrefix: '10.0.0.0', prefixLength: 8 }];
    const entry = await listen(listener('entry', [tcp('ten', { prefixRanges }), tcp('other')], handsOver));
    (await redirected(entry, 80, '10.1.2.3')).send('one');
    expect(await (await upstream.connection(0)).receives('one')).toBe('one');
    (await redirected(entry, 80, '11.1.2.3')).send('two');
    expect(await (await other.connection(0)).receives('two')).toBe('two');
  });

  it('the limit of the listener that takes over holds', async () => {
    path.close();
    path = new DataPath({ maxConnections: 1 });
    path.addCluster('other', [other.port]);
    const entry = await listen(
      listener('entry', [tcp('other')], handsOver),
      listener('next', [tcp('other')], { ...at(9_999, '198.51.100.7'), bindToPort: false, listenerFilters: [] }),
    );
    (await redirected(entry, 9_999, '198.51.100.7')).send('one');
    await (await other.connection(0)).receives('one');
    await (await redirected(entry, 9_999, '198.51.100.7')).ends();
    expect(path.counter('listener', '198.51.100.7:9999', 'downstream_cx_overflow')).toBe(1);
  });
});

describe('a listener that is not bound', () => {
  it('takes nothing from its port, is bound when that changes, and drains like others', async () => {
    const port = await unusedPort();
    const unbound = listener('l', [tcp('other')], { ...at(port), bindToPort: false, listenerFilters: [] });
    await listen(unbound);
    expect(path.listeners.views()).toMatchObject([{ name: 'l', port, state: 'listening' }]);
    const refused = net.connect(port, '127.0.0.1');
    await once(refused, 'error');
    const { bindToPort: _, ...bound } = unbound;
    await listen(bound);
    (await connect(port)).send('ping');
    expect(await (await other.connection(0)).receives('ping')).toBe('ping');
    await listen(unbound);
    expect(path.listeners.views().map(({ state }) => state)).toEqual(['listening', 'draining']);
    await listen();
    await path.listeners.drain('all');
  });
});

describe('the filter original_dst', () => {
  it('goes on with the own address of a connection that nobody redirected, before its client has said a word', async () => {
    const port = await listen(listener('l', [tcp('other')], { listenerFilters: [{ kind: 'originalDst' }] }));
    const client = await connect(port);
    (await other.connection(0)).send('220 hello\r\n');
    expect(await client.receives('hello')).toBe('220 hello\r\n');
  });
});
