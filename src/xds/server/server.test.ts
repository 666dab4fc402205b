import { status } from '@grpc/grpc-js';
import { afterEach, beforeEach, expect, test } from 'vitest';
import {
  CLUSTER_TYPE as CDS,
  CLUSTER_LOAD_ASSIGNMENT_TYPE as EDS,
  LISTENER_TYPE as LDS,
  ROUTE_CONFIGURATION_TYPE as RDS,
} from '../../resource/type-url.ts';
import type { DiscoveryResponse } from '../discovery-codec.ts';
import { discoveryMethods } from '../discovery-services.ts';
import { eventually } from '../fakes/eventually.ts';
import { MemorySource, namedResource } from '../fakes/memory-source.ts';
import { RawAdsClient } from '../fakes/raw-ads-client.ts';
import { firstStringField } from '../wire.ts';
import { DEFAULT_STREAM_LIMITS, startXdsServer, type XdsServer } from './server.ts';

let source: MemorySource;
let server: XdsServer;
const clients: RawAdsClient[] = [];

beforeEach(async () => {
  source = new MemorySource();
  server = await startXdsServer({
    source,
    host: '127.0.0.1',
    port: 0,
    limits: { ...DEFAULT_STREAM_LIMITS, maxNames: 50 },
  });
});

afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  await server.stop();
});

function connect(variant: 'sotw' | 'delta', nodeId?: string): RawAdsClient {
  const client = new RawAdsClient(server.port, variant, nodeId);
  clients.push(client);
  return client;
}

const names = (response: DiscoveryResponse): string[] =>
  response.resources.map((resource) => firstStringField(resource.message) ?? '?').sort();

const ack = (client: RawAdsClient, response: DiscoveryResponse, resourceNames: string[] = []): void =>
  client.sotw({
    typeUrl: response.typeUrl,
    versionInfo: response.version,
    responseNonce: response.nonce,
    resourceNames,
  });

const nackDelta = (client: RawAdsClient, { typeUrl, nonce }: DiscoveryResponse): void =>
  client.delta({ typeUrl, responseNonce: nonce, errorDetail: 'no' });

test('a SotW stream: the node is told, a wildcard is answered, the ACK is seen', async () => {
  source.set([namedResource(CDS, 'web', '1'), namedResource(CDS, 'api', '1')]);
  const client = connect('sotw', 'web-1-sidecar-proxy');
  client.sotw({ typeUrl: CDS });
  const response = await client.next();
  expect(names(response)).toEqual(['api', 'web']);
  expect(source.opened[0]).toMatchObject({
    id: 'web-1-sidecar-proxy',
    metadata: { tier: 'test' },
    userAgentName: 'raw',
  });
  ack(client, response);
  client.sotw({ typeUrl: LDS });
  await client.next();
  const [stream] = server.state.streams();
  expect(stream?.types[0]).toMatchObject({ typeUrl: CDS, sync: 'synced', acknowledgedVersion: response.version });
  expect(server.state.counters).toMatchObject({ acknowledged: 1, rejected: 0, responses: 2 });
});

test('a stream that connects before there is a snapshot is answered when there is one', async () => {
  const client = connect('sotw');
  client.sotw({ typeUrl: CDS });
  await eventually(() => source.openCount).toBe(1);
  source.set([namedResource(CDS, 'web', '1')]);
  expect(names(await client.next())).toEqual(['web']);
});

test('a NACK is shown with its reason, and what was refused is sent again only when it has changed', async () => {
  source.set([namedResource(RDS, 'web', '1'), namedResource(RDS, 'api', '1')]);
  const client = connect('sotw');
  client.sotw({ typeUrl: RDS, resourceNames: ['web', 'api'] });
  const first = await client.next();
  client.sotw({
    typeUrl: RDS,
    resourceNames: ['web', 'api'],
    responseNonce: first.nonce,
    errorDetail: 'web: bad regex',
  });
  await eventually(() => server.state.counters.rejected).toBe(1);
  expect(server.state.streams()[0]?.types[0]?.rejected).toEqual({ version: first.version, detail: 'web: bad regex' });
  source.set([namedResource(RDS, 'web', '1'), namedResource(RDS, 'api', '2')]);
  expect(names(await client.next())).toEqual(['api']);
});

