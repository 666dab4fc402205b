import { type CryptoKey, exportJWK, generateKeyPair, SignJWT } from 'jose';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { FilteredPath, type Json, managerOf } from './http-filter-fixture.ts';

const TYPE = 'jwt_authn.v3.JwtAuthentication';
const ISSUER = 'https://issuer.test';
const GET = 'GET / HTTP/1.1\r\nhost: web';

let filtered: FilteredPath;
let key: CryptoKey;
let otherKey: CryptoKey;
let jwks: Json;

beforeAll(async () => {
  const pair = await generateKeyPair('ES256');
  key = pair.privateKey;
  otherKey = (await generateKeyPair('ES256')).privateKey;
  jwks = { keys: [{ ...(await exportJWK(pair.publicKey)), kid: 'one', alg: 'ES256' }] };
});

beforeEach(async () => {
  filtered = await FilteredPath.open();
});

afterEach(() => filtered.close());

const nowSeconds = (): number => Math.floor(Date.now() / 1_000);

function token(claims: Json = {}, signedBy = key, kid = 'one'): Promise<string> {
  const payload = { iss: ISSUER, sub: 'alice', aud: 'web', exp: nowSeconds() + 3_600, ...claims };
  return new SignJWT(payload).setProtectedHeader({ alg: 'ES256', kid }).sign(signedBy);
}

function provider(json: Json = {}): Json {
  return { issuer: ISSUER, localJwks: { inlineString: JSON.stringify(jwks) }, ...json };
}

function config(json: Json = {}, requires: Json = { providerName: 'p' }): Json {
  return { providers: { p: provider() }, rules: [{ match: { prefix: '/' }, requires }], ...json };
}

const withProvider = (json: Json, requires?: Json): Json => config({ providers: { p: provider(json) } }, requires);
const bearer = (text: string, head = GET): string => `${head}\r\nauthorization: Bearer ${text}`;
const count = (name: string): number => filtered.path.counter('http', 'ingress', `jwt_authn.${name}`);
const encoded = (json: Json): string => Buffer.from(JSON.stringify(json)).toString('base64url');

async function answer(request: string): Promise<string> {
  return (await filtered.exchange(request)).got;
}

