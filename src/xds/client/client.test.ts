import { status } from '@grpc/grpc-js';
import { afterEach, expect, test, vi } from 'vitest';
import { seededRandom } from '../../base/random.ts';
import type { Decoded } from '../../resource/fault.ts';
import {
  CLUSTER_TYPE as CDS,
  CLUSTER_LOAD_ASSIGNMENT_TYPE as EDS,
  LISTENER_TYPE as LDS,
  ROUTE_CONFIGURATION_TYPE as RDS,
} from '../../resource/type-url.ts';
import { eventually } from '../fakes/eventually.ts';
import { MemorySource, namedResource } from '../fakes/memory-source.ts';
import { nodeIdentity } from '../fakes/raw-ads-client.ts';
import { ScriptedAdsServer } from '../fakes/scripted-ads-server.ts';
import { startXdsServer, type XdsServer } from '../server/server.ts';
import { firstStringField } from '../wire.ts';
import { type ResourceUpdate, XdsClient, type XdsClientOptions } from './client.ts';

const stops: (() => unknown)[] = [];

afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});

/** Decodes to the name; a name that begins with "bad" has two faults. */
function decode(_typeUrl: string, message: Buffer): Decoded<string> {
  const name = firstStringField(message) ?? '';
  if (name === 'throws') throw new Error('boom');
  if (!name.startsWith('bad')) return { ok: true, value: name };
  const faults = [
    { field: 'a.b', message: 'is wrong' },
    { field: 'c', message: 'is missing' },
  ];
  return { ok: false, faults };
}

interface Running {
  readonly client: XdsClient<string>;
  /** Every update as `type +changed -removed`. */
  readonly updates: string[];
}

function run(servers: readonly { port: number }[], options: Partial<XdsClientOptions<string>> = {}): Running {
  const updates: string[] = [];
  const client = new XdsClient<string>({
    servers: servers.map(({ port }) => ({ host: '127.0.0.1', port })),
    node: nodeIdentity('web-1').node,
    isDelta: false,
    userAgentVersion: '0',
    decode,
    random: seededRandom(1),
    backoff: { baseMs: 10, factor: 1.6, maxMs: 50 },
    ...options,
    onUpdate: (update: ResourceUpdate<string>) => {
      const { typeUrl, changed, removed } = update;
      const marks = [...changed.map(({ name }) => `+${name}`), ...removed.map((name) => `-${name}`)];
      updates.push(`${typeUrl.split('.').at(-1)} ${marks.join(' ')}`);
      options.onUpdate?.(update);
    },
  });
  stops.push(() => client.stop());
  client.setSubscription(CDS, 'everything');
  return { client, updates };
}

async function scripted(port = 0): Promise<ScriptedAdsServer> {
  const server = await ScriptedAdsServer.start(port);
  stops.push(() => server.stop());
  return server;
}

async function serving(source: MemorySource, port = 0): Promise<XdsServer> {
  const server = await startXdsServer({ source, host: '127.0.0.1', port });
  stops.push(() => server.stop());
  return server;
}

const variants = [
  ['sotw', false],
  ['delta', true],
] as const;

test.each(variants)('%s: follows the server through additions, changes and removals', async (_name, isDelta) => {
  const source = new MemorySource();
  const { client, updates } = run([await serving(source)], { isDelta });
  source.set([namedResource(CDS, 'a', '1'), namedResource(CDS, 'b', '1')]);
  client.start();
  await eventually(() => updates).toEqual(['Cluster +a +b']);
  source.set([namedResource(CDS, 'a', '2'), namedResource(CDS, 'b', '1')]);
  await eventually(() => updates.at(-1)).toBe('Cluster +a');
  source.set([namedResource(CDS, 'b', '1')]);
  await eventually(() => updates.at(-1)).toBe('Cluster -a');
  expect([...client.resources(CDS).keys()]).toEqual(['b']);
  expect(client.state.kind).toBe('streaming');
});