test('clusters come before endpoints, listeners and routes, each after the answer to the one before; removals come last', async () => {
  const client = connect('sotw');
  const versioned = (version: string, cluster: string) => [
    namedResource(RDS, 'route', version),
    namedResource(LDS, 'listener', version),
    namedResource(EDS, cluster, version),
    namedResource(CDS, cluster, version),
  ];
  client.sotw({ typeUrl: CDS });
  client.sotw({ typeUrl: LDS });
  client.sotw({ typeUrl: EDS, resourceNames: ['old', 'new'] });
  client.sotw({ typeUrl: RDS, resourceNames: ['route'] });
  await eventually(() => server.state.counters.requests).toBe(4);
  const order: string[] = [];
  const drain = async (count: number): Promise<void> => {
    for (let index = 0; index < count; index += 1) {
      const response = await client.next();
      order.push(`${response.typeUrl.split('.').at(-1)} ${names(response).join('+')}`);
      const named = response.typeUrl === EDS ? ['old', 'new'] : response.typeUrl === RDS ? ['route'] : [];
      ack(client, response, named);
    }
  };
  source.set(versioned('1', 'old'));
  await drain(4);
  source.set(versioned('2', 'new'));
  await drain(5);
  expect(order).toEqual([
    'Cluster old',
    'ClusterLoadAssignment old',
    'Listener listener',
    'RouteConfiguration route',
    'Cluster new+old',
    'ClusterLoadAssignment new',
    'Listener listener',
    'RouteConfiguration route',
    'Cluster new',
  ]);
});

test('endpoints of a changed cluster are sent again though they did not change', async () => {
  source.set([namedResource(CDS, 'web', '1'), namedResource(EDS, 'web', '1')]);
  const client = connect('sotw');
  client.sotw({ typeUrl: CDS });
  ack(client, await client.next());
  client.sotw({ typeUrl: EDS, resourceNames: ['web'] });
  ack(client, await client.next(), ['web']);
  source.set([namedResource(CDS, 'web', '2'), namedResource(EDS, 'web', '1')]);
  const clusters = await client.next();
  expect(clusters.typeUrl).toBe(CDS);
  ack(client, clusters);
  const endpoints = await client.next();
  expect([endpoints.typeUrl, ...names(endpoints)]).toEqual([EDS, 'web']);
});

test('clusters that a refused route update would leave are kept until a route is accepted', async () => {
  source.set([namedResource(CDS, 'old', '1'), namedResource(RDS, 'route', '1')]);
  const client = connect('delta');
  client.delta({ typeUrl: CDS });
  client.delta({ typeUrl: RDS, subscribe: ['route'] });
  const ackDelta = ({ typeUrl, nonce }: DiscoveryResponse) => client.delta({ typeUrl, responseNonce: nonce });
  ackDelta(await client.next());
  ackDelta(await client.next());
  await eventually(() => server.state.counters.acknowledged).toBe(2);
  source.set([namedResource(CDS, 'new', '1'), namedResource(RDS, 'route', '2')]);
  ackDelta(await client.next());
  nackDelta(client, await client.next());
  await eventually(() => server.state.counters.rejected).toBe(1);
  expect(client.untaken).toBe(0);
  source.set([namedResource(CDS, 'new', '1'), namedResource(RDS, 'route', '3')]);
  ackDelta(await client.next());
  expect((await client.next()).removedNames).toEqual(['old']);
});

test('bursts while a response is unanswered merge into one response with the latest state', async () => {
  source.set([namedResource(EDS, 'web', '1')]);
  const client = connect('delta');
  client.delta({ typeUrl: EDS, subscribe: ['web'] });
  const first = await client.next();
  for (let version = 2; version <= 50; version += 1) source.set([namedResource(EDS, 'web', String(version))]);
  client.delta({ typeUrl: EDS, responseNonce: first.nonce });
  expect((await client.next()).resources[0]?.version).toBe('50');
  expect(server.state.counters.responses).toBe(2);
});

test('delta: a reconnect with versions gets only what differs, and what is gone as removed', async () => {
  source.set([namedResource(CDS, 'same', '1'), namedResource(CDS, 'changed', '2')]);
  const client = connect('delta');
  const initialResourceVersions = new Map([
    ['same', '1'],
    ['changed', '1'],
    ['gone', '1'],
  ]);
  client.delta({ typeUrl: CDS, initialResourceVersions });
  const response = await client.next();
  expect(names(response)).toEqual(['changed']);
  client.delta({ typeUrl: CDS, responseNonce: response.nonce });
  expect((await client.next()).removedNames).toEqual(['gone']);
});

