import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { httpConnectionManager, httpListener } from '../../../test/support/resources.ts';
import type { HttpConnectionManager } from '../../resource/http-connection-manager.ts';
import type { FilterChain, FilterChainMatch, Listener, TcpProxy } from '../../resource/listener.ts';
import { clientHelloBytes } from '../../transport-socket/client-hello-fixture.ts';
import { proxyHeaderText } from '../../transport-socket/transport-socket.ts';
import { DataPath, RawPeer, RawUpstream } from './data-path-fixture.ts';

let path: DataPath;
let upstream: RawUpstream;
let other: RawUpstream;
const peers: RawPeer[] = [];
const GET = 'GET / HTTP/1.1\r\nhost: web\r\n\r\n';
const OK = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok';
const ADDRESS = '127.0.0.1:0';
const ENDS = {
  sourceAddress: '192.0.2.9',
  sourcePort: 4_711,
  destinationAddress: '198.51.100.7',
  destinationPort: 8_443,
};

beforeEach(async () => {
  path = new DataPath();
  upstream = await RawUpstream.listen();
  other = await RawUpstream.listen();
  path.addCluster('web', [upstream.port]);
  path.addCluster('other', [other.port]);
});

afterEach(() => {
  for (const peer of peers.splice(0)) peer.destroy();
  upstream.close();
  other.close();
  path.close();
});

function match(criteria: Partial<FilterChainMatch>): FilterChainMatch {
  return {
    destinationPort: undefined,
    prefixRanges: [],
    serverNames: [],
    transportProtocol: '',
    applicationProtocols: [],
    ...criteria,
  };
}

function tcpChain(cluster: string, criteria: Partial<FilterChainMatch> = {}): FilterChain {
  const config: TcpProxy = {
    statPrefix: cluster,
    cluster: { kind: 'cluster', name: cluster },
    idleTimeoutMs: 3_600_000,
    maxConnectAttempts: 1,
    maxDownstreamConnectionDurationMs: undefined,
  };
  return {
    name: cluster,
    match: match(criteria),
    filters: [{ kind: 'tcpProxy', name: 'tcp', config }],
    transportSocket: undefined,
  };
}

function httpChain(
  criteria: Partial<FilterChainMatch> = {},
  manager: Partial<HttpConnectionManager> = {},
): FilterChain {
  const config = httpConnectionManager(manager);
  return {
    name: 'http',
    match: match(criteria),
    filters: [{ kind: 'httpConnectionManager', name: 'hcm', config }],
    transportSocket: undefined,
  };
}

async function listen(overrides: Partial<Listener>): Promise<number> {
  expect(await path.apply([httpListener('listener', {}, overrides)])).toEqual([]);
  return path.listeners.get('listener')?.port ?? 0;
}

async function connect(port: number): Promise<RawPeer> {
  const peer = await RawPeer.connect(port);
  peers.push(peer);
  return peer;
}

function counter(name: string): number {
  return path.counter('listener', ADDRESS, name);
}

