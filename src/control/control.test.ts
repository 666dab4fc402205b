import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { RunningControl } from './control.ts';
import type { AdsProbe } from './testing/ads-probe.ts';
import { Mesh } from './testing/mesh.ts';

const API = /^api\.default\.dc1\.internal\.[^.]+/;

let mesh: Mesh;
let control: RunningControl;

const until = (check: () => void | Promise<void>): Promise<void> =>
  vi.waitFor(check, { timeout: 15_000, interval: 10 });
const nameOf = (probe: AdsProbe, pattern: RegExp): string =>
  [...probe.clusters().keys()].find((name) => pattern.test(name)) ?? '';

/** All of web's configuration has arrived, its last part being the routes. */
async function configured(probe: AdsProbe): Promise<void> {
  await until(() => {
    expect(probe.endpoints(nameOf(probe, API))).toEqual(['127.0.0.1:18081 HEALTHY']);
    expect([...probe.routes().keys()]).toEqual(['api']);
  });
}

async function overview(): Promise<ReturnType<typeof JSON.parse>> {
  const response = await fetch(`http://127.0.0.1:${control.consolePort}/api/overview`);
  expect(response.status).toBe(200);
  return response.json();
}

beforeEach(async () => {
  mesh = await Mesh.start();
  await mesh.put('/v1/config', { Kind: 'proxy-defaults', Name: 'global', Config: { protocol: 'http' } });
  await mesh.register('web', 8080, [['api', 9191]]);
  await mesh.register('api', 8081);
  control = await mesh.control();
});

afterEach(async () => {
  await mesh.stop();
});

describe.each([
  ['sotw', false],
  ['delta', true],
] as const)('over %s', (_variant, isDelta) => {
  test('a registered sidecar is told everything it needs, and nothing refers to nothing', async () => {
    const probe = mesh.connect(control, 'web-8080-sidecar-proxy', isDelta);
    await until(() => {
      expect([...probe.listeners().keys()].sort()).toEqual(['api:127.0.0.1:9191', 'public_listener:127.0.0.1:18080']);
      expect([...probe.routes().keys()]).toEqual(['api']);
      expect(probe.endpoints(nameOf(probe, API))).toEqual(['127.0.0.1:18081 HEALTHY']);
    });
    expect([...probe.clusters().keys()]).toHaveLength(2);
    expect(probe.clusters().get('local_app')).toBeDefined();
    await until(async () => {
      const [sidecar] = (await overview()).sidecars;
      expect(sidecar).toMatchObject({ id: 'web-8080-sidecar-proxy', service: 'web', registration: 'following' });
      expect(sidecar.types.map(({ sync }: { sync: string }) => sync)).toEqual(['SYNCED', 'SYNCED', 'SYNCED', 'SYNCED']);
    });
    expect((await overview()).problems).toEqual([]);
  });

  test('a change of health reaches the proxy and touches the assignment alone', async () => {
    const probe = mesh.connect(control, 'web-8080-sidecar-proxy', isDelta);
    await configured(probe);
    const before = probe.versions();
    const told = probe.updates.length;
    await mesh.put('/v1/agent/check/fail/ttl:api-8081-sidecar');
    await until(() => expect(probe.endpoints(nameOf(probe, API))).toEqual(['127.0.0.1:18081 UNHEALTHY']));
    const after = probe.versions();
    expect(Object.keys(after).filter((name) => after[name] !== before[name])).toEqual([
      `ClusterLoadAssignment ${nameOf(probe, API)}`,
    ]);
    expect(probe.updates.slice(told).every((update) => update.startsWith('ClusterLoadAssignment'))).toBe(true);
  });

  test('a service without instances keeps its listener, routes and cluster, with an empty assignment', async () => {
    const probe = mesh.connect(control, 'web-8080-sidecar-proxy', isDelta);
    await configured(probe);
    await mesh.put('/v1/agent/service/deregister/api-8081');
    await until(() => expect(probe.endpoints(nameOf(probe, API))).toEqual([]));
    expect(probe.listeners().has('api:127.0.0.1:9191')).toBe(true);
    expect(probe.routes().has('api')).toBe(true);
  });
});

