import { afterEach, beforeEach, expect, test } from 'vitest';
import { seededRandom } from '../../base/random.ts';
import type { Decoded } from '../../resource/fault.ts';
import { CLUSTER_TYPE as CDS } from '../../resource/type-url.ts';
import { heartbeatOf } from '../encoded-resource.ts';
import { eventually } from '../fakes/eventually.ts';
import { namedResource } from '../fakes/memory-source.ts';
import { nodeIdentity } from '../fakes/raw-ads-client.ts';
import { ScriptedAdsServer } from '../fakes/scripted-ads-server.ts';
import { firstStringField } from '../wire.ts';
import { XdsClient, type XdsClientOptions } from './client.ts';

const TTL_MS = 30;

let server: ScriptedAdsServer;
let client: XdsClient<string>;
let updates: string[];

beforeEach(async () => {
  server = await ScriptedAdsServer.start();
  updates = [];
});

afterEach(() => {
  client.stop();
  server.stop();
});

function decode(_typeUrl: string, message: Buffer): Decoded<string> {
  return { ok: true, value: firstStringField(message) ?? '' };
}

function start(options: Partial<XdsClientOptions<string>> = {}): void {
  client = new XdsClient<string>({
    servers: [{ host: '127.0.0.1', port: server.port }],
    node: nodeIdentity('web-1').node,
    isDelta: true,
    userAgentVersion: '0',
    decode,
    random: seededRandom(1),
    backoff: { baseMs: 10, factor: 1.6, maxMs: 50 },
    onUpdate: ({ changed, removed }) => {
      updates.push([...changed.map(({ name }) => `+${name}`), ...removed.map((name) => `-${name}`)].join(' '));
    },
    ...options,
  });
  client.setSubscription(CDS, 'everything');
  client.start();
}

test.each([true, false])('what is not renewed is taken away, and the rest stays (delta %s)', async (isDelta) => {
  const lapsed: string[] = [];
  start({ isDelta, onLapsed: (_type, names) => lapsed.push(...names) });
  const first = isDelta ? await server.nextDelta() : await server.nextSotw();
  expect(first.node?.clientFeatures).toContain('xds.config.supports-resource-ttl');
  const resources = [namedResource(CDS, 'mortal', '1', TTL_MS), namedResource(CDS, 'immortal', '1')];
  if (isDelta) server.sendDelta({ typeUrl: CDS, resources });
  else server.sendSotw({ typeUrl: CDS, resources, canUnwrap: true });
  await eventually(() => updates).toEqual(['+mortal +immortal', '-mortal']);
  expect([...client.resources(CDS).keys()]).toEqual(['immortal']);
  expect([lapsed, client.view().counters.resourcesLapsed]).toEqual([['mortal'], 1]);
});

test('without any server time goes on', async () => {
  start();
  await server.nextDelta();
  server.sendDelta({ typeUrl: CDS, resources: [namedResource(CDS, 'mortal', '1', 200)] });
  await server.nextDelta();
  server.stop();
  await eventually(() => updates).toEqual(['+mortal', '-mortal']);
  expect(client.state.kind).not.toBe('streaming');
});

test('a heartbeat after the end asks for the content anew, on a stream that does not claim to hold it', async () => {
  start();
  await server.nextDelta();
  const mortal = namedResource(CDS, 'mortal', '1', TTL_MS);
  server.sendDelta({ typeUrl: CDS, resources: [mortal] });
  await server.nextDelta();
  await eventually(() => updates).toEqual(['+mortal', '-mortal']);
  server.sendDelta({ typeUrl: CDS, resources: [heartbeatOf(mortal)] });
  const again = await server.nextDelta();
  expect([again.node?.id, again.initialResourceVersions.size, server.streamsOpened]).toEqual(['web-1', 0, 2]);
  server.sendDelta({ typeUrl: CDS, resources: [namedResource(CDS, 'mortal', '1')] });
  await eventually(() => updates.at(-1)).toBe('+mortal');
});

test('where deletions are ignored, so is the end of a time to live', async () => {
  start({ ignoresDeletion: true });
  await server.nextDelta();
  server.sendDelta({ typeUrl: CDS, resources: [namedResource(CDS, 'mortal', '1', TTL_MS)] });
  await eventually(() => client.view().counters.deletionsIgnored).toBe(1);
  expect([updates, [...client.resources(CDS).keys()]]).toEqual([['+mortal'], ['mortal']]);
});

test('a config of an earlier run is given its time to live once more, and no longer', async () => {
  start();
  await server.nextDelta();
  server.sendDelta({
    typeUrl: CDS,
    resources: [namedResource(CDS, 'mortal', '1', TTL_MS), namedResource(CDS, 'x', '1')],
  });
  await server.nextDelta();
  const types = new Map([
    [CDS, [{ name: 'mortal', version: '1', message: Buffer.from('\x0a\x06mortal'), ttlMs: TTL_MS }]],
  ]);
  client.stop();
  updates = [];
  start({ servers: [{ host: '127.0.0.1', port: 1 }] });
  client.restore({ nodeId: 'web-1', types });
  await eventually(() => updates).toEqual(['+mortal', '-mortal']);
});
