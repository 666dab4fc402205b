import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { buildAny } from '../../src/resource/strict-builder.ts';
import {
  assignment,
  cluster,
  connectionManager,
  endpoint,
  listener,
  socketAddress,
  virtualHost,
} from '../../src/resource/testing/valid-resources.ts';
import { MemorySource } from '../../src/xds/fakes/memory-source.ts';
import { type EncodedResource, encodedResource, startXdsServer } from '../../src/xds/server/server.ts';
import { weft } from './support/child-program.ts';
import { ask } from './support/exchange.ts';
import { freePort } from './support/free-ports.ts';
import { Load } from './support/load.ts';
import { type Instance, Mesh } from './support/mesh.ts';
import { startOrigin } from './support/origin.ts';
import { until } from './support/waiting.ts';

let mesh: Mesh;
let caller: Instance;

beforeAll(async () => {
  mesh = await Mesh.start();
  await mesh.registryPut('/v1/config', { Kind: 'proxy-defaults', Name: 'global', Config: { protocol: 'http' } });
  await Promise.all([
    mesh.add({ service: 'shop', instance: 'shop-1' }),
    mesh.add({ service: 'shop-next', instance: 'next-1' }),
  ]);
  caller = await mesh.add({ service: 'caller', instance: 'caller-1', upstreams: ['shop'] });
}, 60_000);

afterAll(() => mesh?.[Symbol.asyncDispose]());

test('routes and splits written to the registry under load are obeyed and cost nothing', async () => {
  const port = caller.upstreamPort('shop');
  const load = new Load({ port });
  await load.more(50);
  expect([...load.byInstance.keys()]).toEqual(['shop-1']);

  await mesh.registryPut('/v1/config', {
    Kind: 'service-splitter',
    Name: 'shop',
    Splits: [
      { Weight: 50, Service: 'shop' },
      { Weight: 50, Service: 'shop-next' },
    ],
  });
  await until('the split', () => load.byInstance.get('next-1'));
  await load.more(200);

  await mesh.registryPut('/v1/config', {
    Kind: 'service-router',
    Name: 'shop',
    Routes: [
      {
        // Without the slash: it goes with the prefix, so that two are not left.
        Match: { HTTP: { PathPrefix: '/next' } },
        Destination: { Service: 'shop-next', PrefixRewrite: '/', NumRetries: 3 },
      },
    ],
  });
  await until('the route', async () => {
    const { origin } = await ask({ port, path: '/next/things' });
    return origin.url === '/things' ? origin : undefined;
  });
  const answers = await Promise.all(Array.from({ length: 10 }, () => ask({ port, path: '/next/things' })));
  expect(new Set(answers.map(({ origin }) => `${origin.instance} ${origin.url}`))).toEqual(new Set(['next-1 /things']));

  // Taken back, in the order in which they may be: a router refers to nothing of the splitter.
  await remove('service-router', 'shop');
  await remove('service-splitter', 'shop');
  await until('a hundred requests in a row without the split', async () => {
    const before = load.byInstance.get('next-1');
    await load.more(100);
    return load.byInstance.get('next-1') === before ? true : undefined;
  });
  await load.stop();
  expect(load.failures).toEqual([]);
  expect((await mesh.overview()).xds.rejected).toBe(0);
});

test('a failover takes over while nobody else is healthy, and hands back', async () => {
  const load = new Load({ port: caller.upstreamPort('shop') });
  await mesh.registryPut('/v1/config', {
    Kind: 'service-resolver',
    Name: 'shop',
    Failover: { '*': { Targets: [{ Datacenter: 'dc9' }, { Service: 'shop-next' }] } },
  });
  await until('the datacenter that nobody can ask named', async () =>
    (await mesh.overview()).problems.find(({ where }) => where === 'health of shop in dc9'),
  );
  await load.more(50);
  expect([...load.byInstance.keys()]).toEqual(['shop-1']);
  await mesh.registryPut('/v1/agent/service/maintenance/shop-1-sidecar-proxy?enable=true', undefined);
  const onlyTo = (instance: string, other: string) =>
    until(`a hundred requests in a row to ${instance}`, async () => {
      const before = load.byInstance.get(other);
      await load.more(100);
      return load.byInstance.get(other) === before ? true : undefined;
    });
  await onlyTo('next-1', 'shop-1');
  await mesh.registryPut('/v1/agent/service/maintenance/shop-1-sidecar-proxy?enable=false', undefined);
  await onlyTo('shop-1', 'next-1');
  await load.stop();
  expect(load.failures).toEqual([]);
  await remove('service-resolver', 'shop');
});

