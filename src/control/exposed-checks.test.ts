import { describe, expect, test, vi } from 'vitest';
import {
  type Entry,
  entries,
  HTTP_MESH,
  registration,
  resource,
  resourceNames,
  TRUST_DOMAIN,
  translated,
} from './testing/catalog-fixtures.ts';
import { Mesh } from './testing/mesh.ts';
import {
  type ExposedCheck,
  effectiveExpose,
  nodeName,
  type TranslatedProxy,
  translateProxy,
} from './translate/translate.ts';

describe('exposed checks', () => {
  const proxy = registration({ Expose: { Checks: true }, Upstreams: [] });
  const check = { node: nodeName('n1'), checkId: 'c', serviceId: 'web-1', listenerPort: 21_500 };
  const other = { ...check, serviceId: 'web-2', listenerPort: 21_501, kind: 'grpc' } as const;
  const withChecks = (...exposedChecks: readonly ExposedCheck[]): TranslatedProxy =>
    translateProxy({ registration: proxy, entries: entries(HTTP_MESH), trustDomain: TRUST_DOMAIN, exposedChecks });
  const routeOf = (translation: TranslatedProxy): string =>
    JSON.stringify(resource(translation, 'Listener', 'exposed_check:10.0.0.1:21500'));

  test('are each a listener for the path that the check asks, and of other services none', () => {
    const listed = withChecks({ ...check, kind: 'http', path: '/ready' }, other);
    expect(listed.problems).toEqual([]);
    expect(resourceNames(listed)).toEqual([
      'Listener public_listener:10.0.0.1:21000',
      'Cluster local_app',
      'Listener exposed_check:10.0.0.1:21500',
      'Cluster exposed_check_http',
    ]);
    expect(routeOf(listed)).toContain(
      '"routes":[{"match":{"path":"/ready"},"route":{"cluster":"exposed_check_http"}}]',
    );
    expect(routeOf(withChecks({ ...check, kind: 'grpc' }))).toContain(
      '"routes":[{"match":{"path":"/grpc.health.v1.Health/Check"},"route":{"cluster":"exposed_check_http2"}}]',
    );
  });

  test("let only the agent's node and this machine in", () => {
    expect(routeOf(withChecks({ ...check, kind: 'grpc' }))).toContain(
      '"rules":{"action":"ALLOW","policies":{"agent":{"permissions":[{"any":true}],"principals":[' +
        '{"directRemoteIp":{"addressPrefix":"127.0.0.0","prefixLen":8}},' +
        '{"directRemoteIp":{"addressPrefix":"::1","prefixLen":128}},' +
        '{"directRemoteIp":{"addressPrefix":"10.0.0.1","prefixLen":32}}]}}}',
    );
  });

  test('whose path no run has told yet are for health checks alone', () => {
    expect(routeOf(withChecks({ ...check, kind: 'http', path: undefined }))).toContain(
      '"match":{"prefix":"/","headers":[{"name":"user-agent","stringMatch":{"exact":"Consul Health Check"}}]}',
    );
  });

  test('that nobody runs are named', () => {
    expect(withChecks(other).problems).toMatchObject([
      { severity: 'warning', where: 'registration web-1-sidecar-proxy: proxy.expose.checks' },
    ]);
  });

  test("come of the service's and the mesh's entries, too, as paths do where the registration has none of its own", () => {
    const plain = registration({ Upstreams: [] });
    const Paths = [{ Path: '/metrics', LocalPathPort: 9102, ListenerPort: 21_600 }];
    const ofMesh = { ...HTTP_MESH, Expose: { Checks: true, Paths } };
    const Kept = [{ Path: '/kept', LocalPathPort: 9103, ListenerPort: 21_601 }];
    const ofService = { Kind: 'service-defaults', Name: 'web', Expose: { Paths: Kept } } as const;
    const exposedBy = (...written: readonly Entry[]) => effectiveExpose(plain, entries(...written));
    expect(exposedBy(ofMesh)).toMatchObject({ checks: true, paths: [{ path: '/metrics' }] });
    expect(exposedBy(ofMesh, ofService)).toMatchObject({ checks: true, paths: [{ path: '/kept' }] });
    expect(resourceNames(translated(plain, ofMesh))).toContain('Listener exposed_path_metrics:10.0.0.1:21600');
    const own = registration({ Upstreams: [], Expose: { Paths } });
    expect(effectiveExpose(own, entries(ofService))).toMatchObject({ checks: false, paths: [{ path: '/metrics' }] });
  });

  test('are followed in the registry, from the port it gives until the path is told', async () => {
    const mesh = await Mesh.start({ exposeMinPort: 20_500 });
    const control = await mesh.control();
    try {
      await mesh.put('/v1/config', HTTP_MESH);
      await mesh.put('/v1/agent/service/register', {
        Name: 'web',
        ID: 'web-1',
        Port: 1,
        Check: { CheckID: 'ready', HTTP: 'http://127.0.0.1:1/ready', Interval: '100ms' },
        Connect: { SidecarService: { Port: 20_001, Address: '127.0.0.1', Proxy: { Expose: { Checks: true } } } },
      });
      const probe = mesh.connect(control, 'web-1-sidecar-proxy');
      await vi.waitFor(
        () => {
          const listener = probe.listeners().get('exposed_check:127.0.0.1:20500');
          expect(JSON.stringify(listener)).toContain('"/ready"');
        },
        { timeout: 15_000, interval: 10 },
      );
    } finally {
      await mesh.stop();
    }
  });
});