test.each(variants)(
  '%s: a fault refuses that resource alone, names every fault, and keeps its last good version',
  async (_name, isDelta) => {
    const source = new MemorySource();
    const server = await serving(source);
    source.set([namedResource(CDS, 'good', '1')]);
    const rejected: string[] = [];
    const { client, updates } = run([server], {
      isDelta,
      onRejected: (_type, _version, faults) => rejected.push(...faults),
    });
    client.start();
    await eventually(() => updates).toEqual(['Cluster +good']);
    source.set([namedResource(CDS, 'good', '2'), namedResource(CDS, 'bad', '1'), namedResource(CDS, 'throws', '1')]);
    await eventually(() => server.state.counters.rejected).toBe(1);
    expect(updates.at(-1)).toBe('Cluster +good');
    const detail = server.state.streams()[0]?.types[0]?.rejected?.detail;
    expect(detail).toContain('bad: a.b: is wrong; c: is missing');
    expect(detail).toContain('throws: (message): cannot be decoded: boom');
    expect(rejected).toHaveLength(2);
    expect(
      client
        .view()
        .types.find(({ typeUrl }) => typeUrl === CDS)
        ?.rejected.map(({ name }) => name)
        .sort(),
    ).toEqual(['bad', 'throws']);
  },
);

test.each(variants)(
  '%s: subscriptions that follow from an update reach the server before its answer',
  async (_name, isDelta) => {
    const source = new MemorySource();
    source.set([namedResource(CDS, 'web', '1'), namedResource(EDS, 'web', '1'), namedResource(LDS, 'in', '1')]);
    const server = await serving(source);
    const { client, updates } = run([server], {
      isDelta,
      onUpdate: ({ typeUrl, changed }) => {
        if (typeUrl === CDS) client.setSubscription(EDS, new Set(changed.map(({ name }) => name)));
      },
    });
    client.setSubscription(LDS, 'everything');
    client.start();
    await eventually(() => updates).toHaveLength(3);
    expect(updates).toEqual(['Cluster +web', 'ClusterLoadAssignment +web', 'Listener +in']);
  },
);

test('SotW: what is unchanged in a complete response is not decoded again', async () => {
  const source = new MemorySource();
  const spy = vi.fn(decode);
  const { client, updates } = run([await serving(source)], { decode: spy });
  source.set([namedResource(CDS, 'a', '1'), namedResource(CDS, 'bad', '1')]);
  client.start();
  await eventually(() => updates).toHaveLength(1);
  source.set([namedResource(CDS, 'a', '1'), namedResource(CDS, 'bad', '1'), namedResource(CDS, 'c', '1')]);
  await eventually(() => updates).toHaveLength(2);
  expect(spy).toHaveBeenCalledTimes(3);
  expect(client.view().counters.rejected).toBe(2);
});

test('SotW: the node goes out once, an ACK carries version and nonce, a NACK the last good version and the reason', async () => {
  const server = await scripted();
  const { client } = run([server]);
  client.start();
  const first = await server.nextSotw();
  expect(first).toMatchObject({
    typeUrl: CDS,
    versionInfo: '',
    responseNonce: '',
    resourceNames: [],
    node: { id: 'web-1' },
  });
  server.sendSotw({ typeUrl: CDS, version: 'v1', nonce: 'n1', resources: [namedResource(CDS, 'a', '1')] });
  expect(await server.nextSotw()).toMatchObject({
    versionInfo: 'v1',
    responseNonce: 'n1',
    node: undefined,
    errorDetail: undefined,
  });
  server.sendSotw({ typeUrl: CDS, version: 'v2', nonce: 'n2', resources: [namedResource(CDS, 'bad', '1')] });
  expect(await server.nextSotw()).toMatchObject({
    versionInfo: 'v1',
    responseNonce: 'n2',
    errorDetail: 'bad: a.b: is wrong; c: is missing',
  });
});

