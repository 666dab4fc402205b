import { once } from 'node:events';
import http from 'node:http';
import { type CryptoKey, exportJWK, generateKeyPair, SignJWT } from 'jose';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { httpListener } from '../../../test/support/resources.ts';
import { clustersOf } from '../config/references.ts';
import { FilteredPath, type Json, managerOf } from './http-filter-fixture.ts';

const TYPE = 'jwt_authn.v3.JwtAuthentication';

let filtered: FilteredPath;
let server: http.Server;
let key: CryptoKey;
let asked: string[] = [];
let reply: (response: http.ServerResponse) => void;

beforeEach(async () => {
  const pair = await generateKeyPair('ES256');
  key = pair.privateKey;
  const text = JSON.stringify({ keys: [await exportJWK(pair.publicKey)] });
  asked = [];
  reply = (response) => void response.end(text);
  server = http.createServer((request, response) => {
    asked.push(`${request.headers.host ?? ''}${request.url ?? ''}`);
    reply(response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  filtered = await FilteredPath.open();
  filtered.path.addCluster('keys', [typeof address === 'object' && address !== null ? address.port : 0]);
});

afterEach(() => {
  filtered.close();
  server.closeAllConnections();
  server.close();
});

function config(json: Json = {}, cluster = 'keys'): Json {
  const httpUri = { uri: 'https://issuer.test/keys?v=1', cluster, timeout: '5s', ...json };
  const provider = { remoteJwks: { httpUri, cacheDuration: '600s' } };
  return { providers: { p: provider }, rules: [{ match: { prefix: '/' }, requires: { providerName: 'p' } }] };
}

async function answer(signedBy = key): Promise<string> {
  const token = await new SignJWT({ sub: 'alice' }).setProtectedHeader({ alg: 'ES256' }).sign(signedBy);
  return (await filtered.exchange(`GET / HTTP/1.1\r\nhost: web\r\nauthorization: Bearer ${token}`)).got;
}

const count = (name: string): number => filtered.path.counter('http', 'ingress', `jwt_authn.${name}`);

it('keys are fetched once for all requests, and verify like any others', async () => {
  await filtered.serve(managerOf([[TYPE, config()]]));
  expect(await answer()).toContain('200 OK');
  expect(await answer()).toContain('200 OK');
  expect(await answer((await generateKeyPair('ES256')).privateKey)).toContain('Jwt verification fails');
  expect(asked).toEqual(['issuer.test/keys?v=1']);
  expect([count('jwks_fetch_success'), count('jwks_fetch_failed')]).toEqual([1, 0]);
});

it('without keys nobody passes, and whoever has them is not asked for each request', async () => {
  reply = (response) => void response.writeHead(500).end();
  await filtered.serve(managerOf([[TYPE, config()]]));
  expect(await answer()).toMatch(/^HTTP\/1\.1 401 [\s\S]*Jwks remote fetch is failed$/);
  expect(await answer()).toContain('401');
  expect(asked.length).toBe(1);
  expect(count('jwks_fetch_failed')).toBe(1);
});

it.each([
  ['that are no key set', (response: http.ServerResponse): void => void response.end('{"keys":[]}')],
  ['that never come', (): void => undefined],
  ['of a server that hangs up', (response: http.ServerResponse): void => void response.destroy()],
])('keys %s are no keys', async (_what, badReply) => {
  reply = badReply;
  await filtered.serve(managerOf([[TYPE, config({ timeout: '0.05s' })]]));
  expect(await answer()).toContain('Jwks remote fetch is failed');
});

it('keys of a cluster that is not there are no keys', async () => {
  await filtered.serve(managerOf([[TYPE, config({}, 'gone')]]));
  expect(await answer()).toContain('Jwks remote fetch is failed');
});

it('the cluster of the keys is one that the listener needs', () => {
  expect(clustersOf(httpListener('in', managerOf([[TYPE, config()]])), new Map())).toContain('keys');
});
