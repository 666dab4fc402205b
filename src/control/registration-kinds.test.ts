import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { RunningControl } from './control.ts';
import { HTTP_MESH, registration, resource, resourceNames, translated } from './testing/catalog-fixtures.ts';
import { Mesh } from './testing/mesh.ts';
import type { TranslatedProxy } from './translate/translate.ts';

const until = (check: () => void | Promise<void>): Promise<void> =>
  vi.waitFor(check, { timeout: 15_000, interval: 10 });

describe('exposed paths', () => {
  const Paths = [{ Path: '/health/ready', LocalPathPort: 8081, ListenerPort: 21_500 }];

  test('are each a listener that lets that one path through to that one port', () => {
    const proxy = translated(registration({ Expose: { Paths }, Upstreams: [] }), HTTP_MESH);
    expect(proxy.problems).toEqual([]);
    expect(resourceNames(proxy)).toEqual([
      'Listener public_listener:10.0.0.1:21000',
      'Cluster local_app',
      'Listener exposed_path_healthready:10.0.0.1:21500',
      'Cluster exposed_cluster_8081',
    ]);
    const listener = JSON.stringify(resource(proxy, 'Listener', 'exposed_path_healthready:10.0.0.1:21500'));
    expect(listener).toContain(
      '"routes":[{"match":{"path":"/health/ready"},"route":{"cluster":"exposed_cluster_8081"}}]',
    );
    const cluster = JSON.stringify(resource(proxy, 'Cluster', 'exposed_cluster_8081'));
    expect(cluster).toContain('"address":"127.0.0.1","portValue":8081');
  });

  test('of one port of the application share its cluster', () => {
    const two = [...Paths, { ...Paths[0], Path: '/metrics', ListenerPort: 21_501 }];
    const proxy = translated(registration({ Expose: { Paths: two }, Upstreams: [] }), HTTP_MESH);
    expect(new Set(resourceNames(proxy)).size).toBe(5);
  });
});

describe('a Unix socket', () => {
  test('is bound with the mode that the registration gives it', () => {
    const Upstreams = [{ DestinationName: 'api', LocalBindSocketPath: '/run/api.sock', LocalBindSocketMode: '0600' }];
    const listener = resource(translated(registration({ Upstreams }), HTTP_MESH), 'Listener', 'api:/run/api.sock');
    expect(listener?.['address']).toEqual({ pipe: { path: '/run/api.sock', mode: 0o600 } });
  });
});

describe('a prepared query', () => {
  const Upstreams = [{ DestinationType: 'prepared_query', DestinationName: 'near', LocalBindPort: 9191 }];
  const CLUSTER = 'near.default.dc1.query.mesh.consul';

  test('is an upstream of TCP beside a service of the same name, whatever the mesh speaks', () => {
    const proxy = translated(
      registration({ Upstreams: [...Upstreams, { DestinationName: 'near', LocalBindPort: 9192 }] }),
      HTTP_MESH,
    );
    expect(proxy.problems).toEqual([]);
    expect(resourceNames(proxy)).toContain('Listener prepared_query:near:127.0.0.1:9191');
    expect(resourceNames(proxy)).toContain(`Cluster ${CLUSTER}`);
    expect(resourceNames(proxy)).toContain('RouteConfiguration near');
    expect(resourceNames(proxy)).not.toContain('RouteConfiguration prepared_query:near');
    const group = proxy.units.flatMap(({ endpointGroups }) => endpointGroups).find(({ name }) => name === CLUSTER);
    expect(group?.query).toEqual({ isPreparedQuery: true, service: 'near', datacenter: 'dc1', filter: '' });
  });

  test('speaks HTTP where its own config says so', () => {
    const http = Upstreams.map((upstream) => ({ ...upstream, Config: { protocol: 'http' } }));
    const proxy = translated(registration({ Upstreams: http }), HTTP_MESH);
    const routes = JSON.stringify(resource(proxy, 'RouteConfiguration', 'prepared_query:near'));
    expect(routes).toContain(`"cluster":"${CLUSTER}"`);
  });

  test('takes what its own config says of retries and balancing', () => {
    const own = (Config: object): TranslatedProxy =>
      translated(registration({ Upstreams: Upstreams.map((upstream) => ({ ...upstream, Config })) }), HTTP_MESH);
    const retries = (Config: object): string =>
      JSON.stringify(resource(own({ protocol: 'http', ...Config }), 'RouteConfiguration', 'prepared_query:near'));
    expect(retries({ weft_num_retries: 7 })).toContain('"numRetries":7');
    expect(retries({ weft_num_retries: 0 })).not.toContain('retryPolicy');
    // A cluster of its own, which shares the endpoints of all that ask the same query.
    const special = own({ weft_lb_policy: 'random' });
    const cluster = resourceNames(special).find((name) => name.endsWith(`~${CLUSTER}`));
    expect(cluster).toMatch(/^Cluster [0-9a-f]{8}~/);
    expect(special.units.flatMap(({ endpointGroups }) => endpointGroups).map(({ name }) => name)).toContain(CLUSTER);
  });

  test('of another datacenter is asked there, named by it, and connected to within five seconds', () => {
    const far = Upstreams.map((upstream) => ({ ...upstream, Datacenter: 'dc2' }));
    const proxy = translated(registration({ Upstreams: far }), HTTP_MESH);
    expect(resourceNames(proxy)).toContain('Listener prepared_query:near?dc=dc2:127.0.0.1:9191');
    const cluster = CLUSTER.replace('dc1', 'dc2');
    const group = proxy.units.flatMap(({ endpointGroups }) => endpointGroups).find(({ name }) => name === cluster);
    expect(group?.query).toMatchObject({ isPreparedQuery: true, datacenter: 'dc2' });
    expect(resource(proxy, 'Cluster', cluster)?.['connectTimeout']).toBe('5s');
  });
});

