import { Client, credentials, Server, ServerCredentials } from '@grpc/grpc-js';
import { register } from '@grpc/grpc-js-xds';
import { afterEach, expect, test, vi } from 'vitest';
import { buildMessage } from '../../resource/strict-builder.ts';
import {
  CLUSTER_TYPE as CDS,
  CLUSTER_LOAD_ASSIGNMENT_TYPE as EDS,
  LISTENER_TYPE as LDS,
  ROUTE_CONFIGURATION_TYPE as RDS,
} from '../../resource/type-url.ts';
import { type EncodedResource, encodedResource } from '../encoded-resource.ts';
import { eventually } from '../fakes/eventually.ts';
import { MemorySource } from '../fakes/memory-source.ts';
import { startXdsServer } from './server.ts';

const stops: (() => unknown)[] = [];

afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});

const METHOD = '/test.Echo/Say';
const asIs = (bytes: Buffer): Buffer => bytes;
const ADS = { ads: {}, resource_api_version: 'V3' };

/** A gRPC server that answers with its own name. */
async function backend(name: string): Promise<number> {
  const server = new Server();
  server.register(
    METHOD,
    (_call: unknown, done: (error: null, answer: Buffer) => void) => done(null, Buffer.from(name)),
    asIs,
    asIs,
    'unary',
  );
  stops.push(() => server.forceShutdown());
  return new Promise((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) =>
      error === null ? resolve(port) : reject(error),
    );
  });
}

function resource(typeUrl: string, name: string, json: Readonly<Record<string, unknown>>): EncodedResource {
  const built = buildMessage(typeUrl.slice(typeUrl.indexOf('/') + 1), json);
  if (!built.ok) throw new Error(JSON.stringify(built.faults));
  return encodedResource({ typeUrl, name, version: JSON.stringify(json), message: Buffer.from(built.value) });
}

/** Everything a proxyless client needs to call `echo` at these ports. */
function mesh(routeTimeout: string, ports: readonly number[]): EncodedResource[] {
  const manager = {
    '@type': 'type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager',
    rds: { config_source: ADS, route_config_name: 'echo-route' },
    http_filters: [
      {
        name: 'router',
        typed_config: { '@type': 'type.googleapis.com/envoy.extensions.filters.http.router.v3.Router' },
      },
    ],
  };
  const lbEndpoints = ports.map((port) => ({
    endpoint: { address: { socket_address: { address: '127.0.0.1', port_value: port } } },
    health_status: 'HEALTHY',
  }));
  return [
    resource(LDS, 'echo', { name: 'echo', api_listener: { api_listener: manager } }),
    resource(RDS, 'echo-route', {
      name: 'echo-route',
      virtual_hosts: [
        {
          name: 'echo',
          domains: ['*'],
          routes: [{ match: { prefix: '' }, route: { cluster: 'echo-cluster', timeout: routeTimeout } }],
        },
      ],
    }),
    resource(CDS, 'echo-cluster', {
      name: 'echo-cluster',
      type: 'EDS',
      eds_cluster_config: { eds_config: ADS },
      lb_policy: 'ROUND_ROBIN',
    }),
    resource(EDS, 'echo-cluster', {
      cluster_name: 'echo-cluster',
      endpoints: [{ locality: { region: 'r' }, load_balancing_weight: 1, lb_endpoints: lbEndpoints }],
    }),
  ];
}

function say(client: Client): Promise<string> {
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest(
      METHOD,
      asIs,
      asIs,
      Buffer.from('x'),
      { deadline: Date.now() + 10_000 },
      (error, answer) => {
        if (error === null) resolve(String(answer));
        else reject(error);
      },
    );
  });
}

test('a proxyless gRPC client of another make is driven by this server: it calls, follows changes, and accepts everything', async () => {
  const source = new MemorySource();
  const server = await startXdsServer({ source, host: '127.0.0.1', port: 0 });
  stops.push(() => server.stop());
  const [one, two] = [await backend('one'), await backend('two')];
  source.set(mesh('10s', [one]));
  const bootstrap = {
    xds_servers: [{ server_uri: `127.0.0.1:${server.port}`, channel_creds: [{ type: 'insecure' }] }],
    node: { id: 'proxyless-1', cluster: 'test', locality: {} },
  };
  vi.stubEnv('GRPC_XDS_BOOTSTRAP_CONFIG', JSON.stringify(bootstrap));
  stops.push(() => vi.unstubAllEnvs());
  register();
  const client = new Client('xds:///echo', credentials.createInsecure());
  stops.push(() => client.close());
  expect(await say(client)).toBe('one');

  source.set(mesh('10s', [two]));
  await eventually(() => say(client)).toBe('two');
  source.set(mesh('9s', [one, two]));
  const heard = new Set<string>();
  await eventually(async () => heard.add(await say(client)).size).toBe(2);

  expect(source.opened[0]).toMatchObject({ id: 'proxyless-1' });
  expect(server.state.counters.rejected).toBe(0);
  await eventually(() => server.state.streams()[0]?.types.map(({ sync }) => sync)).toEqual([
    'synced',
    'synced',
    'synced',
    'synced',
  ]);
});