test('SotW: duplicates, foreign types and nameless resources are refused, and a nameless one deletes nothing', async () => {
  const server = await scripted();
  const { client, updates } = run([server]);
  client.start();
  await server.nextSotw();
  server.sendSotw({ typeUrl: CDS, version: 'v1', nonce: 'n1', resources: [namedResource(CDS, 'a', '1')] });
  await server.nextSotw();
  const resources = [
    namedResource(CDS, 'b', '1'),
    namedResource(CDS, 'b', '2'),
    namedResource(LDS, 'c', '1'),
    namedResource(CDS, '', '1'),
  ];
  server.sendSotw({ typeUrl: CDS, version: 'v2', nonce: 'n2', resources });
  const { errorDetail } = await server.nextSotw();
  expect(errorDetail).toContain('b: more than one resource');
  expect(errorDetail).toContain(`c: type_url: is ${LDS} in a response of ${CDS}`);
  expect(errorDetail).toContain('resources[3]: has no name');
  expect(updates).toEqual(['Cluster +a', 'Cluster +b']);
  expect([...client.resources(CDS).keys()].sort()).toEqual(['a', 'b']);
});

test('delta: a new stream says what is held, so that only differences come', async () => {
  const source = new MemorySource();
  source.set([namedResource(CDS, 'same', '1'), namedResource(CDS, 'old', '1')]);
  const first = await serving(source);
  const { client, updates } = run([first], { isDelta: true });
  client.start();
  await eventually(() => updates).toEqual(['Cluster +same +old']);
  await first.stop();
  source.set([namedResource(CDS, 'same', '1'), namedResource(CDS, 'new', '1')]);
  const second = await serving(source, first.port);
  await eventually(() => updates).toEqual(['Cluster +same +old', 'Cluster +new', 'Cluster -old']);
  expect(second.state.counters.resourcesSent).toBe(1);
});

test('names: changes of the subscription go out as the variant wants them', async () => {
  const server = await scripted();
  const { client } = run([server], { isDelta: true });
  client.setSubscription(RDS, new Set(['r1', 'r2']));
  client.start();
  const [initial, routes] = [await server.nextDelta(), await server.nextDelta()];
  expect([initial.typeUrl, initial.subscribe]).toEqual([CDS, []]);
  expect([routes.typeUrl, routes.subscribe]).toEqual([RDS, ['r1', 'r2']]);
  client.setSubscription(RDS, new Set(['r2', 'r3']));
  expect(await server.nextDelta()).toMatchObject({ subscribe: ['r3'], unsubscribe: ['r1'], node: undefined });
  client.setSubscription(RDS, new Set(['r3', 'r2']));
  client.setSubscription(RDS, new Set());
  expect(await server.nextDelta()).toMatchObject({ subscribe: [], unsubscribe: ['r2', 'r3'] });
});

test('a name that never comes is told as not existing, once', async () => {
  const server = await scripted();
  const absent: string[] = [];
  const onDoesNotExist = (_type: string, name: string): void => void absent.push(name);
  const { client } = run([server], { onDoesNotExist, doesNotExistTimeoutMs: 30 });
  client.setSubscription(RDS, new Set(['nowhere']));
  client.start();
  await server.nextSotw();
  await server.nextSotw();
  await eventually(() => absent).toEqual(['nowhere']);
  expect(client.view().counters.absent).toBe(1);
});

test('SotW: a name whose return the server missed, because its requests crossed a response, is asked for anew', async () => {
  const server = await scripted();
  const { client, updates } = run([server], { doesNotExistTimeoutMs: 500 });
  client.setSubscription(RDS, new Set(['a', 'b']));
  client.start();
  await server.nextSotw();
  expect(await server.nextSotw()).toMatchObject({ resourceNames: ['a', 'b'] });
  server.sendSotw({ typeUrl: RDS, nonce: 'n1', resources: [namedResource(RDS, 'b', '1')] });
  await server.nextSotw();
  expect(await server.nextSotw()).toMatchObject({ resourceNames: ['b'], responseNonce: 'n1' });
  expect(await server.nextSotw()).toMatchObject({ resourceNames: ['a', 'b'], responseNonce: 'n1' });
  server.sendSotw({ typeUrl: RDS, nonce: 'n2', resources: [namedResource(RDS, 'a', '1')] });
  await eventually(() => updates).toEqual(['RouteConfiguration +b', 'RouteConfiguration +a']);
});