describe('through registry and control server', () => {
  let mesh: Mesh;
  let control: RunningControl;

  beforeEach(async () => {
    mesh = await Mesh.start();
    control = await mesh.control({ preparedQueryPollMs: 50 });
  });
  afterEach(() => mesh.stop());

  const endpointsOf = (probe: ReturnType<Mesh['connect']>, pattern: RegExp): readonly string[] =>
    probe.endpoints([...probe.clusters().keys()].find((name) => pattern.test(name)) ?? '');

  test('a service without sidecars is reached at its own address, until it has one', async () => {
    const Check = { CheckID: 'ttl:db', TTL: '10m', Status: 'passing' };
    await mesh.put('/v1/agent/service/register', { Name: 'db', ID: 'db-1', Port: 5432, Address: '127.0.0.1', Check });
    await mesh.register('web', 8080, [['db', 9191]]);
    const probe = mesh.connect(control, 'web-8080-sidecar-proxy');
    const endpoints = (): readonly string[] => endpointsOf(probe, /^db\./);
    await until(() => expect(endpoints()).toEqual(['127.0.0.1:5432 HEALTHY']));
    await mesh.put('/v1/agent/check/fail/ttl:db');
    await until(() => expect(endpoints()).toEqual(['127.0.0.1:5432 UNHEALTHY']));
    await mesh.register('db', 5433);
    await until(() => expect(endpoints()).toEqual(['127.0.0.1:15433 HEALTHY']));
    // The first instance is still there, and is not reached around sidecars.
    await mesh.put('/v1/agent/service/deregister/db-5433-sidecar-proxy');
    await until(() => expect(endpoints()).toEqual([]));
  });

  test('the instances of a prepared query are followed, and one that does not exist is named', async () => {
    await mesh.register('api', 8081);
    await mesh.register('web', 8080, [], {
      Connect: {
        SidecarService: {
          Port: 18_080,
          Address: '127.0.0.1',
          Proxy: {
            Upstreams: [{ DestinationType: 'prepared_query', DestinationName: 'near', LocalBindPort: 9191 }],
          },
        },
      },
    });
    const probe = mesh.connect(control, 'web-8080-sidecar-proxy');
    const overview = async (): Promise<string> =>
      (await fetch(`http://127.0.0.1:${control.consolePort}/api/overview`)).text();
    await until(async () => expect(await overview()).toContain('health of near'));
    await mesh.post('/v1/query', { Name: 'near', Service: { Service: 'api' } });
    const endpoints = (): readonly string[] => endpointsOf(probe, /^near\.default\.dc1\.query\./);
    await until(() => expect(endpoints()).toEqual(['127.0.0.1:18081 HEALTHY']));
    await mesh.put('/v1/agent/check/fail/ttl:api-8081-sidecar');
    await until(() => expect(endpoints()).toEqual([]));
    expect(await overview()).not.toContain('health of near');
  });
});
