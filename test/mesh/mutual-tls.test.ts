import { connect } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ask } from './support/exchange.ts';
import { Load } from './support/load.ts';
import { type Instance, Mesh } from './support/mesh.ts';
import { until } from './support/waiting.ts';

/** What a program that is no part of the mesh gets from a sidecar's public port: a status, or why there is none. */
const fromOutside = ({ inboundPort }: Instance): Promise<number | string> =>
  ask({ port: inboundPort }).then(
    ({ status }) => status,
    (error: NodeJS.ErrnoException) => error.code ?? error.message,
  );

const statusOf = async (port: number, path = '/'): Promise<number> => (await ask({ port, path })).status;

async function intentions(mesh: Mesh, name: string, ...Sources: readonly object[]): Promise<void> {
  await mesh.registryPut('/v1/config', { Kind: 'service-intentions', Name: name, Sources });
}

describe('a strict mesh', () => {
  let mesh: Mesh;
  let shop: Instance;
  let caller: Instance;
  let port = 0;

  beforeAll(async () => {
    mesh = await Mesh.start({ mutualTls: 'strict' });
    await mesh.registryPut('/v1/config', { Kind: 'proxy-defaults', Name: 'global', Config: { protocol: 'http' } });
    shop = await mesh.add({ service: 'shop', instance: 'shop-1' });
    caller = await mesh.add({ service: 'caller', instance: 'caller-1', upstreams: ['shop', 'pipe', 'lonely'] });
    port = caller.upstreamPort('shop');
  }, 60_000);

  afterAll(() => mesh?.[Symbol.asyncDispose]());

  test('a call arrives, and the application is told by whose certificate it came', async () => {
    const { status, origin } = await ask({ port, headers: { 'x-forwarded-client-cert': 'URI=spiffe://forged' } });
    expect(status).toBe(200);
    const told = origin.headers['x-forwarded-client-cert']?.join() ?? '';
    expect(told).toMatch(/URI=spiffe:\/\/[^/]+\/ns\/default\/dc\/dc1\/svc\/caller/);
    expect(told).not.toContain('forged');
  });

  test('nobody gets in in plaintext, nor with TLS and no certificate of the mesh', async () => {
    expect(await fromOutside(shop)).toMatch(/ECONNRESET|socket hang up/);
    const ended = await new Promise<string>((resolve) => {
      const socket = connectTls({ host: '127.0.0.1', port: shop.inboundPort, rejectUnauthorized: false }, () =>
        socket.write('GET / HTTP/1.1\r\nhost: shop\r\n\r\n'),
      );
      socket.on('data', (answer) => resolve(String(answer)));
      socket.on('error', (error) => resolve(error.message));
      socket.on('close', () => resolve('closed'));
    });
    expect(ended).not.toContain('HTTP/1.1');
  });

  test('an intention that denies is obeyed, by service and by request, and the console says so', async () => {
    await intentions(mesh, 'shop', { Name: 'caller', Action: 'deny' });
    await until('the denial', async () => ((await statusOf(port)) === 403 ? true : undefined));
    const { intentions: shown, problems } = await mesh.overview();
    expect(shown.find(({ service }) => service === 'shop')).toMatchObject({ enforced: true });
    expect(problems.map(({ message }) => message).join()).not.toContain('not enforced');

    await intentions(mesh, 'shop', {
      Name: 'caller',
      Permissions: [
        { Action: 'deny', HTTP: { PathPrefix: '/private' } },
        { Action: 'allow', HTTP: { PathPrefix: '/' } },
      ],
    });
    await until('the permission', async () => ((await statusOf(port)) === 200 ? true : undefined));
    expect(await statusOf(port, '/private/x')).toBe(403);
    await intentions(mesh, 'shop', { Name: 'caller', Action: 'allow' });
    await until('the way back', async () => ((await statusOf(port, '/private/x')) === 200 ? true : undefined));
  });

  test('a service of protocol tcp: who is denied is not let in, and who was in is put out', async () => {
    await mesh.registryPut('/v1/config', { Kind: 'service-defaults', Name: 'pipe', Protocol: 'tcp' });
    await mesh.add({ service: 'pipe', instance: 'pipe-1' });
    const through = caller.upstreamPort('pipe');
    await until('the first bytes', async () => ((await statusOf(through)) === 200 ? true : undefined));
    const open = connect({ host: '127.0.0.1', port: through });
    const ended = new Promise<void>((resolve) => void open.on('error', () => {}).on('close', () => resolve()));
    await new Promise<void>((resolve) => {
      open.once('data', () => resolve());
      open.write('GET / HTTP/1.1\r\nhost: pipe\r\n\r\n');
    });
    await intentions(mesh, 'pipe', { Name: 'caller', Action: 'deny' });
    await ended;
    await expect(statusOf(through)).rejects.toThrow();
    await intentions(mesh, 'pipe', { Name: 'caller', Action: 'allow' });
    await until('the way back', async () => ((await statusOf(through)) === 200 ? true : undefined));
  });

  test('a root that is replaced under load costs no request, and no listener or cluster is sent again', async () => {
    const versions = async (): Promise<Record<string, string>> => {
      const { sidecars } = await mesh.overview();
      const entries = sidecars.flatMap(({ id, types }) =>
        types.map(({ type, acknowledgedVersion }) => [`${id} ${type}`, acknowledgedVersion ?? ''] as const),
      );
      return Object.fromEntries(entries);
    };
    const load = new Load({ port });
    await load.more(50);
    const before = await versions();
    await mesh.registryPut('/v1/connect/ca/configuration', {
      Provider: 'consul',
      Config: { PrivateKeyType: 'ec', PrivateKeyBits: 384 },
    });
    const keys = Object.keys(before).filter((key) => key.endsWith(' SDS'));
    expect(keys).toHaveLength(3);
    const after = await until('new secrets on both sides', async () => {
      const now = await versions();
      return keys.every((key) => now[key] !== before[key]) ? now : undefined;
    });
    await load.more(100);
    await load.stop();
    expect(load.failures).toEqual([]);
    for (const key of Object.keys(before))
      if (!keys.includes(key)) expect(`${key} ${after[key]}`).toBe(`${key} ${before[key]}`);
    // Connections that are made only now are made under the new root.
    await Promise.all([shop, caller].map(({ sidecar }) => sidecar.stop()));
    await Promise.all([shop, caller].map((instance) => instance.restartSidecar()));
    await until('a call under the new root', async () => ((await statusOf(port)) === 200 ? true : undefined));
  });

  test('a service without a sidecar is not called, and that is said', async () => {
    await mesh.registryPut('/v1/agent/service/register', {
      ...{ Name: 'lonely', ID: 'lonely-1', Address: '127.0.0.1', Port: shop.appPort },
    });
    const said = await until('the problem', async () =>
      (await mesh.overview()).problems.find(({ where }) => where === 'service lonely in dc1'),
    );
    expect(said.message).toContain('1 instances have no sidecar');
    expect(await statusOf(caller.upstreamPort('lonely'))).toBe(503);
  });
});

