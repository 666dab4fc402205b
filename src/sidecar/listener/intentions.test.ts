import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Name, type Pair, spiffe, TestAuthority } from '../../../test/support/certificates.ts';
import { buildExtension, httpFilter } from '../../../test/support/extensions.ts';
import { httpConnectionManager, httpListener } from '../../../test/support/resources.ts';
import type { FilterChain, NetworkFilter } from '../../resource/listener.ts';
import { DataPath, type RawPeer, RawUpstream } from './data-path-fixture.ts';
import { commonContext, downstreamTls, httpChain, shown, tcpChain, tlsPeer } from './tls-listener-fixture.ts';

/** What Consul writes for intentions, held against certificates over real TLS. */

const service = (name: string): Name => spiffe(`ns/default/dc/dc1/svc/${name}`);

type Json = Readonly<Record<string, unknown>>;

const OK = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok';
let authority: TestAuthority;
let api: Pair;
let web: Pair;
let named: Pair;
let path: DataPath;
let upstream: RawUpstream;
const peers: RawPeer[] = [];

beforeAll(async () => {
  authority = await TestAuthority.create();
  [api, web, named] = await Promise.all([
    authority.issue({ names: [service('api')] }),
    authority.issue({ names: [service('web')] }),
    authority.issue({ names: [{ type: 'dns', value: 'web' }] }),
  ]);
});

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

/** Only `web` may, and only so. */
function rules(permission: Json = { any: true }): Json {
  const regex = service('web')
    .value.replaceAll('.', '\\.')
    .replace(/\/dc\/[^/]+\//, '/dc/[^/]+/');
  const principals = [{ authenticated: { principalName: { safeRegex: { regex: `^${regex}$` } } } }];
  return { policies: { 'consul-intentions-layer4': { permissions: [permission], principals } } };
}

const RBAC: NetworkFilter = {
  kind: 'extension',
  name: 'rbac',
  config: buildExtension('envoy.extensions.filters.network.rbac.v3.RBAC', {
    statPrefix: 'connect_authz',
    rules: rules(),
  }),
};
const mutual = () => downstreamTls(commonContext(api, authority.certificatePem), true);

async function listen(chain: FilterChain): Promise<number> {
  expect(await path.apply([httpListener('l', {}, { filterChains: [chain] })])).toEqual([]);
  return path.listeners.get('l')?.port ?? 0;
}

async function dial(port: number, pair: Pair): Promise<RawPeer> {
  const peer = await tlsPeer(port, shown(pair));
  peers.push(peer);
  return peer;
}

describe('an intention for connections', () => {
  const chain = (): FilterChain => {
    const plain = tcpChain(mutual(), 'web');
    return { ...plain, filters: [RBAC, ...plain.filters] };
  };

  it('lets in the service that it names', async () => {
    const client = await dial(await listen(chain()), web);
    client.send('hello');
    await (await upstream.connection(0)).receives('hello');
  });

  it.each([
    ['another service', () => api],
    ['a certificate with the name of the service and no identity', () => named],
  ])('and nobody else: %s', async (_, pair) => {
    const port = await listen(chain());
    const client = await dial(port, pair());
    client.send('hello');
    await client.ends();
    expect(path.counter('networkRbac', 'connect_authz', 'rbac.denied')).toBe(1);
    expect(upstream.connections).toHaveLength(0);
  });
});

describe('an intention for requests', () => {
  const permission = { urlPath: { path: { prefix: '/v1' } } };
  const filter = httpFilter('rbac', 'envoy.extensions.filters.http.rbac.v3.RBAC', { rules: rules(permission) });
  const chain = (): FilterChain =>
    httpChain(mutual(), { httpFilters: [filter, ...httpConnectionManager().httpFilters] });

  it.each([
    ['the service and the path', () => web, '/v1/x', '200'],
    ['the service on another path', () => web, '/v2', '403'],
    ['another service', () => api, '/v1/x', '403'],
  ])('%s', async (_, pair, target, status) => {
    const client = await dial(await listen(chain()), pair());
    client.send(`GET ${target} HTTP/1.1\r\nhost: web\r\n\r\n`);
    if (status === '200') {
      const host = await upstream.connection(0);
      await host.receives('\r\n\r\n');
      host.send(OK);
    }
    expect(await client.receives('\r\n\r\n')).toContain(`HTTP/1.1 ${status} `);
  });
});
