import { expect, test } from 'vitest';
import { ask } from '../../../mesh/support/exchange.ts';
import { until } from '../../../mesh/support/waiting.ts';
import { startEnvoy } from '../../support/envoy.ts';
import { describeWithPeer } from '../../support/peer.ts';
import { ConnectMesh, DENIES_BY_DEFAULT } from './support/connect-mesh.ts';

const WITHIN_MS = 30_000;
const PATHS = ['/', '/admin', '/admin/users', '/./admin', '/x/../admin', '/%61dmin', '/v1?x=/admin'];

describeWithPeer(
  ['consul', 'envoy'],
  "our sidecar and Envoy beside each other, under Consul's own control plane",
  () => {
    test('each reaches the other over mutual TLS, and both read intentions alike', async () => {
      await using mesh = await ConnectMesh.start(DENIES_BY_DEFAULT);
      const services = ['web', 'api', 'envoy-web', 'envoy-api'];
      for (const name of services) await mesh.entry('service-defaults', name, { Protocol: 'http' });
      const upstreams = ['api', 'envoy-api'];
      await mesh.add({ service: 'api', instance: 'api-1' });
      const web = await mesh.add({ service: 'web', instance: 'web-1', upstreams });
      const theirApi = await mesh.add({ service: 'envoy-api', instance: 'envoy-api-1', startsSidecar: false });
      const theirWeb = await mesh.add({
        service: 'envoy-web',
        instance: 'envoy-web-1',
        upstreams,
        startsSidecar: false,
      });
      await using _apiEnvoy = await startEnvoy(theirApi.bootstrap);
      await using _webEnvoy = await startEnvoy(theirWeb.bootstrap);
      const permissions = [
        { Action: 'deny', HTTP: { PathPrefix: '/admin' } },
        { Action: 'allow', HTTP: { PathPrefix: '/', Methods: ['GET'] } },
      ];
      const Sources = ['web', 'envoy-web'].map((Name) => ({ Name, Permissions: permissions }));
      for (const name of upstreams) await mesh.entry('service-intentions', name, { Sources });

      for (const caller of [web, theirWeb]) {
        for (const upstream of upstreams) {
          const port = caller.upstreamPort(upstream);
          const instance = await until(
            `${caller.instance} to ${upstream}`,
            async () => {
              const answer = await ask({ port });
              return answer.status === 200 ? answer.origin.instance : undefined;
            },
            WITHIN_MS,
          );
          expect(instance).toBe(`${upstream}-1`);
          expect((await ask({ port, method: 'POST' })).status).toBe(403);
        }
      }
      const statuses = async (upstream: string): Promise<readonly [string, number][]> => {
        const port = theirWeb.upstreamPort(upstream);
        return Promise.all(
          PATHS.map(async (path): Promise<[string, number]> => [path, (await ask({ port, path })).status]),
        );
      };
      expect(await statuses('api')).toEqual(await statuses('envoy-api'));
      // Here we deny what Envoy lets through: most applications take this for /admin.
      expect((await ask({ port: theirWeb.upstreamPort('api'), path: '//admin' })).status).toBe(403);
      expect(mesh.refusals).toEqual([]);
    });
  },
);