describe('a token that is required', () => {
  it('lets a request through that shows a good one, which goes no further', async () => {
    await filtered.serve(managerOf([[TYPE, config()]]));
    const { seen, got } = await filtered.exchange(bearer(await token()));
    expect(got).toContain('200 OK');
    expect(seen).not.toContain('authorization');
    expect([count('allowed'), count('denied')]).toEqual([1, 0]);
  });

  it('is missed by name, with a challenge', async () => {
    await filtered.serve(managerOf([[TYPE, config()]]));
    const got = await answer('GET /a?b HTTP/1.1\r\nhost: web');
    expect(got).toMatch(/^HTTP\/1\.1 401 [\s\S]*Jwt is missing$/);
    expect(got).toContain('www-authenticate: Bearer realm="http://web/a"\r\n');
    expect(await filtered.path.recordsReach(1)).toMatchObject({
      responseCodeDetails: 'jwt_authn_access_denied{Jwt_is_missing}',
    });
    expect([count('allowed'), count('denied')]).toEqual([0, 1]);
  });

  it('must be signed by one of the keys, for us, by the issuer, and now', async () => {
    await filtered.serve(managerOf([[TYPE, withProvider({ audiences: ['web'], subjects: { prefix: 'al' } })]]));
    const now = nowSeconds();
    const [header = '', payload = '', signature = ''] = (await token()).split('.');
    const none = `${encoded({ alg: 'none' })}.${payload}.${signature}`;
    const hmac = `${encoded({ alg: 'HS256', kid: 'one' })}.${payload}.${signature}`;
    const changed = `${header}.${encoded({ iss: ISSUER, sub: 'alice', aud: 'web', admin: true })}.${signature}`;
    const refusals: readonly (readonly [string, string])[] = [
      ['x', 'Jwt is not in the form'],
      [`${header}.${payload}.`, 'Jwt is not in the form'],
      [`${header}.${payload}.${signature}.x`, 'Jwt is not in the form'],
      ['A'.repeat(20_000), 'Jwt is not in the form'],
      [`AAAA.${payload}.${signature}`, 'Jwt header is an invalid JSON'],
      [`${header}.AAAA.${signature}`, 'Jwt payload is an invalid JSON'],
      [none, 'Jwt header [alg] is not supported'],
      [hmac, "Jwks doesn't have key to match kid or alg from Jwt"],
      [changed, 'Jwt verification fails'],
      [await token({}, otherKey), 'Jwt verification fails'],
      [await token({}, key, 'two'), "Jwks doesn't have key to match kid or alg from Jwt"],
      [await token({ iss: 'https://other.test' }), 'Jwt issuer is not configured'],
      [await token({ sub: 'bob' }), 'Subjects in Jwt are not allowed'],
      [await token({ exp: now - 120 }), 'Jwt is expired'],
      [await token({ nbf: now + 120 }), 'Jwt not yet valid'],
    ];
    for (const [text, reason] of refusals) {
      const got = await answer(bearer(text));
      expect(got, reason).toMatch(/^HTTP\/1\.1 401 /);
      expect(got).toContain(reason);
      expect(got).toContain('error="invalid_token"');
    }
    expect(await answer(bearer(await token({ aud: 'db' })))).toMatch(/^HTTP\/1\.1 403 [\s\S]*Audiences in Jwt/);
    expect(await answer(bearer(await token({ exp: now - 30, nbf: now + 30 })))).toContain('200 OK');
  });

  it('may have to expire, and soon', async () => {
    await filtered.serve(managerOf([[TYPE, withProvider({ requireExpiration: true, maxLifetime: '7200s' })]]));
    expect(await answer(bearer(await token({ exp: undefined })))).toContain('401');
    expect(await answer(bearer(await token({ iat: nowSeconds() - 7_200 })))).toContain('401');
    expect(await answer(bearer(await token()))).toContain('200 OK');
  });

  it('every token that is shown must be good', async () => {
    await filtered.serve(managerOf([[TYPE, config()]]));
    const [good, bad] = [await token(), await token({}, otherKey)];
    expect(await answer(`${bearer(good)}\r\nauthorization: Bearer ${bad}`)).toContain('401');
    expect(await answer(bearer(good, `GET /?access_token=${bad} HTTP/1.1\r\nhost: web`))).toContain('401');
  });

  it('a gRPC caller hears UNAUTHENTICATED', async () => {
    await filtered.serve(managerOf([[TYPE, config()]]));
    const call = 'POST /a.B/C HTTP/1.1\r\nhost: web\r\ncontent-type: application/grpc\r\ncontent-length: 0';
    expect(await answer(call)).toContain('grpc-status: 16');
  });

  it('a client that leaves while it is verified leaves nothing behind', async () => {
    await filtered.serve(managerOf([[TYPE, config()]]));
    const client = await filtered.client();
    client.send(`${bearer(await token())}\r\n\r\n`);
    client.destroy();
    expect(await answer(bearer(await token()))).toContain('200 OK');
  });

  it('nothing is said of why where that is asked for', async () => {
    await filtered.serve(managerOf([[TYPE, config({ stripFailureResponse: true })]]));
    const got = await answer(GET);
    expect(got).toMatch(/^HTTP\/1\.1 401 [\s\S]*\r\n\r\n$/);
    expect(got).not.toContain('www-authenticate');
  });
});

