import { expect, test } from 'vitest';
import { ask } from '../../mesh/support/exchange.ts';
import { Load } from '../../mesh/support/load.ts';
import { Mesh } from '../../mesh/support/mesh.ts';
import { until } from '../../mesh/support/waiting.ts';
import { startConsul } from '../support/consul.ts';
import { describeWithPeer } from '../support/peer.ts';
import { complaints, refusedUpdates } from './support/envoy-admin.ts';
import { type AdsVariant, addEnvoySidecar } from './support/envoy-sidecar.ts';

const statusOf = async (port: number): Promise<number> => (await ask({ port })).status;

async function deny(mesh: Mesh, Action: 'allow' | 'deny'): Promise<void> {
  const Sources = [{ Name: 'caller', Action }];
  await mesh.registryPut('/v1/config', { Kind: 'service-intentions', Name: 'api', Sources });
}

/** What an intention does to calls of `caller` to `api`, through this port. */
async function heldToIntentions(mesh: Mesh, port: number): Promise<void> {
  await deny(mesh, 'deny');
  await until('the denial', async () => ((await statusOf(port)) === 403 ? true : undefined));
  await deny(mesh, 'allow');
  await until('the way back', async () => ((await statusOf(port)) === 200 ? true : undefined));
}

async function rotateRoot(mesh: Mesh): Promise<void> {
  const Config = { PrivateKeyType: 'ec', PrivateKeyBits: 384 };
  await mesh.registryPut('/v1/connect/ca/configuration', { Provider: 'consul', Config });
}

/** Which versions of a type all streams have taken. */
async function versionsOf(mesh: Mesh, wanted: (type: string) => boolean): Promise<readonly string[]> {
  const { sidecars } = await mesh.overview();
  return sidecars
    .flatMap(({ id, types }) => types.map(({ type, acknowledgedVersion }) => [id, type, acknowledgedVersion] as const))
    .filter(([, type]) => wanted(type))
    .map((each) => each.join(' '))
    .sort();
}

describeWithPeer('consul', 'mutual TLS from the authority of a real Consul', () => {
  test('strict: intentions are enforced, and a root that is replaced under load fails no request', async () => {
    await using consul = await startConsul();
    await using mesh = await Mesh.start({ consulUrl: consul.httpAddress, mutualTls: 'strict' });
    await mesh.registryPut('/v1/config', { Kind: 'proxy-defaults', Name: 'global', Config: { protocol: 'http' } });
    const api = await mesh.add({ service: 'api', instance: 'api-1' });
    const caller = await mesh.add({ service: 'caller', instance: 'caller-1', upstreams: ['api'] });
    const port = caller.upstreamPort('api');
    await until('the first call', async () => ((await statusOf(port)) === 200 ? true : undefined));
    await expect(ask({ port: api.inboundPort })).rejects.toThrow();
    await heldToIntentions(mesh, port);

    const isSecret = (type: string): boolean => type === 'SDS';
    const others = (type: string): boolean => !isSecret(type);
    const load = new Load({ port });
    await load.more(50);
    const [secrets, rest] = [await versionsOf(mesh, isSecret), await versionsOf(mesh, others)];
    await rotateRoot(mesh);
    await until('new secrets', async () => {
      const now = await versionsOf(mesh, isSecret);
      return now.every((version) => !secrets.includes(version)) ? true : undefined;
    });
    await load.more(200);
    await load.stop();
    expect(load.failures).toEqual([]);
    expect(await versionsOf(mesh, others)).toEqual(rest);

    await Promise.all([api, caller].map(({ sidecar }) => sidecar.stop()));
    await Promise.all([api, caller].map((instance) => instance.restartSidecar()));
    await until('a call under the new root', async () => ((await statusOf(port)) === 200 ? true : undefined));
    expect((await mesh.overview()).problems.filter(({ severity }) => severity === 'error')).toEqual([]);
  });
});

describeWithPeer('consul', 'a Consul whose default_intention_policy is to deny', () => {
  test('nobody calls whom no intention allows', async () => {
    await using consul = await startConsul({ hcl: ['default_intention_policy = "deny"'] });
    await using mesh = await Mesh.start({ consulUrl: consul.httpAddress, mutualTls: 'strict' });
    await mesh.registryPut('/v1/config', { Kind: 'proxy-defaults', Name: 'global', Config: { protocol: 'http' } });
    await mesh.add({ service: 'api', instance: 'api-1' });
    const caller = await mesh.add({ service: 'caller', instance: 'caller-1', upstreams: ['api'] });
    const port = caller.upstreamPort('api');
    await until('the refusal', async () => ((await statusOf(port)) === 403 ? true : undefined));
    await deny(mesh, 'allow');
    await until('the permission', async () => ((await statusOf(port)) === 200 ? true : undefined));
  });
});

const VARIANTS: readonly AdsVariant[] = ['DELTA_GRPC', 'GRPC'];

describeWithPeer('envoy', 'Envoy with the TLS contexts and intentions of this control server', () => {
  test.each(VARIANTS)('%s: it speaks with our sidecars both ways, and refuses nothing', async (variant) => {
    await using mesh = await Mesh.start({ mutualTls: 'strict' });
    await mesh.registryPut('/v1/config', { Kind: 'proxy-defaults', Name: 'global', Config: { protocol: 'http' } });
    await using api = await addEnvoySidecar(mesh, { service: 'api', instance: 'api-1', variant });
    await mesh.add({ service: 'search', instance: 'search-1' });
    await using web = await addEnvoySidecar(mesh, {
      ...{ service: 'web', instance: 'web-1', upstreams: ['api', 'search'], variant },
    });
    const caller = await mesh.add({ service: 'caller', instance: 'caller-1', upstreams: ['api'] });
    for (const port of [web.upstreamPort('api'), web.upstreamPort('search'), caller.upstreamPort('api')]) {
      await until('the first answer', async () => ((await statusOf(port)) === 200 ? true : undefined));
    }
    await heldToIntentions(mesh, caller.upstreamPort('api'));
    expect(await statusOf(web.upstreamPort('api'))).toBe(200);

    const load = new Load({ port: caller.upstreamPort('api'), callers: 2 });
    await load.more(20);
    await rotateRoot(mesh);
    await load.more(100);
    await load.stop();
    expect(load.failures).toEqual([]);
    for (const { envoy } of [web, api]) {
      expect(await refusedUpdates(envoy)).toEqual([]);
      expect(complaints(envoy.output)).toEqual([]);
    }
  });

  test('permissive: it takes plaintext beside TLS', async () => {
    await using mesh = await Mesh.start({ mutualTls: 'permissive' });
    await mesh.registryPut('/v1/config', { Kind: 'proxy-defaults', Name: 'global', Config: { protocol: 'http' } });
    await using api = await addEnvoySidecar(mesh, { service: 'api', instance: 'api-1', variant: 'DELTA_GRPC' });
    const caller = await mesh.add({ service: 'caller', instance: 'caller-1', upstreams: ['api'] });
    const port = caller.upstreamPort('api');
    await until('the first answer', async () => ((await statusOf(port)) === 200 ? true : undefined));
    expect(await statusOf(api.inboundPort)).toBe(200);
    expect(await refusedUpdates(api.envoy)).toEqual([]);
  });
});
