import { setTimeout as delay } from 'node:timers/promises';
import { register } from '@grpc/grpc-js-xds';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { Mesh } from '../../mesh/support/mesh.ts';
import { until } from '../../mesh/support/waiting.ts';
import { addGrpcBackend, EchoClient, type GrpcBackend, SHOUT } from './support/grpc-backend.ts';

const SPLIT_CALLS = 400;
const LESSER_SHARE = 0.3;
const TOLERANCE = 6 * Math.sqrt((LESSER_SHARE * (1 - LESSER_SHARE)) / SPLIT_CALLS);

/** The client's own pause between attempts, which grows with the times it was lost. */
const RECONNECT_WITHIN_MS = 60_000;

let mesh: Mesh;
const backends: GrpcBackend[] = [];

async function backend(service: string, instance: string): Promise<GrpcBackend> {
  const added = await addGrpcBackend(mesh, service, instance);
  backends.push(added);
  return added;
}

/** The instances that answer now, once they are these and no others. */
async function answeredBy(client: EchoClient, ...instances: readonly string[]): Promise<void> {
  await until(`answers by ${instances.join(' and ')}`, async () => {
    const heard = await client.calls(10);
    return [...heard.keys()].sort().join() === [...instances].sort().join() ? true : undefined;
  });
}

/** gRPC for Node reads its bootstrap once in the life of a process, so that all tests share one control server. */
beforeAll(async () => {
  mesh = await Mesh.start();
  await mesh.registryPut('/v1/config', { Kind: 'proxy-defaults', Name: 'global', Config: { protocol: 'grpc' } });
  const bootstrap = {
    xds_servers: [{ server_uri: `127.0.0.1:${mesh.xdsPort}`, channel_creds: [{ type: 'insecure' }] }],
    node: { id: 'nobody-in-consul', cluster: 'test', locality: {} },
  };
  vi.stubEnv('GRPC_XDS_BOOTSTRAP_CONFIG', JSON.stringify(bootstrap));
  register();
});

afterAll(async () => {
  vi.unstubAllEnvs();
  for (const added of backends) await added[Symbol.asyncDispose]();
  await mesh?.[Symbol.asyncDispose]();
});