describe('a permissive mesh', () => {
  let mesh: Mesh;
  let shop: Instance;
  let caller: Instance;

  beforeAll(async () => {
    mesh = await Mesh.start({ mutualTls: 'permissive' });
    await mesh.registryPut('/v1/config', { Kind: 'proxy-defaults', Name: 'global', Config: { protocol: 'http' } });
    shop = await mesh.add({ service: 'shop', instance: 'shop-1' });
    caller = await mesh.add({ service: 'caller', instance: 'caller-1', upstreams: ['shop', 'lonely'] });
    await mesh.registryPut('/v1/agent/service/register', {
      ...{ Name: 'lonely', ID: 'lonely-1', Address: '127.0.0.1', Port: shop.appPort },
    });
  }, 60_000);

  afterAll(() => mesh?.[Symbol.asyncDispose]());

  test('sidecars speak TLS with each other, and callers without one get in in plaintext', async () => {
    const { origin } = await ask({ port: caller.upstreamPort('shop') });
    expect(origin.headers['x-forwarded-client-cert']?.join()).toContain('/svc/caller');
    expect(await fromOutside(shop)).toBe(200);
  });

  test('a service without a sidecar is called in plaintext', async () => {
    const port = caller.upstreamPort('lonely');
    expect(await until('the call', async () => ((await statusOf(port)) === 200 ? 200 : undefined))).toBe(200);
  });

  test('MutualTLSMode of a service is its own', async () => {
    await mesh.registryPut('/v1/config', { Kind: 'service-defaults', Name: 'shop', MutualTLSMode: 'strict' });
    await until('a strict sidecar', async () => ((await fromOutside(shop)) === 200 ? undefined : true));
    expect(await statusOf(caller.upstreamPort('shop'))).toBe(200);
  });
});
