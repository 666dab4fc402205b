import { connect as connectSocket, type Socket } from 'node:net';
import { status } from '@grpc/grpc-js';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { CLUSTER_TYPE as CDS, CLUSTER_LOAD_ASSIGNMENT_TYPE as EDS } from '../../resource/type-url.ts';
import { eventually } from '../fakes/eventually.ts';
import { MemorySource, namedResource } from '../fakes/memory-source.ts';
import { RawAdsClient } from '../fakes/raw-ads-client.ts';
import { DEFAULT_STREAM_LIMITS, startXdsServer, type XdsServer } from './server.ts';

let source: MemorySource;
let server: XdsServer;
const clients: RawAdsClient[] = [];
const sockets: Socket[] = [];

beforeEach(async () => {
  source = new MemorySource();
  source.set([namedResource(CDS, 'web', '1')]);
  server = await startXdsServer({ source, host: '127.0.0.1', port: 0, maxConnections: 20, maxFirstStates: 4 });
});

afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  for (const socket of sockets.splice(0)) socket.destroy();
  await server.stop();
});

function connect(variant: 'sotw' | 'delta', nodeId = 'node'): RawAdsClient {
  const client = new RawAdsClient(server.port, variant, nodeId);
  clients.push(client);
  return client;
}

/** Somebody else, who is served as if nothing were the matter. */
async function expectBystanderServed(): Promise<void> {
  const bystander = connect('delta', 'bystander');
  bystander.delta({ typeUrl: CDS });
  expect((await bystander.next()).resources[0]?.name).toBe('web');
}

test('names that are each allowed and too long together end the stream', async () => {
  const client = connect('delta');
  const name = (index: number): string => `${index}`.padEnd(2_000, 'x');
  for (let from = 0; from < 5_000; from += 1_000) {
    client.delta({ typeUrl: EDS, subscribe: Array.from({ length: 1_000 }, (_, index) => name(from + index)) });
  }
  const { code, details } = await client.status;
  expect(code).toBe(status.RESOURCE_EXHAUSTED);
  expect(details).toContain(`at most ${DEFAULT_STREAM_LIMITS.maxNameCharacters} together`);
  await expectBystanderServed();
});

test('names that come a few at a time, and never an end, end the stream at the bound', async () => {
  const client = connect('delta');
  for (let from = 0; from <= DEFAULT_STREAM_LIMITS.maxNames; from += 20_000) {
    client.delta({ typeUrl: EDS, subscribe: Array.from({ length: 20_000 }, (_, index) => `n${from + index}`) });
  }
  client.delta({ typeUrl: EDS, subscribe: ['one more'] });
  expect(await client.status).toMatchObject({ code: status.RESOURCE_EXHAUSTED });
  await expectBystanderServed();
});

test('a request larger than any is refused before it is read whole', async () => {
  const client = connect('sotw');
  client.raw(Buffer.alloc(9 * 1024 * 1024));
  expect(await client.status).toMatchObject({ code: status.RESOURCE_EXHAUSTED });
  await expectBystanderServed();
});

test('a flood of stale answers is read at a pace, and changes nothing', async () => {
  const client = connect('sotw', 'flood');
  client.sotw({ typeUrl: CDS });
  await client.next();
  const { maxRequestsPerSecond } = DEFAULT_STREAM_LIMITS;
  for (let index = 0; index < maxRequestsPerSecond * 2; index += 1) {
    client.sotw({ typeUrl: CDS, responseNonce: 'never sent', versionInfo: 'x' });
  }
  await expectBystanderServed();
  // The pause ends by itself: all of them are read in the end.
  await eventually(() => server.state.counters.staleNonces).toBe(maxRequestsPerSecond * 2);
  expect(server.state.counters.responses).toBe(2);
});

test('a client that never reads is sent what its window takes, and the rest of the world goes on', async () => {
  const large = 'x'.repeat(1024 * 1024);
  const resources = (version: number) =>
    Array.from({ length: 4 }, (_, index) => namedResource(EDS, `e${index}`, `${version}${large}`));
  source.set([namedResource(CDS, 'web', '1'), ...resources(0)]);
  const client = connect('delta', 'deaf');
  client.pauseReading();
  client.delta({ typeUrl: EDS, subscribe: ['e0', 'e1', 'e2', 'e3'] });
  await eventually(() => server.state.counters.responses).toBe(1);
  const before = server.state.counters.responseBytes;
  for (let version = 1; version < 50; version += 1) source.set([namedResource(CDS, 'web', '1'), ...resources(version)]);
  await expectBystanderServed();
  // Only the bystander was sent anything: what happened meanwhile is one snapshot, not fifty.
  expect(server.state.counters.responseBytes - before).toBeLessThan(10_000);
});

test('connections beyond the bound are closed unread and counted, and those there are stay', async () => {
  await expectBystanderServed();
  for (let index = 0; index < 25; index += 1) {
    const socket = connectSocket(server.port, '127.0.0.1');
    socket.on('error', () => {});
    sockets.push(socket);
  }
  await eventually(() => server.state.counters.connectionsDropped).toBe(6);
  source.set([namedResource(CDS, 'web', '2')]);
  const [bystander] = clients;
  bystander?.delta({ typeUrl: EDS, subscribe: ['gone'] });
  expect(server.state.streams()).toHaveLength(1);
});

test('a herd is given its first states a few at a time, and all of it in the end', async () => {
  const herd = Array.from({ length: 15 }, (_, index) => connect('delta', `p${index}`));
  for (const client of herd) client.delta({ typeUrl: CDS });
  await eventually(() => server.state.admission).toMatchObject({ admitted: 4, waiting: 11 });
  expect(source.openCount).toBe(4);
  // Those that wait are let in as the others answer, go, or take too long.
  for (const client of herd) {
    void client.next().then(({ typeUrl, nonce }) => client.delta({ typeUrl, responseNonce: nonce }));
  }
  await eventually(() => source.openCount).toBe(15);
  await eventually(() => server.state.admission).toMatchObject({ admitted: 0, waiting: 0 });
});