test('delta: a name that the server says is not there is told at once', async () => {
  const source = new MemorySource();
  source.set([]);
  const absent: string[] = [];
  const { client } = run([await serving(source)], {
    isDelta: true,
    onDoesNotExist: (_type, name) => absent.push(name),
  });
  client.setSubscription(EDS, new Set(['nowhere']));
  client.start();
  await eventually(() => absent).toEqual(['nowhere']);
});

test('failover: the next server is asked at once, what is held stays, and the first is returned to when it is back', async () => {
  const source = new MemorySource();
  source.set([namedResource(CDS, 'a', '1')]);
  const first = await serving(source);
  const second = await serving(source);
  const { client, updates } = run([first, second], { isDelta: true, returnIntervalMs: 20 });
  client.start();
  await eventually(() => client.state).toMatchObject({ kind: 'streaming', server: { port: first.port } });
  await first.stop();
  await eventually(() => client.state).toMatchObject({ kind: 'streaming', server: { port: second.port } });
  expect([...client.resources(CDS).keys()]).toEqual(['a']);
  await serving(source, first.port);
  await eventually(() => client.state).toMatchObject({ kind: 'streaming', server: { port: first.port } });
  source.set([namedResource(CDS, 'a', '2')]);
  await eventually(() => updates).toEqual(['Cluster +a', 'Cluster +a']);
  await eventually(() => second.state.streams()).toHaveLength(0);
  expect(client.view().counters).toMatchObject({ returns: 1 });
});

test('failover: a server that accepts and stays mute is left for the next', async () => {
  const mute = await scripted();
  const source = new MemorySource();
  source.set([namedResource(CDS, 'a', '1')]);
  const { client, updates } = run([mute, await serving(source)], { firstResponseTimeoutMs: 200 });
  client.start();
  await eventually(() => updates).toEqual(['Cluster +a']);
  expect(client.view().lastError).toContain('no response within 200 ms');
});

test('no server at all: it waits, says why, keeps what it holds, and comes back by itself', async () => {
  const server = await scripted();
  const { client } = run([server]);
  client.start();
  await server.nextSotw();
  server.sendSotw({ typeUrl: CDS, resources: [namedResource(CDS, 'a', '1')] });
  await server.nextSotw();
  server.endStreams(status.NOT_FOUND, 'no service "web-1" is registered');
  await eventually(() => client.view().lastError).toContain('NOT_FOUND: no service "web-1" is registered');
  expect(await server.nextSotw()).toMatchObject({ typeUrl: CDS, node: { id: 'web-1' }, responseNonce: '' });
  server.stop();
  await eventually(() => client.state.kind).toBe('waiting');
  expect([...client.resources(CDS).keys()]).toEqual(['a']);
  const again = await scripted(server.port);
  expect(await again.nextSotw()).toMatchObject({ typeUrl: CDS });
});

test('hostile: bytes that are no response cost that stream only', async () => {
  const server = await scripted();
  const { client } = run([server]);
  client.start();
  await server.nextSotw();
  server.sendRaw(Buffer.from([0x0a, 0xff, 0xff]));
  expect(await server.nextSotw()).toMatchObject({ node: { id: 'web-1' } });
  expect(server.streamsOpened).toBe(2);
  expect(client.view().lastError).toContain('no discovery response');
});

test('a config of an earlier run is in force before any server answers, and resumes at the server', async () => {
  const source = new MemorySource();
  source.set([namedResource(CDS, 'web', '1'), namedResource(EDS, 'web', '1')]);
  const server = await serving(source);
  const follow = (running: () => Running) => ({
    isDelta: true,
    onUpdate: ({ typeUrl, changed }: ResourceUpdate<string>) => {
      if (typeUrl === CDS) running().client.setSubscription(EDS, new Set(changed.map(({ name }) => name)));
    },
  });
  const before: Running = run(
    [server],
    follow(() => before),
  );
  before.client.start();
  await eventually(() => before.updates).toHaveLength(2);
  const saved = before.client.lastGood();
  before.client.stop();
  const sent = server.state.counters.resourcesSent;

  const after: Running = run(
    [server],
    follow(() => after),
  );
  const broken = { name: 'bad', version: '1', message: namedResource(CDS, 'bad', '1').any };
  const types = new Map(saved.types).set(CDS, [
    ...(saved.types.get(CDS) ?? []),
    { ...broken, message: Buffer.from('\x0a\x03bad') },
  ]);
  expect(after.client.restore({ ...saved, types })).toEqual(['bad: a.b: is wrong; c: is missing']);
  expect(after.updates).toEqual(['Cluster +web', 'ClusterLoadAssignment +web']);
  after.client.start();
  await eventually(() => after.client.view().counters.acknowledged).toBe(2);
  expect(server.state.counters.resourcesSent).toBe(sent);
  expect(after.updates).toHaveLength(2);
});

