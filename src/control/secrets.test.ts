import { X509Certificate } from 'node:crypto';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { protoJson } from '../resource/proto-json.ts';
import { CLUSTER_TYPE as CDS, SECRET_TYPE } from '../resource/type-url.ts';
import type { DiscoveryResponse } from '../xds/discovery-codec.ts';
import { eventually } from '../xds/fakes/eventually.ts';
import { RawAdsClient } from '../xds/fakes/raw-ads-client.ts';
import type { RunningControl } from './control.ts';
import { Mesh } from './testing/mesh.ts';

let mesh: Mesh;
let control: RunningControl;
const clients: RawAdsClient[] = [];

beforeEach(async () => {
  mesh = await Mesh.start();
  await mesh.register('web', 8001);
  control = await mesh.control();
});

afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  await mesh.stop();
});

function connect(nodeId = 'web-8001-sidecar-proxy'): RawAdsClient {
  const client = new RawAdsClient(control.xdsPort, 'delta', nodeId);
  clients.push(client);
  return client;
}

interface SecretJson {
  readonly name: string;
  readonly tlsCertificate?: {
    readonly certificateChain: { readonly inlineString: string };
    readonly privateKey: { readonly inlineString: string };
  };
  readonly validationContext?: { readonly trustedCa: { readonly inlineString: string } };
}

/** Secrets as they come, until all of these names have; each response is accepted. */
async function secrets(client: RawAdsClient, ...names: readonly string[]): Promise<ReadonlyMap<string, SecretJson>> {
  const had = new Map<string, SecretJson>();
  while (!names.every((name) => had.has(name))) {
    const response: DiscoveryResponse = await client.next();
    client.delta({ typeUrl: response.typeUrl, responseNonce: response.nonce });
    expect(response.typeUrl).toBe(SECRET_TYPE);
    expect(response.removedNames).toEqual([]);
    for (const { message } of response.resources) {
      const secret = protoJson('envoy.extensions.transport_sockets.tls.v3.Secret', message) as SecretJson;
      had.set(secret.name, secret);
    }
  }
  return had;
}

test("a sidecar that asks is given its service's certificate with its key, and the roots that signed it", async () => {
  const client = connect();
  client.delta({ typeUrl: SECRET_TYPE, subscribe: ['default', 'ROOTCA'] });
  const had = await secrets(client, 'default', 'ROOTCA');
  const { certificateChain, privateKey } = had.get('default')?.tlsCertificate ?? {};
  const leaf = new X509Certificate(certificateChain?.inlineString ?? '');
  const root = new X509Certificate(had.get('ROOTCA')?.validationContext?.trustedCa.inlineString ?? '');
  expect(leaf.subjectAltName).toMatch(/^URI:spiffe:\/\/[^/]+\/ns\/default\/dc\/dc1\/svc\/web$/);
  expect(leaf.verify(root.publicKey)).toBe(true);
  expect(privateKey?.inlineString).toContain('PRIVATE KEY');
});

test('a new root and the leaf under it come by themselves', async () => {
  const client = connect();
  client.delta({ typeUrl: SECRET_TYPE, subscribe: ['default', 'ROOTCA'] });
  const before = await secrets(client, 'default', 'ROOTCA');
  await mesh.put('/v1/connect/ca/configuration', {
    Provider: 'consul',
    Config: { PrivateKeyType: 'ec', PrivateKeyBits: 384 },
  });
  const after = await secrets(client, 'default', 'ROOTCA');
  expect(after.get('default')?.tlsCertificate).not.toEqual(before.get('default')?.tlsCertificate);
  const roots = after.get('ROOTCA')?.validationContext?.trustedCa.inlineString ?? '';
  expect(roots.match(/BEGIN CERTIFICATE/g)?.length).toBeGreaterThan(1);
});

test('nothing is issued before it is asked for, and no key is in a log, a page, a metric or a status', async () => {
  const client = connect();
  client.delta({ typeUrl: CDS });
  const clusters = await client.next();
  client.delta({ typeUrl: CDS, responseNonce: clusters.nonce });
  const watches = async (): Promise<string> => JSON.stringify(await overview());
  expect(await watches()).not.toContain('connect ca leaf');
  client.delta({ typeUrl: SECRET_TYPE, subscribe: ['default'] });
  const key = (await secrets(client, 'default')).get('default')?.tlsCertificate?.privateKey.inlineString ?? '';
  const secretLine = key.split('\n')[1] ?? '';
  expect(secretLine.length).toBeGreaterThan(20);
  const base = `http://127.0.0.1:${control.consolePort}`;
  for (const path of ['/', '/api/overview', '/api/proxies/web-8001-sidecar-proxy', '/metrics']) {
    expect(await (await fetch(base + path)).text()).not.toContain(secretLine);
  }
  expect(mesh.logLines.join('\n')).not.toContain(secretLine);
  expect(await watches()).toContain('connect ca leaf web');
});

test('names that are no secret of a sidecar do not exist, and a stream that ends lets its watch go', async () => {
  const client = connect();
  client.delta({ typeUrl: SECRET_TYPE, subscribe: ['default', 'leaf of api'] });
  const responses: DiscoveryResponse[] = [];
  while (!responses.some(({ resources }) => resources.length > 0)) {
    const response = await client.next();
    client.delta({ typeUrl: response.typeUrl, responseNonce: response.nonce });
    responses.push(response);
  }
  expect(responses.flatMap(({ removedNames }) => removedNames)).toEqual(['leaf of api']);
  client.close();
  await eventually(async () => {
    const { consul } = await overview();
    return consul.watches.find(({ key }) => key === 'connect ca leaf web')?.subscribers;
  }).toBe(0);
});

interface OverviewJson {
  readonly consul: { readonly watches: readonly { readonly key: string; readonly subscribers: number }[] };
}

async function overview(): Promise<OverviewJson> {
  const response = await fetch(`http://127.0.0.1:${control.consolePort}/api/overview`);
  return (await response.json()) as OverviewJson;
}