/** Bytes one by one, each in a segment of its own. */
async function drip(peer: RawPeer, bytes: string): Promise<void> {
  for (const byte of bytes) {
    peer.send(byte);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

describe('TLS inspector', () => {
  const hello = clientHelloBytes({ serverName: 'a.example.com', applicationProtocols: ['h2'] }).toString('latin1');

  it('chooses the chain by server name, and the host gets the hello as the client sent it', async () => {
    const port = await listen({
      listenerFilters: [{ kind: 'tlsInspector' }],
      filterChains: [tcpChain('web', { serverNames: ['*.example.com'] }), tcpChain('other')],
    });
    const client = await connect(port);
    client.send(`${hello}and more`);
    const host = await upstream.connection(0);
    expect(await host.receives('and more')).toBe(`${hello}and more`);
    host.send('server hello');
    await client.receives('server hello');
    const stranger = await connect(port);
    stranger.send(clientHelloBytes({ serverName: 'example.org' }).toString('latin1'));
    await (await other.connection(0)).until(() => other.connections[0]?.received !== '', 'the hello');
    expect(counter('tls_inspector.sni_found')).toBe(2);
    expect(counter('tls_inspector.alpn_found')).toBe(1);
    expect(path.gauge('listener', ADDRESS, 'downstream_pre_cx_active')).toBe(0);
  });

  it('is there without being asked for where a chain cannot be chosen otherwise; a dripping hello is waited for', async () => {
    const port = await listen({ filterChains: [tcpChain('web', { applicationProtocols: ['h2'] }), tcpChain('other')] });
    const client = await connect(port);
    await drip(client, hello);
    expect(await (await upstream.connection(0)).receives(hello)).toBe(hello);
  });

  it('tells TLS from plaintext on one port', async () => {
    const port = await listen({
      listenerFilters: [{ kind: 'tlsInspector' }],
      filterChains: [tcpChain('other', { transportProtocol: 'tls' }), httpChain({ transportProtocol: 'raw_buffer' })],
    });
    const plain = await connect(port);
    plain.send(GET);
    (await upstream.connection(0)).send(OK);
    expect(await plain.receives('ok')).toMatch(/^HTTP\/1\.1 200 /);
    const secret = await connect(port);
    secret.send(hello);
    await (await other.connection(0)).receives(hello);
    expect(counter('tls_inspector.tls_found')).toBe(1);
    expect(counter('tls_inspector.tls_not_found')).toBe(1);
  });

  it('without a chain for the name the connection is closed and counted', async () => {
    const port = await listen({ filterChains: [tcpChain('web', { serverNames: ['b.example.com'] })] });
    const client = await connect(port);
    client.send(hello);
    await client.until(() => client.isClosed || client.isEnded, 'the close');
    expect(counter('no_filter_chain_match')).toBe(1);
    expect(upstream.connections).toEqual([]);
  });

  it.each([
    ['broken', clientHelloBytes({ messageType: 2 }).toString('latin1'), 'client_hello_malformed'],
    ['endless', clientHelloBytes({ paddingBytes: 20_000 }).toString('latin1').slice(0, 64), 'client_hello_too_large'],
  ])('a %s hello closes the connection at once', async (_what, bytes, name) => {
    const port = await listen({ listenerFilters: [{ kind: 'tlsInspector' }], filterChains: [tcpChain('web')] });
    const client = await connect(port);
    client.send(bytes);
    await client.until(() => client.isClosed || client.isEnded, 'the close');
    expect(counter(`tls_inspector.${name}`)).toBe(1);
    expect(counter('downstream_listener_filter_error')).toBe(1);
  });
});

describe('HTTP inspector', () => {
  it('chooses the chain by what the first line speaks', async () => {
    const port = await listen({
      listenerFilters: [{ kind: 'tlsInspector' }, { kind: 'httpInspector' }],
      filterChains: [httpChain({ applicationProtocols: ['http/1.0', 'http/1.1'] }), tcpChain('other')],
    });
    const client = await connect(port);
    await drip(client, GET);
    (await upstream.connection(0)).send(OK);
    await client.receives('ok');
    const redis = await connect(port);
    redis.send('*1\r\n$4\r\nPING\r\n');
    await (await other.connection(0)).receives('PING\r\n');
    expect(counter('http_inspector.http11_found')).toBe(1);
    expect(counter('http_inspector.http_not_found')).toBe(1);
  });
});

it('who comes from where no chain takes connections from is closed and counted', async () => {
  const source = { directPrefixRanges: [], type: 'any', prefixRanges: [], ports: [] } as const;
  const elsewhere = { ...source, prefixRanges: [{ addressPrefix: '192.0.2.0', prefixLength: 24 }] };
  const refused = await connect(await listen({ filterChains: [tcpChain('web', { source: elsewhere })] }));
  await refused.until(() => refused.isClosed || refused.isEnded, 'the close');
  expect(counter('no_filter_chain_match')).toBe(1);
  const local = { ...source, type: 'sameIpOrLoopback' } as const;
  const chains = [tcpChain('web', { source: elsewhere }), tcpChain('other', { source: local })];
  const taken = await connect(await listen({ filterChains: chains }));
  taken.send('hello');
  expect(await (await other.connection(0)).receives('hello')).toBe('hello');
});

describe('PROXY protocol', () => {
  const proxyProtocol = (allowRequestsWithoutProxyProtocol = false): Partial<Listener> => ({
    listenerFilters: [{ kind: 'proxyProtocol', allowRequestsWithoutProxyProtocol }],
    filterChains: [httpChain({}, { useRemoteAddress: true })],
  });

  it.each(['v1', 'v2'] as const)('%s: its addresses stand in x-forwarded-for and in the record', async (version) => {
    const client = await connect(await listen(proxyProtocol()));
    client.send(proxyHeaderText(version, ENDS) + GET);
    const host = await upstream.connection(0);
    expect(await host.receives('\r\n\r\n')).toContain('x-forwarded-for: 192.0.2.9\r\n');
    host.send(OK);
    await client.receives('ok');
    expect(await path.recordsReach(1)).toMatchObject({ downstreamAddress: '192.0.2.9', downstreamPort: 4_711 });
    expect(counter(`proxy_proto.versions.${version}.found`)).toBe(1);
  });

  it('the address it tells is what chains are matched by', async () => {
    const port = await listen({
      ...proxyProtocol(),
      filterChains: [tcpChain('web', { destinationPort: 8_443 }), tcpChain('other')],
    });
    const client = await connect(port);
    client.send(`${proxyHeaderText('v2', ENDS)}payload`);
    expect(await (await upstream.connection(0)).receives('payload')).toBe('payload');
  });

  it('chains are matched by the client it tells of, and by the peer that brought it', async () => {
    const told = { directPrefixRanges: [], type: 'external', ports: [4_711] } as const;
    const prefixRanges = [{ addressPrefix: '192.0.2.0', prefixLength: 24 }];
    const directPrefixRanges = [{ addressPrefix: '127.0.0.0', prefixLength: 8 }];
    const client = await connect(
      await listen({
        ...proxyProtocol(true),
        filterChains: [
          tcpChain('web', { source: { ...told, prefixRanges, directPrefixRanges } }),
          tcpChain('other', {
            source: { ...told, prefixRanges: directPrefixRanges, directPrefixRanges: prefixRanges },
          }),
        ],
      }),
    );
    client.send(`${proxyHeaderText('v2', ENDS)}payload`);
    expect(await (await upstream.connection(0)).receives('payload')).toBe('payload');
  });

  it('a TLS hello may follow it, byte by byte', async () => {
    const hello = clientHelloBytes({ serverName: 'a.b' }).toString('latin1');
    const port = await listen({
      listenerFilters: [{ kind: 'proxyProtocol', allowRequestsWithoutProxyProtocol: false }, { kind: 'tlsInspector' }],
      filterChains: [tcpChain('web', { serverNames: ['a.b'] }), tcpChain('other')],
    });
    const client = await connect(port);
    await drip(client, proxyHeaderText('v1', ENDS) + hello);
    expect(await (await upstream.connection(0)).receives(hello)).toBe(hello);
  });

  it('LOCAL leaves the connection its own ends', async () => {
    const client = await connect(await listen(proxyProtocol()));
    client.send(proxyHeaderText('v2', undefined) + GET);
    expect(await (await upstream.connection(0)).receives('\r\n\r\n')).toContain('x-forwarded-for: 127.0.0.1\r\n');
  });

  it('who brings none is closed at once, or let in where that is allowed', async () => {
    const strict = await connect(await listen(proxyProtocol()));
    strict.send(GET);
    await strict.until(() => strict.isClosed || strict.isEnded, 'the close');
    expect(counter('proxy_proto.not_found_disallowed')).toBe(1);
    expect(upstream.connections).toEqual([]);
    const allowed = await connect(await listen(proxyProtocol(true)));
    allowed.send(GET);
    await (await upstream.connection(0)).receives('\r\n\r\n');
    expect(counter('proxy_proto.not_found_allowed')).toBe(1);
  });

  it('a malformed header closes the connection, and nothing behind it is taken for a request', async () => {
    const client = await connect(await listen(proxyProtocol(true)));
    client.send(`PROXY TCP4 1.2.3.4 5.6.7.8 1 99999\r\n${GET}`);
    await client.until(() => client.isClosed || client.isEnded, 'the close');
    expect(counter('proxy_proto.versions.v1.error')).toBe(1);
    expect(upstream.connections).toEqual([]);
  });
});

describe('a client that says nothing', () => {
  const silent = { listenerFilters: [{ kind: 'tlsInspector' }], listenerFiltersTimeoutMs: 60 } as const;

  it('is closed at listener_filters_timeout', async () => {
    const client = await connect(await listen({ ...silent, filterChains: [tcpChain('web')] }));
    await client.until(() => client.isClosed || client.isEnded, 'the close');
    expect(counter('downstream_pre_cx_timeout')).toBe(1);
    expect(path.gauge('listener', ADDRESS, 'downstream_pre_cx_active')).toBe(0);
  });

  it('goes on with what is known where configuration says so: a server that speaks first is heard then', async () => {
    const continues = { ...silent, continueOnListenerFiltersTimeout: true };
    const client = await connect(await listen({ ...continues, filterChains: [tcpChain('web')] }));
    (await upstream.connection(0)).send('220 ready');
    await client.receives('220 ready');
  });

  it('is never let in without the PROXY header that everyone must bring', async () => {
    const filters = [{ kind: 'proxyProtocol', allowRequestsWithoutProxyProtocol: false }] as const;
    const port = await listen({
      ...silent,
      continueOnListenerFiltersTimeout: true,
      listenerFilters: filters,
      filterChains: [tcpChain('web')],
    });
    const client = await connect(port);
    client.send('PROXY T');
    await client.until(() => client.isClosed || client.isEnded, 'the close');
    expect(upstream.connections).toEqual([]);
  });

  it('and leaves is counted', async () => {
    const client = await connect(await listen({ ...silent, filterChains: [tcpChain('web')] }));
    client.send('\x16');
    client.socket.end();
    await client.until(() => client.isClosed || client.isEnded, 'the close');
    expect(counter('downstream_listener_filter_remote_close')).toBe(1);
  });

  it('does not wait where no chain needs to know: a server that speaks first is heard at once', async () => {
    const client = await connect(
      await listen({ filterChains: [tcpChain('web', { destinationPort: 1 }), tcpChain('other')] }),
    );
    (await other.connection(0)).send('220 ready');
    await client.receives('220 ready');
    expect(counter('tls_inspector.tls_not_found')).toBe(0);
  });
});

describe('an inspection under way', () => {
  const filters = { listenerFilters: [{ kind: 'tlsInspector' }], filterChains: [tcpChain('web')] } as const;

  it('counts among the connections of its listener', async () => {
    path.close();
    path = new DataPath({ maxConnections: 1 });
    const port = await listen(filters);
    await connect(port);
    const second = await connect(port);
    await second.until(() => second.isClosed || second.isEnded, 'the close');
    expect(counter('downstream_cx_overflow')).toBe(1);
  });

  it('is finished by a listener that drains', async () => {
    const port = await listen(filters);
    const client = await connect(port);
    client.send('\x16\x03');
    while (path.gauge('listener', ADDRESS, 'downstream_pre_cx_active') === 0) {
      await new Promise((resolve) => setImmediate(resolve));
    }
    const drained = path.listeners.drain('all');
    client.send(clientHelloBytes({}).toString('latin1').slice(2));
    const host = await upstream.connection(0);
    host.socket.end();
    client.socket.end();
    await drained;
  });

  it('sees the chains of an update that came meanwhile', async () => {
    const port = await listen({ ...filters, name: 'listener' });
    const client = await connect(port);
    client.send('x');
    const second = await connect(port);
    second.send('\x16');
    await listen({ ...filters, filterChains: [tcpChain('other')] });
    second.send(clientHelloBytes({}).toString('latin1').slice(1));
    await (await other.connection(0)).until(() => other.connections[0]?.received !== '', 'the hello');
  });
});

describe('protocol detection on a plaintext HTTP/1 port', () => {
  it.each([
    ['a TLS hello', clientHelloBytes({ serverName: 'a.b' }).toString('latin1'), /^HTTP\/1\.1 400 /],
    ['the first byte of one', '\x16', /^HTTP\/1\.1 400 /],
    ['an HTTP/2 preface', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0', /^HTTP\/1\.1 505 /],
    ['unknown bytes', '\x00\x01\x02', /^HTTP\/1\.1 400 /],
  ])('row 35: %s is answered and closed without waiting for more', async (_what, bytes, answer) => {
    const client = await connect(await listen({ filterChains: [httpChain({}, { codecType: 'http1' })] }));
    client.send(bytes);
    expect(await client.ends()).toMatch(answer);
    expect(path.counter('http', 'ingress', 'downstream_cx_protocol_error')).toBe(1);
    expect(upstream.connections).toEqual([]);
  });
});
