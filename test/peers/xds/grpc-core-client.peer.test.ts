import { expect, test } from 'vitest';
import { Mesh } from '../../mesh/support/mesh.ts';
import { until } from '../../mesh/support/waiting.ts';
import { startConsul } from '../support/consul.ts';
import { describeWithPeer } from '../support/peer.ts';
import { addGrpcBackend, SHOUT } from './support/grpc-backend.ts';
import { PythonClient } from './support/python-grpc.ts';

const SPLIT_CALLS = 400;
const LESSER_SHARE = 0.3;
const TOLERANCE = 6 * Math.sqrt((LESSER_SHARE * (1 - LESSER_SHARE)) / SPLIT_CALLS);

describeWithPeer('grpcio', 'gRPC for Python (C core) without a proxy', () => {
  test('resolves, splits, routes and follows endpoints from the embedded registry', async () => {
    await using mesh = await Mesh.start();
    await drive(mesh);
  });

  describeWithPeer('consul', 'with a real Consul', () => {
    test('resolves, splits, routes and follows endpoints', async () => {
      await using consul = await startConsul();
      await using mesh = await Mesh.start({ consulUrl: consul.httpAddress });
      await drive(mesh);
    });
  });
});

async function drive(mesh: Mesh): Promise<void> {
  await mesh.registryPut('/v1/config', { Kind: 'proxy-defaults', Name: 'global', Config: { protocol: 'grpc' } });
  await using first = await addGrpcBackend(mesh, 'echo', 'echo-1');
  await using client = new PythonClient('xds:///echo', {
    xds_servers: [
      { server_uri: `127.0.0.1:${mesh.xdsPort}`, channel_creds: [{ type: 'insecure' }], server_features: ['xds_v3'] },
    ],
    node: { id: 'python-in-no-registry', cluster: 'test', locality: {} },
  });
  expect(await client.calls({ count: 5 })).toEqual({ heard: { 'echo-1': 5 }, failed: {} });

  await using second = await addGrpcBackend(mesh, 'echo', 'echo-2');
  await answeredBy(client, 'echo-1', 'echo-2');
  await first.deregister();
  await answeredBy(client, 'echo-2');
  // All go, and one comes back: nothing may be taken for removed meanwhile.
  await second.deregister();
  await until('no instance', async () => {
    const { failed } = await client.calls({ count: 1 });
    return Object.keys(failed).some((status) => status.startsWith('UNAVAILABLE')) ? true : undefined;
  });
  await first.register();
  await answeredBy(client, 'echo-1');

  await using next = await addGrpcBackend(mesh, 'echo-next', 'echo-next-1');
  const Splits = [{ Weight: 70 }, { Weight: 30, Service: 'echo-next' }];
  await mesh.registryPut('/v1/config', { Kind: 'service-splitter', Name: 'echo', Splits });
  await answeredBy(client, 'echo-1', next.instance);
  const { heard, failed } = await client.calls({ count: SPLIT_CALLS });
  expect(failed).toEqual({});
  expect(Math.abs((heard[next.instance] ?? 0) / SPLIT_CALLS - LESSER_SHARE)).toBeLessThan(TOLERANCE);

  await using beta = await addGrpcBackend(mesh, 'beta', 'beta-1');
  const toBeta = (HTTP: object): object => ({ Match: { HTTP }, Destination: { Service: 'beta' } });
  const Routes = [toBeta({ PathExact: SHOUT }), toBeta({ Header: [{ Name: 'x-beta', Suffix: 'es' }] })];
  await mesh.registryPut('/v1/config', { Kind: 'service-router', Name: 'echo', Routes });
  await until('the route by path', async () => {
    const routed = await client.calls({ count: 1, path: SHOUT });
    return routed.heard[beta.instance] === 1 ? true : undefined;
  });
  const byHeader = await client.calls({ count: 3, headers: { 'x-beta': 'yes' } });
  expect(byHeader).toEqual({ heard: { 'beta-1': 3 }, failed: {} });

  // A policy that sidecars have and gRPC clients have not: they are given what they have.
  await mesh.registryPut('/v1/config', {
    Kind: 'service-resolver',
    Name: 'echo',
    LoadBalancer: { Policy: 'least_request', LeastRequestConfig: { ChoiceCount: 3 } },
  });
  await mesh.registryPut('/v1/config', { Kind: 'service-resolver', Name: 'beta', LoadBalancer: { Policy: 'random' } });
  await answeredBy(client, 'echo-1', next.instance);
  const { xds, problems } = await mesh.overview();
  expect(xds.rejected).toBe(0);
  expect(problems).toEqual([]);
}

async function answeredBy(client: PythonClient, ...instances: readonly string[]): Promise<void> {
  await until(`answers by ${instances.join(' and ')}`, async () => {
    const { heard, failed } = await client.calls({ count: 20 });
    const isSo = Object.keys(heard).sort().join() === [...instances].sort().join();
    return isSo && Object.keys(failed).length === 0 ? true : undefined;
  });
}