test('limits of an instance are kept by its own sidecar, access logs tell of them', async () => {
  const port = caller.upstreamPort('shop');
  const folder = mkdtempSync(join(tmpdir(), 'weft-logs-'));
  const Path = join(folder, 'access.log');
  await mesh.registryPut('/v1/config', {
    ...{ Kind: 'proxy-defaults', Name: 'global', Config: { protocol: 'http' } },
    AccessLogs: { Enabled: true, Type: 'file', Path, TextFormat: '%REQ(:PATH)% %RESPONSE_CODE%' },
  });
  await mesh.registryPut('/v1/config', {
    ...{ Kind: 'service-defaults', Name: 'shop', Protocol: 'http' },
    RateLimits: { InstanceLevel: { Routes: [{ PathExact: '/limited', RequestsPerSecond: 1 }] } },
  });
  const status = async (path: string): Promise<number> => (await fetch(`http://127.0.0.1:${port}${path}`)).status;
  await until('a request refused', async () => ((await status('/limited')) === 429 ? true : undefined));
  expect(await status('/free')).toBe(200);
  await until('both in the log', () => {
    const lines = existsSync(Path) ? readFileSync(Path, 'utf8').split('\n') : [];
    return lines.includes('/limited 429') && lines.includes('/free 200') ? true : undefined;
  });
  await remove('service-defaults', 'shop');
  await mesh.registryPut('/v1/config', { Kind: 'proxy-defaults', Name: 'global', Config: { protocol: 'http' } });
  rmSync(folder, { recursive: true, force: true });
});

test('an entry that cannot be translated is named in the console, and what ran before stays', async () => {
  const load = new Load({ port: caller.upstreamPort('shop') });
  await load.more(20);
  await mesh.registryPut('/v1/config', {
    Kind: 'service-router',
    Name: 'shop',
    Routes: [{ Match: { HTTP: { PathRegex: '/(unclosed' } }, Destination: { Service: 'shop-next' } }],
  });
  const problem = await until('the problem in the overview', async () =>
    (await mesh.overview()).problems.find(({ where }) => where.includes('shop')),
  );
  expect(problem).toMatchObject({
    where: expect.stringContaining('service-router'),
    message: expect.stringContaining('PathRegex'),
  });
  await load.more(100);
  await load.stop();
  expect(load.failures).toEqual([]);
  expect([...load.byInstance.keys()]).toEqual(['shop-1']);
  await remove('service-router', 'shop');
});

test('a resource that a sidecar refuses is shown on both sides, and the last good version stays', async () => {
  const origin = await startOrigin({ service: 'app', instance: 'app-1' });
  const source = new MemorySource();
  const refusals: string[] = [];
  const server = await startXdsServer({
    source,
    host: '127.0.0.1',
    port: 0,
    onRejected: (_, __, ___, detail) => refusals.push(detail),
  });
  const port = await freePort();
  const good = [
    resource('cluster', '1', cluster({ name: 'web' })),
    resource('assignment', '1', {
      ...assignment({
        clusterName: 'web',
        endpoints: [{ lbEndpoints: [{ endpoint: { address: socketAddress('127.0.0.1', origin.port) } }] }],
      }),
    }),
    resource('listener', '1', {
      ...listener({
        name: 'entry',
        address: socketAddress('127.0.0.1', port),
        filterChains: [
          { filters: [connectionManager({ routeConfig: { name: 'all', virtualHosts: [virtualHost()] } })] },
        ],
      }),
    }),
  ];
  source.set(good);
  await using sidecar = weft([
    ...['sidecar', '--proxy-id', 'app', '--control', `127.0.0.1:${server.port}`, '--no-state'],
    ...['--admin', '127.0.0.1:0', '--concurrency', '1', '--drain-timeout', '1s'],
  ]);
  try {
    const [, adminUrl = ''] = await sidecar.said(/admin on (http:\S+)/);
    const load = new Load({ port, callers: 2 });
    await load.more(20);

    // More than one fault, and each must be told: a name where an address belongs, and no address at all.
    const bad = assignment({
      clusterName: 'web',
      endpoints: [{ lbEndpoints: [endpoint('not an address'), { endpoint: {} }] }],
    });
    source.set(
      good.map((one) =>
        one.name === 'web' && one.typeUrl.endsWith('Assignment') ? resource('assignment', '2', bad) : one,
      ),
    );
    const detail = await until('the refusal at the server', () => refusals[0]);
    expect(detail).toContain('web');
    expect(detail).toContain('lb_endpoints[0]');
    expect(detail).toContain('lb_endpoints[1]');
    const dump = await (await fetch(`${adminUrl}/config_dump?include_eds`)).text();
    expect(dump).toContain('error_state');
    await load.more(50);

    // What is good again is taken.
    source.set(good);
    await until('the good version acknowledged', () =>
      server.state.streams().every(({ types }) => types.every(({ sync }) => sync === 'synced')) ? true : undefined,
    );
    await load.stop();
    expect(load.failures).toEqual([]);
  } finally {
    await sidecar.stop();
    await server.stop();
    await origin.stop();
  }
});

async function remove(kind: string, name: string): Promise<void> {
  const response = await fetch(`${mesh.registryUrl}/v1/config/${kind}/${name}`, { method: 'DELETE' });
  expect(response.status, await response.text()).toBe(200);
}

const TYPE_NAMES = {
  cluster: 'envoy.config.cluster.v3.Cluster',
  assignment: 'envoy.config.endpoint.v3.ClusterLoadAssignment',
  listener: 'envoy.config.listener.v3.Listener',
} as const;

function resource(
  kind: keyof typeof TYPE_NAMES,
  version: string,
  json: Readonly<Record<string, unknown>>,
): EncodedResource {
  const typeUrl = `type.googleapis.com/${TYPE_NAMES[kind]}`;
  const built = buildAny({ '@type': typeUrl, ...json });
  if (!built.ok) throw new Error(JSON.stringify(built.faults));
  const name = String(json['name'] ?? json['clusterName']);
  return encodedResource({ typeUrl, name, version, message: Buffer.from(built.value.value) });
}
