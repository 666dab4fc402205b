import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { protoJson } from '../resource/proto-json.ts';
import {
  CLUSTER_TYPE as CDS,
  CLUSTER_LOAD_ASSIGNMENT_TYPE as EDS,
  LISTENER_TYPE as LDS,
  ROUTE_CONFIGURATION_TYPE as RDS,
} from '../resource/type-url.ts';
import { encodeDeltaRequest, encodeSotwRequest } from '../xds/discovery-codec.ts';
import { eventually } from '../xds/fakes/eventually.ts';
import { RawAdsClient } from '../xds/fakes/raw-ads-client.ts';
import type { RunningControl } from './control.ts';
import { Mesh } from './testing/mesh.ts';

let mesh: Mesh;
let control: RunningControl;
const clients: RawAdsClient[] = [];

beforeEach(async () => {
  mesh = await Mesh.start();
  await mesh.put('/v1/config', { Kind: 'proxy-defaults', Name: 'global', Config: { protocol: 'grpc' } });
  control = await mesh.control();
});

afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  asked.clear();
  await mesh.stop();
});

const identity = {
  node: { id: 'nobody', cluster: '', locality: { region: '', zone: '', subZone: '' }, metadata: {} },
  userAgentName: 'gRPC of a test',
  userAgentVersion: '1',
};

/** A stream of a gRPC client, which says who it is with the first of these questions. */
function connect(...questions: readonly (readonly [typeUrl: string, ...names: string[]])[]): RawAdsClient {
  const client = new RawAdsClient(control.xdsPort, 'sotw', identity.node.id);
  clients.push(client);
  questions.forEach(([typeUrl, ...resourceNames], at) => {
    asked.set(typeUrl, resourceNames);
    const request = { typeUrl, versionInfo: '', resourceNames, responseNonce: '', errorDetail: undefined };
    client.raw(encodeSotwRequest(request, at === 0 ? identity : undefined));
  });
  return client;
}

type Asked = readonly [type: string, ...texts: readonly string[]];

/** The next response as its type and, of each resource, the text that says most: its name, or its endpoints' ports. */
async function taken(client: RawAdsClient): Promise<Asked> {
  const { typeUrl, resources, nonce, version } = await client.next();
  client.sotw({ typeUrl, versionInfo: version, responseNonce: nonce, resourceNames: asked.get(typeUrl) ?? [] });
  const texts = resources.map(({ message }) => {
    const json = protoJson(typeUrl.slice('type.googleapis.com/'.length), message) as { name?: string };
    return json.name ?? [...JSON.stringify(json).matchAll(/"portValue":(\d+)/g)].map(([, port]) => port).join(' ');
  });
  return [typeUrl, ...texts];
}

/** What `connect` asked for, which a SotW client repeats with each answer. */
const asked = new Map<string, readonly string[]>();

async function watches(): Promise<ReadonlyMap<string, number>> {
  const response = await fetch(`http://127.0.0.1:${control.consolePort}/api/overview`);
  const { consul } = (await response.json()) as {
    readonly consul: { readonly watches: readonly { readonly key: string; readonly subscribers: number }[] };
  };
  return new Map(consul.watches.map(({ key, subscribers }) => [key, subscribers]));
}

async function trustDomain(): Promise<string> {
  const response = await fetch(`${mesh.registry.url}/v1/connect/ca/roots`);
  return ((await response.json()) as { readonly TrustDomain: string }).TrustDomain;
}

describe('gRPC clients', () => {
  test('are told of a service by its name, known to nobody, and of each change of its endpoints', async () => {
    await mesh.register('echo', 8081);
    const cluster = `echo.default.dc1.internal.${await trustDomain()}`;
    const client = connect([LDS, 'echo'], [RDS, 'echo'], [CDS, cluster], [EDS, cluster]);
    const seen: Asked[] = [];
    const has = (typeUrl: string, text: string): boolean =>
      seen.some(([type, first]) => type === typeUrl && first === text);
    while (!(has(RDS, 'echo') && has(EDS, '18081'))) seen.push(await taken(client));
    expect(seen.filter(([typeUrl]) => typeUrl !== EDS)).toEqual([
      [CDS, cluster],
      [LDS, 'echo'],
      [RDS, 'echo'],
    ]);
    let ports: string | undefined;
    await mesh.register('echo', 8082);
    while (ports !== '18081 18082') [, ports] = await taken(client);
  });

  test('that come back and ask for clusters first are never told that one is gone', async () => {
    const cluster = `echo.default.dc1.internal.${await trustDomain()}`;
    const client = connect([CDS, cluster]);
    expect(await taken(client)).toEqual([CDS, cluster]);
  });

  test('get nothing for a name that is no service, and start no watch with it', async () => {
    const client = connect([LDS, 'grpc/server?xds.resource.listening_address=0.0.0.0:1', 'echo']);
    expect(await taken(client)).toEqual([LDS, 'echo']);
    await eventually(async () => [...(await watches()).keys()].filter((key) => key.startsWith('health'))).toEqual([
      'health echo dc=dc1',
    ]);
    client.close();
    await eventually(async () => (await watches()).get('health echo dc=dc1')).toBe(0);
  });

  test('are told at once that a strict mesh lets nobody in without a certificate', async () => {
    const strict = await mesh.control({ mutualTls: 'strict' });
    await mesh.register('echo', 8081);
    const client = new RawAdsClient(strict.xdsPort, 'delta', identity.node.id);
    clients.push(client);
    const question = { typeUrl: LDS, subscribe: ['echo'], unsubscribe: [], initialResourceVersions: new Map() };
    client.raw(encodeDeltaRequest({ ...question, responseNonce: '', errorDetail: undefined }, identity));
    const { removedNames, resources } = await client.next();
    expect([removedNames, resources]).toEqual([['echo'], []]);
    const response = await fetch(`http://127.0.0.1:${strict.consolePort}/api/overview`);
    expect(await response.text()).toContain('gRPC clients without a sidecar have no certificate of the mesh');
  });
});