describe('where tokens stand', () => {
  it('in headers, parameters and cookies of any name', async () => {
    const places = { fromHeaders: [{ name: 'X-Token', valuePrefix: 'v:' }], fromParams: ['t'], fromCookies: ['c'] };
    await filtered.serve(managerOf([[TYPE, withProvider(places)]]));
    const text = await token();
    const header = await filtered.exchange(`${GET}\r\nx-token: v:${text}`);
    const param = await filtered.exchange(`GET /a?x=1&t=${text}&y=2 HTTP/1.1\r\nhost: web`);
    const cookie = await filtered.exchange(`${GET}\r\ncookie: a=b; c=${text}`);
    for (const { got } of [header, param, cookie]) expect(got).toContain('200 OK');
    expect(header.seen).not.toContain('x-token');
    expect(param.seen).toContain('GET /a?x=1&y=2 HTTP/1.1');
    expect(await answer(bearer(text))).toContain('Jwt is missing');
  });

  it('they stay where they are to be forwarded, and the payload goes along; nobody else says what it is', async () => {
    const json = { forward: true, forwardPayloadHeader: 'x-payload', padForwardPayloadHeader: true };
    await filtered.serve(managerOf([[TYPE, withProvider(json, { allowMissing: {} })]]));
    const text = await token();
    const { seen } = await filtered.exchange(`${bearer(text)}\r\nx-payload: forged`);
    expect(seen).toContain(`authorization: Bearer ${text}`);
    const payload = /x-payload: ([\w=-]+)\r\n/.exec(seen)?.[1] ?? '';
    expect(payload.length % 4).toBe(0);
    expect(JSON.parse(Buffer.from(payload, 'base64url').toString())).toMatchObject({ sub: 'alice' });
    expect((await filtered.exchange(`${GET}\r\nx-payload: forged`)).seen).not.toContain('forged');
  });
});

describe('requirements', () => {
  const two = (requires: Json): Json =>
    config(
      { providers: { p: provider(), q: provider({ issuer: 'https://q.test', fromHeaders: [{ name: 'x-q' }] }) } },
      requires,
    );
  const names = [{ providerName: 'p' }, { providerName: 'q' }];

  async function statusOf(p: string | undefined, q: string | undefined): Promise<string> {
    const fields = [p && `authorization: Bearer ${p}`, q && `x-q: ${q}`].filter((field) => field !== undefined);
    return (await answer([GET, ...fields].join('\r\n'))).slice(9, 12);
  }

  it('any, all, missing, failed', async () => {
    const [p, q] = [await token(), await token({ iss: 'https://q.test' })];
    const bad = await token({}, otherKey);
    const any = (more: readonly Json[]): Json => ({ requiresAny: { requirements: more } });
    const table: readonly (readonly [Json, readonly string[]])[] = [
      [any(names), ['401', '200', '200', '401']],
      [{ requiresAll: { requirements: names } }, ['401', '401', '401', '401']],
      [any([...names, { allowMissing: {} }]), ['200', '200', '200', '401']],
      [any([...names, { allowMissingOrFailed: {} }]), ['200', '200', '200', '200']],
      [{ allowMissing: {} }, ['200', '200', '200', '401']],
      [{ allowMissingOrFailed: {} }, ['200', '200', '200', '200']],
      [{ providerAndAudiences: { providerName: 'p', audiences: ['else'] } }, ['401', '403', '401', '403']],
    ];
    for (const [requires, expected] of table) {
      await filtered.serve(managerOf([[TYPE, two(requires)]]));
      const got = [
        await statusOf(undefined, undefined),
        await statusOf(p, undefined),
        await statusOf(undefined, q),
        await statusOf(bad, undefined),
      ];
      expect(got, JSON.stringify(requires)).toEqual(expected);
    }
    await filtered.serve(managerOf([[TYPE, two({ requiresAll: { requirements: names } })]]));
    expect(await statusOf(p, q)).toBe('200');
  });

  it('the first rule that fits counts, and no spelling of a path gets around it', async () => {
    const rules = [{ match: { prefix: '/free' } }, { match: { prefix: '/admin' }, requires: { providerName: 'p' } }];
    await filtered.serve(managerOf([[TYPE, config({ rules })]]));
    const get = (path: string): Promise<string> => answer(`GET ${path} HTTP/1.1\r\nhost: web`);
    expect(await get('/free')).toContain('200 OK');
    expect(await get('/other')).toContain('200 OK');
    for (const path of ['/admin', '/%61dmin', '//admin', '/free/../admin', '/x/..;/admin']) {
      expect(await get(path), path).toContain('401');
    }
  });

  it('a route names its own, or none; a name that is not there lets nobody through', async () => {
    const json = config({ rules: [], requirementMap: { strict: { providerName: 'p' } } });
    const perRoute = (own: Json) => managerOf([[TYPE, json]], ['jwt_authn.v3.PerRouteConfig', own]);
    await filtered.serve(perRoute({ requirementName: 'strict' }));
    expect(await answer(GET)).toContain('401');
    await filtered.serve(perRoute({ requirementName: 'gone' }));
    expect(await answer(GET)).toContain('403');
    await filtered.serve(managerOf([[TYPE, config()]], ['jwt_authn.v3.PerRouteConfig', { disabled: true }]));
    expect(await answer(GET)).toContain('200 OK');
  });

  it('a preflight passes where that is asked for', async () => {
    await filtered.serve(managerOf([[TYPE, config({ bypassCorsPreflight: true })]]));
    const preflight = 'OPTIONS / HTTP/1.1\r\nhost: web\r\norigin: http://a\r\naccess-control-request-method: GET';
    expect(await answer(preflight)).toContain('200 OK');
    expect(await answer('OPTIONS / HTTP/1.1\r\nhost: web\r\norigin: http://a')).toContain('401');
    expect(count('cors_preflight_bypassed')).toBe(1);
  });

  it('remembers signatures, as many as configured, and still looks at the clock', async () => {
    await filtered.serve(
      managerOf([[TYPE, withProvider({ jwtCacheConfig: { jwtCacheSize: 1 }, clockSkewSeconds: 1 })]]),
    );
    const [one, two] = [await token(), await token({ jti: 'two' })];
    for (const text of [one, one, two, one]) expect(await answer(bearer(text))).toContain('200 OK');
    expect([count('jwt_cache_hit'), count('jwt_cache_miss')]).toEqual([1, 3]);
  });
});