describe('gRPC for Node without a proxy', () => {
  test('resolves a service by its name, and follows its endpoints', async () => {
    const first = await backend('echo', 'echo-1');
    using client = new EchoClient('xds:///echo');
    expect(await client.call()).toBe('echo-1');
    await backend('echo', 'echo-2');
    await answeredBy(client, 'echo-1', 'echo-2');
    await first.deregister();
    await answeredBy(client, 'echo-2');
    await first.register();
    await answeredBy(client, 'echo-1', 'echo-2');
  });

  test('obeys a splitter and a router', async () => {
    await backend('shop', 'shop-1');
    await backend('shop-next', 'shop-next-1');
    await backend('beta', 'beta-1');
    using client = new EchoClient('xds:///shop');
    expect(await client.call()).toBe('shop-1');
    const Splits = [{ Weight: 70 }, { Weight: 30, Service: 'shop-next' }];
    await mesh.registryPut('/v1/config', { Kind: 'service-splitter', Name: 'shop', Splits });
    await answeredBy(client, 'shop-1', 'shop-next-1');
    const heard = await client.calls(SPLIT_CALLS);
    expect(Math.abs((heard.get('shop-next-1') ?? 0) / SPLIT_CALLS - LESSER_SHARE)).toBeLessThan(TOLERANCE);

    const toBeta = (HTTP: object): object => ({ Match: { HTTP }, Destination: { Service: 'beta' } });
    await mesh.registryPut('/v1/config', {
      Kind: 'service-router',
      Name: 'shop',
      Routes: [
        toBeta({ Methods: ['GET'] }),
        toBeta({ PathPrefix: '/', QueryParam: [{ Name: 'beta', Present: true }] }),
        toBeta({ PathExact: SHOUT, Methods: ['POST', 'PUT'] }),
        toBeta({ Header: [{ Name: 'x-beta', Regex: '.*ye[.]s.*' }] }),
        toBeta({ Header: [{ Name: 'x-case', Regex: '(?i)LOUD' }] }),
        {
          Match: { HTTP: { PathRegex: '/test[.]Echo/None' } },
          Destination: { RetryOn: ['unavailable'], NumRetries: 2 },
        },
      ],
    });
    await until('the route by path', async () =>
      (await client.call({ path: SHOUT })) === 'beta-1' ? true : undefined,
    );
    expect(await client.call({ headers: { 'x-beta': 'so ye.s!' } })).toBe('beta-1');
    expect(await client.call({ headers: { 'x-case': 'loud' } })).toBe('beta-1');
    expect(await client.call({ headers: { 'x-beta': 'yes' } })).toMatch(/^shop-/);
  });

  test('a ring keeps calls with one header value on one instance, among subsets of a service', async () => {
    for (const instance of ['cart-1', 'cart-2', 'cart-3']) await backend('cart', instance);
    await mesh.registryPut('/v1/config', {
      Kind: 'service-resolver',
      Name: 'cart',
      DefaultSubset: 'most',
      Subsets: { most: { Filter: 'Service.ID != "cart-3"' } },
      LoadBalancer: { Policy: 'maglev', HashPolicies: [{ Field: 'header', FieldValue: 'x-user' }] },
    });
    using client = new EchoClient('xds:///cart');
    // The client may be answered before the entry has come; turn by turn its calls then reach several instances.
    await until('the ring', async () => {
      const heard = await client.calls(6, { headers: { 'x-user': 'nobody' } });
      return heard.size === 1 ? true : undefined;
    });
    const used = new Set<string>();
    for (let user = 0; user < 40; user++) {
      const heard = await client.calls(3, { headers: { 'x-user': `user-${user}` } });
      expect(heard.size).toBe(1);
      for (const instance of heard.keys()) used.add(instance);
    }
    expect([...used].sort()).toEqual(['cart-1', 'cart-2']);
  });

  test('a service without instances is one that cannot be reached, until it has one', async () => {
    using client = new EchoClient('xds:///later');
    await expect(client.call()).rejects.toMatchObject({ code: 14 });
    const later = await backend('later', 'later-1');
    await until('the first instance', async () => ((await client.call()) === 'later-1' ? true : undefined));
    await later.deregister();
    await until('no instance', () =>
      client.call().then(
        () => undefined,
        () => true,
      ),
    );
    await later.register();
    await until('the instance again', async () => ((await client.call()) === 'later-1' ? true : undefined));
  });

  test('outlives the control server, and follows its successor', async () => {
    const first = await backend('steady', 'steady-1');
    using client = new EchoClient('xds:///steady');
    await answeredBy(client, 'steady-1');
    await mesh.control.kill();
    await answeredBy(client, 'steady-1');
    await mesh.restartControl();
    let failures = 0;
    const isBack = until(
      'the client to be back',
      async () => {
        const { sidecars } = await mesh.overview();
        return sidecars.some(({ id, types }) => id === 'nobody-in-consul' && types.length === 4) ? true : undefined;
      },
      RECONNECT_WITHIN_MS,
    );
    let isWaiting = true;
    void isBack.finally(() => {
      isWaiting = false;
    });
    while (isWaiting) {
      await client.call().catch(() => failures++);
      await delay(10);
    }
    await isBack;
    await backend('steady', 'steady-2');
    await answeredBy(client, 'steady-1', 'steady-2');
    await first.deregister();
    await answeredBy(client, 'steady-2');
    expect(failures).toBe(0);
  });

  test('nothing of all this was refused', async () => {
    // A client that is in use: one whose channel was closed may have left. After the restart it may pause before it is back.
    await backend('last', 'last-1');
    using client = new EchoClient('xds:///last');
    await answeredBy(client, 'last-1');
    const { xds, problems } = await until(
      'a gRPC client to be connected',
      async () => {
        const overview = await mesh.overview();
        return overview.sidecars.some(({ registration }) => registration === 'none') ? overview : undefined;
      },
      60_000,
    );
    expect(xds.rejected).toBe(0);
    expect(problems).toEqual([]);
  });
});
