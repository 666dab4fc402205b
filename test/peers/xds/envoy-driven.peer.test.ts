import { expect, test } from 'vitest';
import { ask } from '../../mesh/support/exchange.ts';
import { Load } from '../../mesh/support/load.ts';
import { Mesh } from '../../mesh/support/mesh.ts';
import { until } from '../../mesh/support/waiting.ts';
import { startConsul } from '../support/consul.ts';
import { describeWithPeer } from '../support/peer.ts';
import { complaints, envoyStats, refusedUpdates } from './support/envoy-admin.ts';
import { type AdsVariant, addEnvoySidecar, type EnvoySidecar } from './support/envoy-sidecar.ts';

const SPLIT_REQUESTS = 200;
/** 30 of 100 go to the lesser part; six standard deviations of 200 draws. */
const LESSER_SHARE = 0.3;
const TOLERANCE = 6 * Math.sqrt((LESSER_SHARE * (1 - LESSER_SHARE)) / SPLIT_REQUESTS);

const VARIANTS: readonly AdsVariant[] = ['DELTA_GRPC', 'GRPC'];

describeWithPeer('envoy', 'Envoy beside a service, driven by this control server', () => {
  test.each(VARIANTS)('%s: splits, routes and endpoints are obeyed, and nothing is refused', async (variant) => {
    await using mesh = await Mesh.start();
    await drive(mesh, variant);
  });
});

describeWithPeer(['envoy', 'consul'], 'Envoy beside a service, driven from the data of a real Consul', () => {
  test('splits, routes and endpoints are obeyed, and nothing is refused', async () => {
    await using consul = await startConsul();
    await using mesh = await Mesh.start({ consulUrl: consul.httpAddress });
    await drive(mesh, 'DELTA_GRPC');
  });
});

/** `web` and `api` v1 have Envoy beside them, `api` v2 and `search` have our sidecar. */
async function drive(mesh: Mesh, variant: AdsVariant): Promise<void> {
  await mesh.registryPut('/v1/config', { Kind: 'proxy-defaults', Name: 'global', Config: { protocol: 'http' } });
  await using api = await addEnvoySidecar(mesh, { service: 'api', instance: 'api-1', variant });
  await mesh.add({ service: 'api-next', instance: 'api-next-1' });
  await mesh.add({ service: 'search', instance: 'search-1' });
  await using web = await addEnvoySidecar(mesh, { service: 'web', instance: 'web-1', upstreams: ['api'], variant });
  const caller = await mesh.add({ service: 'caller', instance: 'caller-1', upstreams: ['api'] });
  const ports = [web.upstreamPort('api'), caller.upstreamPort('api')];
  for (const port of ports) await until('the first answer', () => answeredBy(port, 'api-1'));

  // The same entries decide for both makes of sidecar.
  const Splits = [{ Weight: 70 }, { Weight: 30, Service: 'api-next' }];
  await mesh.registryPut('/v1/config', { Kind: 'service-splitter', Name: 'api', Splits });
  for (const port of ports) {
    await until('the split', () => answeredBy(port, 'api-next-1'));
    expect(Math.abs((await shareOf(port, 'api-next-1')) - LESSER_SHARE)).toBeLessThan(TOLERANCE);
  }
  await mesh.registryPut('/v1/config', {
    Kind: 'service-router',
    Name: 'api',
    Routes: [
      {
        Match: { HTTP: { PathPrefix: '/search/', Header: [{ Name: 'x-beta', Exact: '1' }] } },
        Destination: { Service: 'search', PrefixRewrite: '/', NumRetries: 3, RetryOnStatusCodes: [503] },
      },
    ],
  });
  for (const port of ports) {
    const routed = await until('the route', async () => {
      const { origin } = await ask({ port, path: '/search/things', headers: { 'x-beta': '1' } });
      return origin.instance === 'search-1' ? origin : undefined;
    });
    expect(routed.url).toBe('/things');
    const unrouted = await ask({ port, path: '/search/things' });
    expect(unrouted.origin.instance).toMatch(/^api-/);
  }

  await followEndpoints(mesh, web, api, variant);
  for (const { envoy } of [web, api]) {
    expect(await refusedUpdates(envoy)).toEqual([]);
    expect(complaints(envoy.output)).toEqual([]);
  }
  // The proxy of the instance that left is told of; nothing else is wrong.
  const { problems } = await mesh.overview();
  expect(problems.filter(({ where }) => where !== 'proxy api-2-sidecar-proxy')).toEqual([]);
}

/** A second instance of `api` comes and goes under load; no request fails. */
async function followEndpoints(mesh: Mesh, web: EnvoySidecar, api: EnvoySidecar, variant: AdsVariant): Promise<void> {
  const load = new Load({ port: web.upstreamPort('api'), callers: 2 });
  await using second = await addEnvoySidecar(mesh, { service: 'api', instance: 'api-2', variant });
  await until('traffic on the new instance', () => ((load.byInstance.get('api-2') ?? 0) > 5 ? true : undefined));
  await mesh.registryPut('/v1/agent/service/deregister/api-2', '');
  await until('a hundred requests in a row past the instance that left', async () => {
    const before = load.byInstance.get('api-2');
    await load.more(100);
    return load.byInstance.get('api-2') === before ? true : undefined;
  });
  await load.stop();
  expect(load.failures).toEqual([]);
  expect(second.app.arrived).toBeGreaterThan(5);
  // Endpoint changes are that and no more: no listener was drained for one.
  const stats = await envoyStats(web.envoy, /^listener_manager\.(?:listener_modified|total_listeners_draining)$/);
  expect([...stats.values()]).toEqual([0, 0]);
  expect(api.app.arrived).toBeGreaterThan(0);
}

async function answeredBy(port: number, instance: string): Promise<true | undefined> {
  const { origin } = await ask({ port });
  return origin.instance === instance ? true : undefined;
}

async function shareOf(port: number, instance: string): Promise<number> {
  let hits = 0;
  for (let sent = 0; sent < SPLIT_REQUESTS; sent++) {
    const { origin } = await ask({ port });
    if (origin.instance === instance) hits++;
  }
  return hits / SPLIT_REQUESTS;
}