test('a config of an earlier run may be taken before anything is subscribed, and the first subscription drops what it does not name', () => {
  const { client, updates } = run([{ port: 1 }]);
  const resource = (name: string) => ({ name, version: '1', message: Buffer.from(`\x0a\x01${name}`) });
  const types = new Map([[EDS, [resource('a'), resource('b')]]]);
  expect(client.restore({ nodeId: 'web-1', types })).toEqual([]);
  expect(updates).toEqual(['ClusterLoadAssignment +a +b']);
  client.setSubscription(EDS, new Set(['b', 'c']));
  expect([...client.resources(EDS).keys()]).toEqual(['b']);
});

test.each(variants)(
  '%s: a server is shown the metadata that the bootstrap has for it, on every stream',
  async (_name, isDelta) => {
    const server = await scripted();
    const initialMetadata = [['x-consul-token', 'secret']] as const;
    const { client } = run([], { isDelta, servers: [{ host: '127.0.0.1', port: server.port, initialMetadata }] });
    client.start();
    await eventually(() => server.tokens).toEqual(['secret']);
    server.endStreams();
    await eventually(() => server.tokens).toEqual(['secret', 'secret']);
  },
);

test.each([false, true])(
  'deletions may be ignored (delta %s): what is held stays, and a newer version still counts',
  async (isDelta) => {
    const source = new MemorySource();
    source.set([namedResource(CDS, 'web', '1'), namedResource(CDS, 'api', '1')]);
    const server = await startXdsServer({ source, host: '127.0.0.1', port: 0 });
    stops.push(() => server.stop());
    const { client, updates } = run([server], { isDelta, ignoresDeletion: true });
    client.start();
    await eventually(() => client.resources(CDS).size).toBe(2);
    source.set([]);
    await eventually(() => client.view().counters.deletionsIgnored).toBeGreaterThanOrEqual(2);
    expect([...client.resources(CDS).keys()].sort()).toEqual(['api', 'web']);
    source.set([namedResource(CDS, 'web', '2')]);
    await eventually(() => client.resources(CDS).get('web')?.message.includes('2')).toBe(true);
    expect(updates.join(' ')).not.toContain('-');
  },
);

test('a server that sends again at once what was refused is not answered at once', async () => {
  const server = await scripted();
  run([server], { isDelta: true }).client.start();
  await server.nextDelta();
  const bad = { typeUrl: CDS, resources: [namedResource(CDS, 'bad', '1')] };
  server.sendDelta({ ...bad, nonce: 'n1' });
  const refusal = 'bad: a.b: is wrong; c: is missing';
  expect(await server.nextDelta()).toMatchObject({ responseNonce: 'n1', errorDetail: refusal });
  server.sendDelta({ ...bad, nonce: 'n2' });
  server.sendDelta({ typeUrl: EDS, nonce: 'e1' });
  // Another type is answered while the same refusal waits; the next response of its own type does not overtake it.
  expect(await server.nextDelta()).toMatchObject({ responseNonce: 'e1' });
  server.sendDelta({ typeUrl: CDS, resources: [namedResource(CDS, 'good', '1')], nonce: 'n3' });
  expect(await server.nextDelta()).toMatchObject({ responseNonce: 'n2', errorDetail: refusal });
  expect(await server.nextDelta()).toMatchObject({ responseNonce: 'n3', errorDetail: undefined });
});