describe('control server', () => {
  test('refuses a proxy that is not registered, naming the id and the fix, and serves it once it is', async () => {
    const probe = mesh.connect(control, 'late-8090-sidecar-proxy');
    await until(() => {
      expect(probe.lastError).toContain('proxy "late-8090-sidecar-proxy" is not registered in Consul');
      expect(probe.lastError).toContain('connect.sidecar_service');
    });
    await mesh.register('late', 8090);
    await until(() => expect([...probe.listeners().keys()]).toEqual(['public_listener:127.0.0.1:18090']));
  });

  test('refuses the id of an ordinary service, saying what it is', async () => {
    const probe = mesh.connect(control, 'web-8080');
    await until(() => expect(probe.lastError).toContain('"web-8080" is registered in Consul as an ordinary service'));
  });

  test('shows intentions and says of each denial that nothing enforces it, in the log too', async () => {
    mesh.connect(control, 'api-8081-sidecar-proxy');
    await until(async () => expect((await overview()).intentions).toMatchObject([{ service: 'api', rules: [] }]));
    expect((await overview()).problems).toEqual([]);
    const Sources = [
      { Name: 'web', Action: 'allow' },
      { Name: 'stranger', Action: 'deny' },
    ];
    await mesh.put('/v1/config', { Kind: 'service-intentions', Name: 'api', Sources });
    await until(async () => {
      const { intentions, problems } = await overview();
      expect(intentions[0]).toMatchObject({ enforced: false, rules: [{ source: 'stranger' }, { source: 'web' }] });
      expect(problems).toHaveLength(1);
      expect(problems[0].where).toMatch(/^intention stranger → api \(ModifyIndex \d+\)$/);
      expect(problems[0].message).toContain('denies calls; it is not enforced');
    });
    expect(mesh.logLines.filter((line) => line.includes('stranger → api'))).toHaveLength(1);
    await mesh.delete('/v1/config/service-intentions/api');
    await until(async () => expect((await overview()).problems).toEqual([]));
  });

  test('follows a registration that changes', async () => {
    const probe = mesh.connect(control, 'web-8080-sidecar-proxy');
    await until(() => expect([...probe.routes().keys()]).toEqual(['api']));
    await mesh.register('db', 8082);
    await mesh.register('web', 8080, [
      ['api', 9191],
      ['db', 9192],
    ]);
    await until(() => expect([...probe.routes().keys()].sort()).toEqual(['api', 'db']));
  });

  test('follows a route that is written, and takes it back when it is deleted', async () => {
    const probe = mesh.connect(control, 'web-8080-sidecar-proxy');
    await until(() => expect([...probe.routes().keys()]).toEqual(['api']));
    await mesh.register('api-v2', 8083);
    const router = {
      Kind: 'service-router',
      Name: 'api',
      Routes: [{ Match: { HTTP: { PathPrefix: '/v2' } }, Destination: { Service: 'api-v2' } }],
    };
    await mesh.put('/v1/config', router);
    await until(() => {
      expect(JSON.stringify(probe.routes().get('api'))).toContain('"prefix":"/v2"');
      expect(probe.endpoints(nameOf(probe, /^api-v2\./))).toEqual(['127.0.0.1:18083 HEALTHY']);
    });
    await mesh.delete('/v1/config/service-router/api');
    await until(() => expect(JSON.stringify(probe.routes().get('api'))).not.toContain('"prefix":"/v2"'));
    await until(() => expect(nameOf(probe, /^api-v2\./)).toBe(''));
  });

  test('keeps what proxies have while Consul fails every question, says so, and follows again within seconds', async () => {
    const probe = mesh.connect(control, 'web-8080-sidecar-proxy');
    await configured(probe);
    const before = probe.versions();
    mesh.registry.inject.onRequest({ kind: 'respond', status: 500, body: 'rpc error' });
    mesh.registry.inject.resetIndex();
    await until(async () => expect((await overview()).consul.state).toBe('down'));
    expect(mesh.logLines.join('')).toContain('Consul cannot be reached');
    expect(probe.versions()).toEqual(before);
    mesh.registry.inject.clear();
    await mesh.put('/v1/agent/check/fail/ttl:api-8081-sidecar');
    await until(() => expect(probe.endpoints(nameOf(probe, API))).toEqual(['127.0.0.1:18081 UNHEALTHY']));
    await until(async () => expect((await overview()).consul.state).toBe('up'));
  });

  test('serves before Consul is there, and everything once it is', async () => {
    const { port } = mesh.registry;
    await mesh.registry.stop();
    const early = await mesh.control();
    const probe = mesh.connect(early, 'web-8080-sidecar-proxy');
    await until(() => expect(mesh.logLines.join('')).toContain('Consul cannot be reached'));
    expect(probe.lastError).toBe('');
    await mesh.restartRegistry(port);
    await mesh.register('web', 8080);
    await until(() => expect([...probe.listeners().keys()]).toEqual(['public_listener:127.0.0.1:18080']));
  });

  test('with requireConsul it does not start without Consul', async () => {
    await mesh.registry.stop();
    await expect(mesh.control({ requireConsul: true })).rejects.toThrow();
  });

  test('a burst of health changes becomes few updates', async () => {
    const probe = mesh.connect(control, 'web-8080-sidecar-proxy');
    await configured(probe);
    const told = probe.updates.length;
    for (let round = 0; round < 50; round += 1) {
      await mesh.put(`/v1/agent/check/${round % 2 === 0 ? 'fail' : 'pass'}/ttl:api-8081-sidecar`);
    }
    await mesh.put('/v1/agent/check/fail/ttl:api-8081-sidecar');
    await until(() => expect(probe.endpoints(nameOf(probe, API))).toEqual(['127.0.0.1:18081 UNHEALTHY']));
    expect(probe.updates.length - told).toBeLessThan(15);
  });
});
