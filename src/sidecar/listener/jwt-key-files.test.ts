import { type CryptoKey, exportJWK, generateKeyPair, SignJWT } from 'jose';
import { afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { FilteredPath, type Json, managerOf } from './http-filter-fixture.ts';

const PATH = '/keys/jwks.json';

interface Signer {
  readonly key: CryptoKey;
  /** The content of a file of its keys. */
  readonly file: string;
}

let filtered: FilteredPath;
let first: Signer;
let second: Signer;

async function signer(): Promise<Signer> {
  const pair = await generateKeyPair('ES256');
  return { key: pair.privateKey, file: JSON.stringify({ keys: [await exportJWK(pair.publicKey)] }) };
}

beforeAll(async () => {
  first = await signer();
  second = await signer();
});

beforeEach(async () => {
  filtered = await FilteredPath.open();
});

afterEach(() => filtered.close());

async function serve(provider: Json = {}): Promise<void> {
  const providers = { p: { localJwks: { filename: PATH }, ...provider } };
  const rules = [{ match: { prefix: '/' }, requires: { providerName: 'p' } }];
  await filtered.serve(managerOf([['jwt_authn.v3.JwtAuthentication', { providers, rules }]]));
}

async function tokenOf({ key }: Signer): Promise<string> {
  return new SignJWT({ sub: 'alice' }).setProtectedHeader({ alg: 'ES256' }).sign(key);
}

async function answer(token: string): Promise<string> {
  return (await filtered.exchange(`GET / HTTP/1.1\r\nhost: web\r\nauthorization: Bearer ${token}`)).got;
}

it('keys of a file verify like any others, and others take their place when it changes', async () => {
  filtered.path.tlsMaterials.setFile(PATH, first.file);
  await serve();
  const [old, renewed] = [await tokenOf(first), await tokenOf(second)];
  expect(await answer(old)).toContain('200 OK');
  expect(await answer(renewed)).toContain('Jwt verification fails');
  filtered.path.tlsMaterials.setFile(PATH, second.file);
  expect(await answer(old)).toContain('Jwt verification fails');
  expect(await answer(renewed)).toContain('200 OK');
});

it('a token that is remembered is verified anew by other keys', async () => {
  filtered.path.tlsMaterials.setFile(PATH, first.file);
  await serve({ jwtCacheConfig: { jwtCacheSize: 10 } });
  const token = await tokenOf(first);
  expect(await answer(token)).toContain('200 OK');
  expect(await answer(token)).toContain('200 OK');
  expect(filtered.path.counter('http', 'ingress', 'jwt_authn.jwt_cache_hit')).toBe(1);
  filtered.path.tlsMaterials.setFile(PATH, second.file);
  expect(await answer(token)).toContain('Jwt verification fails');
});

it.each(['{"keys":[]}', '{', ''])('what is no key set leaves the keys before in force: %j', async (bad) => {
  filtered.path.tlsMaterials.setFile(PATH, first.file);
  await serve();
  const token = await tokenOf(first);
  expect(await answer(token)).toContain('200 OK');
  filtered.path.tlsMaterials.setFile(PATH, bad);
  expect(await answer(token)).toContain('200 OK');
});

it('before the file is there nobody passes', async () => {
  await serve();
  const token = await tokenOf(first);
  expect(await answer(token)).toMatch(/^HTTP\/1\.1 401 [\s\S]*Jwks doesn't have any valid public key$/);
  filtered.path.tlsMaterials.setFile(PATH, first.file);
  expect(await answer(token)).toContain('200 OK');
});
