import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { buildExtension } from '../../../test/support/extensions.ts';
import { httpListener } from '../../../test/support/resources.ts';
import type { Listener, NetworkFilter } from '../../resource/listener.ts';
import { DataPath, RawPeer, RawUpstream } from './data-path-fixture.ts';

let path: DataPath;
let upstream: RawUpstream;
const peers: RawPeer[] = [];
const GET = 'GET / HTTP/1.1\r\nhost: web\r\n\r\n';
const OK = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok';
const NETWORK = 'envoy.extensions.filters.network';

type Json = Readonly<Record<string, unknown>>;

async function connect(port: number): Promise<RawPeer> {
  const peer = await RawPeer.connect(port);
  peers.push(peer);
  return peer;
}

function filter(name: string, json: Json): NetworkFilter {
  return { kind: 'extension', name, config: buildExtension(`${NETWORK}.${name}`, json) };
}

function rbac(action: string, prefix: string): NetworkFilter {
  const principals = [{ directRemoteIp: { addressPrefix: prefix, prefixLen: 8 } }];
  const rules = { action, policies: { only: { permissions: [{ any: true }], principals } } };
  return filter('rbac.v3.RBAC', { statPrefix: 'connect_authz', rules, shadowRules: { action: 'DENY', policies: {} } });
}

const LOOPBACK = '127.0.0.0';
const ELSEWHERE = '10.0.0.0';

/** One chain with these filters before a TCP proxy, or before the connection manager. */
function listenerWith(filters: readonly NetworkFilter[], kind: 'tcp' | 'http'): Listener {
  const listener = httpListener(kind);
  const [chain] = listener.filterChains;
  if (chain === undefined) throw new Error('no chain');
  const proxy = {
    statPrefix: 'db',
    cluster: { kind: 'cluster', name: 'web' },
    idleTimeoutMs: 3_600_000,
    maxConnectAttempts: 1,
    maxDownstreamConnectionDurationMs: undefined,
  } as const;
  const terminal = kind === 'http' ? chain.filters : [{ kind: 'tcpProxy', name: 'tcp', config: proxy } as const];
  return { ...listener, filterChains: [{ ...chain, filters: [...filters, ...terminal] }] };
}

async function serve(filters: readonly NetworkFilter[], kind: 'tcp' | 'http' = 'tcp'): Promise<number> {
  await path.apply([listenerWith(filters, kind)]);
  return path.listeners.get(kind)?.port ?? 0;
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
});

describe('RBAC of connections', () => {
  it('lets in whom it allows', async () => {
    const client = await connect(await serve([rbac('ALLOW', LOOPBACK)]));
    client.send('hello');
    await (await upstream.connection(0)).receives('hello');
    expect(path.counter('networkRbac', 'connect_authz', 'rbac.allowed')).toBe(1);
    expect(path.counter('networkRbac', 'connect_authz', 'rbac.shadow_allowed')).toBe(1);
  });

  it.each(['tcp', 'http'] as const)('%s: closes whom it does not, before anything is read or dialled', async (kind) => {
    const client = await connect(await serve([rbac('ALLOW', ELSEWHERE)], kind));
    client.send(GET);
    expect(await client.ends()).toBe('');
    expect(upstream.connections).toHaveLength(0);
    expect(path.counter('networkRbac', 'connect_authz', 'rbac.denied')).toBe(1);
    expect(path.gauge('listener', `127.0.0.1:0`, 'downstream_cx_active')).toBe(0);
  });

  it('the first filter that refuses decides, and those before it know that nobody came', async () => {
    const limit = filter('connection_limit.v3.ConnectionLimit', { statPrefix: 'few', maxConnections: 1 });
    const port = await serve([limit, rbac('DENY', LOOPBACK)]);
    await (await connect(port)).ends();
    await (await connect(port)).ends();
    expect(path.counter('connectionLimit', 'few', 'limited_connections')).toBe(0);
    expect(path.gauge('connectionLimit', 'few', 'active_connections')).toBe(0);
  });

  it.each(['tcp', 'http'] as const)('%s: new rules end connections that they do not let in', async (kind) => {
    const client = await connect(await serve([rbac('ALLOW', LOOPBACK)], kind));
    client.send(GET);
    const host = await upstream.connection(0);
    await host.receives('\r\n\r\n');
    host.send(OK);
    await client.receives('ok');
    await path.apply([listenerWith([rbac('ALLOW', LOOPBACK), rbac('DENY', ELSEWHERE)], kind)]);
    expect(client.isClosed).toBe(false);
    await path.apply([listenerWith([rbac('DENY', LOOPBACK)], kind)]);
    await client.ends();
  });
});

describe('connection limit', () => {
  const limit = (json: Json): NetworkFilter =>
    filter('connection_limit.v3.ConnectionLimit', { statPrefix: 'few', maxConnections: 1, ...json });

  it.each(['tcp', 'http'] as const)(
    '%s: closes who comes on top, and takes the next when one has left',
    async (kind) => {
      const port = await serve([limit({})], kind);
      const first = await connect(port);
      first.send(GET);
      await upstream.connection(0);
      await (await connect(port)).ends();
      expect(path.counter('connectionLimit', 'few', 'limited_connections')).toBe(1);
      first.socket.resetAndDestroy();
      await expect.poll(() => path.gauge('connectionLimit', 'few', 'active_connections')).toBe(0);
      (await connect(port)).send(GET);
      await upstream.connection(1);
    },
  );

  it('an HTTP/2 connection, which begins as HTTP/1, is one connection', async () => {
    const port = await serve([limit({})], 'http');
    const client = await connect(port);
    client.send('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0');
    await client.until(() => client.received.length > 0, 'its settings');
    expect(path.gauge('connectionLimit', 'few', 'active_connections')).toBe(1);
    client.destroy();
    await expect.poll(() => path.gauge('connectionLimit', 'few', 'active_connections')).toBe(0);
  });

  it('keeps the refused waiting where a delay says so, and lets go of them when it is destroyed', async () => {
    const port = await serve([limit({ delay: '600s' })]);
    await connect(port);
    await upstream.connection(0);
    const refused = await connect(port);
    await expect.poll(() => path.counter('connectionLimit', 'few', 'limited_connections')).toBe(1);
    expect(refused.isClosed).toBe(false);
    expect(path.gauge('listener', '127.0.0.1:0', 'downstream_cx_active')).toBe(2);
    path.listeners.destroy();
    await refused.ends();
    expect(path.gauge('listener', '127.0.0.1:0', 'downstream_cx_active')).toBe(0);
  });
});

describe('local rate limit of connections', () => {
  it('closes who comes when the bucket is empty', async () => {
    const tokenBucket = { maxTokens: 2, tokensPerFill: 1, fillInterval: '3600s' };
    const port = await serve([filter('local_ratelimit.v3.LocalRateLimit', { statPrefix: 'slow', tokenBucket })]);
    for (let index = 0; index < 2; index++) {
      (await connect(port)).send('x');
      await upstream.connection(index);
    }
    await (await connect(port)).ends();
    expect(path.counter('networkRateLimit', 'slow', 'rate_limited')).toBe(1);
    expect(upstream.connections).toHaveLength(2);
  });
});