describe('claims as rules about access', () => {
  /** What Consul makes of an intention that asks for a token: the token is verified if there, and RBAC decides. */
  function intention(value: Json, path: readonly string[]): Parameters<typeof managerOf>[0] {
    const requires = { requiresAny: { requirements: [{ providerName: 'p' }, { allowMissingOrFailed: {} }] } };
    const json = config({ providers: { p: provider({ payloadInMetadata: 'jwt_payload_p' }) } }, requires);
    const at = (keys: readonly string[]): readonly Json[] => keys.map((key) => ({ key }));
    const claim = (keys: readonly string[], wanted: Json): Json => ({
      metadata: { filter: 'envoy.filters.http.jwt_authn', path: at(['jwt_payload_p', ...keys]), value: wanted },
    });
    const ids = [claim(['iss'], { stringMatch: { exact: ISSUER } }), claim(path, value)];
    const policy = { permissions: [{ any: true }], principals: [{ andIds: { ids } }] };
    return [
      [TYPE, json],
      ['rbac.v3.RBAC', { rules: { action: 'ALLOW', policies: { claims: policy } } }],
    ];
  }

  const asked = async (claims?: Json, signedBy = key): Promise<string> =>
    (await answer(claims === undefined ? GET : bearer(await token(claims, signedBy)))).slice(9, 12);

  it('lets in whose claims fit, and nobody without a good token', async () => {
    await filtered.serve(managerOf(intention({ stringMatch: { exact: 'ädmin' } }, ['perms', 'role'])));
    const fits = { perms: { role: 'ädmin' } };
    expect(await asked(fits)).toBe('200');
    expect(await asked({ perms: { role: 'guest' } })).toBe('403');
    expect(await asked({ perms: 'ädmin' })).toBe('403');
    expect(await asked()).toBe('403');
    expect(await asked(fits, otherKey)).toBe('403');
    expect(await asked({ ...fits, exp: nowSeconds() - 3_600 })).toBe('403');
  });

  it('looks into lists', async () => {
    const oneOf = { stringMatch: { exact: 'ops' } };
    await filtered.serve(managerOf(intention({ listMatch: { oneOf } }, ['groups'])));
    expect(await asked({ groups: ['dev', 'ops'] })).toBe('200');
    expect(await asked({ groups: ['dev'] })).toBe('403');
    expect(await asked({ groups: 'ops' })).toBe('403');
  });

  it('what one request has shown does not count for the next on its connection', async () => {
    await filtered.serve(managerOf(intention({ presentMatch: true }, ['sub'])));
    const client = await filtered.client();
    const served = filtered.nextConnection();
    client.send(`${bearer(await token())}\r\n\r\n`);
    const upstream = await served;
    await upstream.receives('\r\n\r\n');
    upstream.send('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok');
    await client.receives('ok');
    client.send(`${GET}\r\n\r\n`);
    expect(await client.receives('RBAC: access denied')).toContain('403');
  });
});