test('delta: a name that does not exist is answered as removed at once', async () => {
  source.set([]);
  const client = connect('delta');
  client.delta({ typeUrl: RDS, subscribe: ['nowhere'] });
  expect((await client.next()).removedNames).toEqual(['nowhere']);
});

test('an unknown type is answered empty and leaves the stream alone', async () => {
  source.set([namedResource(CDS, 'web', '1')]);
  const client = connect('sotw');
  client.sotw({ typeUrl: 'type.googleapis.com/example.Unknown', resourceNames: ['x'] });
  expect((await client.next()).resources).toEqual([]);
  client.sotw({ typeUrl: CDS });
  expect(names(await client.next())).toEqual(['web']);
  expect(server.state.counters.unknownTypeRequests).toBe(1);
});

test('a node that the source refuses gets its reason as a status', async () => {
  source.refuse({ kind: 'not-found', message: 'no service "ghost" is registered; register it or fix node.id' });
  const client = connect('delta', 'ghost');
  client.delta({ typeUrl: CDS });
  expect(await client.status).toMatchObject({ code: status.NOT_FOUND, details: expect.stringContaining('"ghost"') });
  await eventually(() => source.openCount).toBe(0);
});

test.each([
  ['a first request without a node', { typeUrl: CDS }, '', status.INVALID_ARGUMENT, 'node.id'],
  ['no type on an aggregated stream', { typeUrl: '' }, 'n', status.INVALID_ARGUMENT, 'type_url'],
  [
    'a name longer than any',
    { typeUrl: EDS, resourceNames: ['x'.repeat(5000)] },
    'n',
    status.INVALID_ARGUMENT,
    'resource_names',
  ],
  [
    'more names than served',
    { typeUrl: EDS, resourceNames: Array.from({ length: 51 }, (_, i) => `${i}`) },
    'n',
    status.INVALID_ARGUMENT,
    '51 names',
  ],
])('hostile: %s ends that stream alone, with the field named', async (_title, request, nodeId, code, text) => {
  source.set([namedResource(CDS, 'web', '1')]);
  const bystander = connect('sotw');
  bystander.sotw({ typeUrl: CDS });
  ack(bystander, await bystander.next());
  const client = connect('sotw', nodeId);
  client.sotw(request);
  expect(await client.status).toMatchObject({ code, details: expect.stringContaining(text) });
  source.set([namedResource(CDS, 'web', '2')]);
  expect(names(await bystander.next())).toEqual(['web']);
  expect(server.state.streams()).toHaveLength(1);
});

test('hostile: bytes that are no request end their stream with a clear status', async () => {
  const client = connect('sotw');
  client.raw(Buffer.from([0x0a, 0xff, 0xff, 0xff]));
  expect(await client.status).toMatchObject({ code: status.INVALID_ARGUMENT });
});

test('hostile: too many types or streams are refused by name', async () => {
  const client = connect('sotw');
  for (let index = 0; index <= DEFAULT_STREAM_LIMITS.maxTypes; index += 1)
    client.sotw({ typeUrl: `example/T${index}` });
  expect(await client.status).toMatchObject({ code: status.RESOURCE_EXHAUSTED });
  const small = await startXdsServer({ source, host: '127.0.0.1', port: 0, maxStreams: 1 });
  const [first, second] = [new RawAdsClient(small.port, 'sotw'), new RawAdsClient(small.port, 'sotw')];
  clients.push(first, second);
  expect(await Promise.race([first.status, second.status])).toMatchObject({ code: status.RESOURCE_EXHAUSTED });
  await small.stop();
});

test('a per-type service serves its type, with or without a type URL in the request', async () => {
  source.set([namedResource(CDS, 'web', '1'), namedResource(EDS, 'web', '1')]);
  const method = discoveryMethods().find(({ onlyType, variant }) => onlyType === CDS && variant === 'sotw');
  const client = new RawAdsClient(server.port, 'sotw', 'n', method?.definition);
  clients.push(client);
  client.sotw({ typeUrl: '' });
  expect(names(await client.next())).toEqual(['web']);
  client.sotw({ typeUrl: EDS });
  expect(await client.status).toMatchObject({
    code: status.INVALID_ARGUMENT,
    details: expect.stringContaining('only'),
  });
});

test('stopping tells clients to go elsewhere', async () => {
  source.set([]);
  const client = connect('sotw');
  client.sotw({ typeUrl: CDS });
  await client.next();
  await server.stop();
  expect(await client.status).toMatchObject({ code: status.UNAVAILABLE });
  expect(source.openCount).toBe(0);
});
