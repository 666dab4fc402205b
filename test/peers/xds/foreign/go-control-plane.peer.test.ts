import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { stringify } from 'yaml';
import { weft } from '../../../mesh/support/child-program.ts';
import { ask } from '../../../mesh/support/exchange.ts';
import { freePort } from '../../../mesh/support/free-ports.ts';
import { Load } from '../../../mesh/support/load.ts';
import { startOrigin } from '../../../mesh/support/origin.ts';
import { until } from '../../../mesh/support/waiting.ts';
import { GoControlPlane, type GoSnapshot } from '../../support/go-control-plane.ts';
import { describeWithPeer } from '../../support/peer.ts';
import { makeTempDirectory } from '../../support/temp-directory.ts';
import { bootstrap } from '../support/envoy-sidecar.ts';

const NODE = 'go-driven-1';
const REQUESTS = 100;

describeWithPeer('go-control-plane', 'our sidecar under a go-control-plane server', () => {
  test.each(['GRPC', 'DELTA_GRPC'] as const)(
    '%s: carries traffic, follows endpoints and routes, keeps the good, outlives the server',
    async (variant) => {
      await using server = await GoControlPlane.start(NODE);
      await using first = disposable(await startOrigin({ service: 'api', instance: 'first' }));
      await using second = disposable(await startOrigin({ service: 'api', instance: 'second' }));
      const listenPort = await freePort();
      const world = (parts: Partial<World>): GoSnapshot =>
        snapshot({ listenPort, apiPorts: [first.port], routes: TO_API, ...parts });
      await server.put(world({}));

      using directory = disposableDirectory();
      const file = join(directory.path, 'bootstrap.yaml');
      const yaml = bootstrap({ proxyId: NODE, service: 'web', variant, xdsPort: server.adsPort });
      writeFileSync(file, yaml + stringify({ admin: adminOnAnyPort }));
      await using sidecar = weft(['sidecar', '--bootstrap', file, '--no-state', '--concurrency', '1'], NO_TRACES);
      await sidecar.said(/admin on (http:\S+)/);
      expect((await ask({ port: listenPort })).origin.instance).toBe('first');

      const load = new Load({ port: listenPort });
      const only = (instance: string) => until(`traffic on ${instance} alone`, () => answeredOnlyBy(load, instance));
      // An endpoint change.
      await server.put(world({ apiPorts: [second.port] }));
      await only('second');

      // A route change.
      await server.put(world({ apiPorts: [second.port], routes: [ECHO_ROUTE, ...TO_API] }));
      const echoed = await until('the new route', async () => {
        const answer = await ask({ port: listenPort, path: '/echo' });
        return answer.status === 201 ? answer : undefined;
      });
      expect(echoed.text).toBe('hello from the route');

      // A bad route is refused by name and the good one stays, while the endpoints of the same snapshot take effect.
      await server.put(world({ apiPorts: [first.port], routes: [BAD_ROUTE, ...TO_API] }));
      await only('first');
      const refusal = await until('the refusal', async () =>
        (await server.answers()).find(({ error }) => error !== ''),
      );
      expect(refusal.variant).toBe(variant === 'GRPC' ? 'sotw' : 'delta');
      expect(refusal.typeUrl).toBe('type.googleapis.com/envoy.config.route.v3.RouteConfiguration');
      expect(refusal.error).toMatch(/^local_route: virtual_hosts\[0\]\.routes\[0\]\.match\.safe_regex/);
      expect((await ask({ port: listenPort, path: '/echo' })).status).toBe(201);

      // The server is gone: what runs, runs on. It comes back with other endpoints: they are taken.
      await server.crash();
      await load.more(REQUESTS);
      await server.start();
      await server.put(world({ apiPorts: [second.port] }));
      await only('second');
      await until('the route of the new server', async () =>
        (await ask({ port: listenPort, path: '/echo' })).status === 200 ? true : undefined,
      );
      await load.stop();
      expect(load.failures).toEqual([]);
      const errors = (await server.answers()).map(({ error }) => error).filter((error) => error !== '');
      expect(errors).toEqual([]);
    },
  );
});

const NO_TRACES = { OTEL_TRACES_EXPORTER: 'none' };
const adminOnAnyPort = { address: { socket_address: { address: '127.0.0.1', port_value: 0 } } };

const ECHO_ROUTE = {
  match: { path: '/echo' },
  direct_response: { status: 201, body: { inline_string: 'hello from the route' } },
};
const BAD_ROUTE = { match: { safe_regex: { regex: '(' } }, route: { cluster: 'api' } };
const TO_API = [{ match: { prefix: '/' }, route: { cluster: 'api' } }];

interface World {
  readonly listenPort: number;
  readonly apiPorts: readonly number[];
  readonly routes: readonly object[];
}

function snapshot({ listenPort, apiPorts, routes }: World): GoSnapshot {
  const overAds = { ads: {}, resource_api_version: 'V3' };
  const manager = {
    '@type': 'type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager',
    stat_prefix: 'ingress',
    rds: { route_config_name: 'local_route', config_source: overAds },
    http_filters: [
      {
        name: 'envoy.filters.http.router',
        typed_config: { '@type': 'type.googleapis.com/envoy.extensions.filters.http.router.v3.Router' },
      },
    ],
  };
  return {
    clusters: [{ name: 'api', type: 'EDS', connect_timeout: '1s', eds_cluster_config: { eds_config: overAds } }],
    endpoints: [
      {
        cluster_name: 'api',
        endpoints: [{ lb_endpoints: apiPorts.map((port) => ({ endpoint: { address: loopback(port) } })) }],
      },
    ],
    listeners: [
      {
        name: 'ingress',
        address: loopback(listenPort),
        filter_chains: [
          { filters: [{ name: 'envoy.filters.network.http_connection_manager', typed_config: manager }] },
        ],
      },
    ],
    routes: [{ name: 'local_route', virtual_hosts: [{ name: 'all', domains: ['*'], routes }] }],
  };
}

function loopback(port: number): object {
  return { socket_address: { address: '127.0.0.1', port_value: port } };
}

async function answeredOnlyBy(load: Load, instance: string): Promise<true | undefined> {
  const others = (): number =>
    [...load.byInstance].filter(([name]) => name !== instance).reduce((sum, [, count]) => sum + count, 0);
  const before = others();
  await load.more(REQUESTS);
  return others() === before ? true : undefined;
}

function disposable<T extends { stop(): Promise<void> }>(origin: T): T & AsyncDisposable {
  return Object.assign(origin, { [Symbol.asyncDispose]: () => origin.stop() });
}

function disposableDirectory(): Disposable & { readonly path: string } {
  const directory = makeTempDirectory('go-control-plane');
  return { path: directory.path, [Symbol.dispose]: () => directory.remove() };
}
