import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { type Pair, TestAuthority } from '../../test/support/certificates.ts';
import { EMPTY_TLS_CONTEXT, type UpstreamTlsContext } from '../resource/transport-socket.ts';
import { CLUSTER_TYPE as CDS } from '../resource/type-url.ts';
import { XdsClient } from './client/client.ts';
import { eventually } from './fakes/eventually.ts';
import { MemorySource, namedResource } from './fakes/memory-source.ts';
import { nodeIdentity } from './fakes/raw-ads-client.ts';
import { startXdsServer, type TlsMaterial, type XdsServer } from './server/server.ts';

let authority: TestAuthority;
let other: TestAuthority;
let serverPair: Pair;
let clientPair: Pair;
let folder: string;

beforeAll(async () => {
  authority = await TestAuthority.create();
  other = await TestAuthority.create('Another Root');
  serverPair = await authority.issue({ names: [{ type: 'ip', value: '127.0.0.1' }] });
  clientPair = await authority.issue({
    names: [{ type: 'url', value: 'spiffe://mesh.test/ns/default/dc/dc1/svc/web' }],
  });
  folder = mkdtempSync(join(tmpdir(), 'weft-xds-tls-'));
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

let source: MemorySource;
let material: TlsMaterial;
let tlsFaults: string[];
let server: XdsServer;
const clients: XdsClient<string>[] = [];

beforeEach(async () => {
  source = new MemorySource();
  source.set([namedResource(CDS, 'web', '1')]);
  tlsFaults = [];
  material = toMaterial(serverPair);
  server = await startXdsServer({
    source,
    host: '127.0.0.1',
    port: 0,
    tls: () => material,
    onTlsFault: (message) => tlsFaults.push(message),
  });
});

afterEach(async () => {
  for (const client of clients.splice(0)) client.stop();
  await server.stop();
});

function toMaterial(pair: Pair): TlsMaterial {
  return {
    certificatePem: pair.certificatePem,
    privateKeyPem: pair.keyPem,
    clientCaPem: authority.certificatePem,
  };
}

function file(name: string, text: string): { readonly kind: 'file'; readonly path: string } {
  const path = join(folder, name);
  writeFileSync(path, text);
  return { kind: 'file', path };
}

function tls(pair: Pair | undefined, ca: TestAuthority, host = '127.0.0.1'): UpstreamTlsContext {
  const certificates =
    pair === undefined
      ? []
      : [{ certificateChain: file('client.pem', pair.certificatePem), privateKey: file('client.key', pair.keyPem) }];
  const name = { sanType: 'ip', matcher: { kind: 'exact', value: host, ignoreCase: false } } as const;
  const validation = { trustedCa: file('ca.pem', ca.certificatePem), matchSubjectAltNames: [name] };
  return { kind: 'upstreamTls', sni: '', common: { ...EMPTY_TLS_CONTEXT, certificates, validation } };
}

function connect(transportSocket: UpstreamTlsContext | undefined): { client: XdsClient<string>; errors: string[] } {
  const errors: string[] = [];
  const client = new XdsClient<string>({
    servers: [{ host: '127.0.0.1', port: server.port, ...(transportSocket === undefined ? {} : { transportSocket }) }],
    node: nodeIdentity('web-1').node,
    isDelta: true,
    userAgentVersion: '0',
    decode: () => ({ ok: true, value: '' }),
    onUpdate: () => {},
    onState: (_state, lastError) => errors.push(lastError),
    backoff: { baseMs: 20, factor: 1.2, maxMs: 50 },
  });
  client.setSubscription(CDS, 'everything');
  client.start();
  clients.push(client);
  return { client, errors };
}

test('both ends prove who they are, and the server is told the names of the certificate', async () => {
  const { client } = connect(tls(clientPair, authority));
  await eventually(() => [...client.resources(CDS).keys()]).toEqual(['web']);
  expect(source.opened[0]?.certifiedUris).toEqual(['spiffe://mesh.test/ns/default/dc/dc1/svc/web']);
});

test.each<[string, () => UpstreamTlsContext | undefined, RegExp]>([
  ['plaintext', () => undefined, /UNAVAILABLE/],
  ['no client certificate', () => tls(undefined, authority), /UNAVAILABLE/],
  ['a server of another authority', () => tls(clientPair, other), /UNAVAILABLE.*(certificate|issuer)/i],
  ['a server of another name', () => tls(clientPair, authority, '127.0.0.9'), /none of the peer's names/],
  [
    'a file that is not there',
    () => {
      const made = tls(clientPair, authority);
      const validation = { trustedCa: { kind: 'file', path: join(folder, 'gone') } as const, matchSubjectAltNames: [] };
      return { ...made, common: { ...made.common, validation } };
    },
    /ENOENT/,
  ],
])('%s: no stream, and the reason is told', async (_title, transportSocket, reason) => {
  const { errors } = connect(transportSocket());
  await eventually(() => errors.join('\n')).toMatch(reason);
  expect(source.opened).toEqual([]);
});

test('renewed certificates count from the next connection on; those that do not belong together change nothing', async () => {
  const first = connect(tls(clientPair, authority));
  await eventually(() => first.client.resources(CDS).size).toBe(1);
  const renewed = await other.issue({ names: [{ type: 'ip', value: '127.0.0.1' }] });
  material = { ...toMaterial(serverPair), privateKeyPem: renewed.keyPem };
  await eventually(() => tlsFaults.length).toBeGreaterThan(0);
  const second = connect(tls(clientPair, authority));
  await eventually(() => second.client.resources(CDS).size).toBe(1);
  material = toMaterial(renewed);
  // Tries until the server has looked at its certificates again.
  const third = connect(tls(clientPair, other));
  await eventually(() => third.client.resources(CDS).size).toBe(1);
  source.set([namedResource(CDS, 'web', '2')]);
  await eventually(() => first.client.resources(CDS).get('web')?.version).toBe('2');
});
