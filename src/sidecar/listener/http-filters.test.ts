import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { buildExtension, httpFilter } from '../../../test/support/extensions.ts';
import {
  assignment,
  cluster,
  endpoint,
  httpConnectionManager,
  route,
  routeConfiguration,
  virtualHost,
} from '../../../test/support/resources.ts';
import { ALL_EXTENSIONS } from '../../resource/extension-support.ts';
import type { HttpConnectionManager } from '../../resource/http-connection-manager.ts';
import { FILTER_FACTORIES, ROUTER_FILTER_TYPE } from '../filter/filter.ts';
import { DataPath, RawPeer, RawUpstream } from './data-path-fixture.ts';

let path: DataPath;
let upstream: RawUpstream;
const peers: RawPeer[] = [];
const HTTP = 'envoy.extensions.filters.http';
const OK = 'HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok';

type Json = Readonly<Record<string, unknown>>;

/** One filter before the router, and what the route says about it. */
function managerWith(type: string, json: Json, onRoute?: readonly [string, Json]): Partial<HttpConnectionManager> {
  const configs = onRoute === undefined ? [] : [['f', buildExtension(`${HTTP}.${onRoute[0]}`, onRoute[1])] as const];
  const host = virtualHost({ routes: [route({ typedPerFilterConfig: new Map(configs) })] });
  return {
    httpFilters: [httpFilter('f', `${HTTP}.${type}`, json), ...httpConnectionManager().httpFilters],
    routes: { kind: 'inline', routeConfiguration: routeConfiguration({ virtualHosts: [host] }) },
  };
}

async function connect(manager: Partial<HttpConnectionManager>): Promise<RawPeer> {
  const client = await RawPeer.connect(await path.serve(manager));
  peers.push(client);
  return client;
}

/** Answers the next request that comes through, with these fields. */
async function serveOne(host = upstream, fields = ''): Promise<string> {
  const connection = await host.connection(host.connections.length);
  const request = await connection.receives('\r\n\r\n');
  connection.send(OK.replace('\r\n\r\n', `\r\n${fields}\r\n`));
  return request;
}

/** The answer to one request, served where it comes through. */
async function ask(manager: Partial<HttpConnectionManager>, head = 'GET / HTTP/1.1', fields = ''): Promise<string> {
  const client = await connect(manager);
  client.send(`${head}\r\nhost: web\r\n${fields}\r\n`);
  await Promise.race([serveOne(), client.receives('\r\n\r\n')]);
  return client.receives('\r\n\r\n');
}

beforeEach(async () => {
  path = new DataPath();
  upstream = await RawUpstream.listen();
  path.addCluster('web', [upstream.port]);
});

afterEach(() => {
  for (const peer of peers.splice(0)) peer.destroy();
  upstream.close();
  path.close();
});

it('what the data plane accepts is what it has code for', () => {
  const types = [ROUTER_FILTER_TYPE, ...FILTER_FACTORIES.keys()].map((type) => type.replace(/^.*\//, ''));
  expect([...ALL_EXTENSIONS.httpFilters].sort()).toEqual(types.sort());
});

describe('fault', () => {
  const always = { numerator: 100 };
  const count = (name: string): number => path.counter('http', 'ingress', `fault.${name}`);

  it('aborts with a status, and says so', async () => {
    const answer = await ask(managerWith('fault.v3.HTTPFault', { abort: { httpStatus: 418, percentage: always } }));
    expect(answer).toMatch(/^HTTP\/1\.1 418 [\s\S]*fault filter abort$/);
    expect(await path.recordsReach(1)).toMatchObject({
      responseFlags: 'FI',
      responseCodeDetails: 'fault_filter_abort',
    });
    expect(count('aborts_injected')).toBe(1);
    expect(path.gauge('http', 'ingress', 'fault.active_faults')).toBe(0);
  });

  it('delays, then lets go on', async () => {
    const delay = { fixedDelay: '0.05s', percentage: always };
    expect(await ask(managerWith('fault.v3.HTTPFault', { delay }))).toContain('200 OK');
    expect(await path.recordsReach(1)).toMatchObject({ responseFlags: 'DI' });
    expect(count('delays_injected')).toBe(1);
  });

  it('delays, then aborts; a gRPC caller hears the gRPC status', async () => {
    const json = { delay: { fixedDelay: '0.02s', percentage: always }, abort: { grpcStatus: 9, percentage: always } };
    const fields = 'content-type: application/grpc\r\ncontent-length: 0\r\n';
    expect(await ask(managerWith('fault.v3.HTTPFault', json), 'POST /a.B/C HTTP/1.1', fields)).toContain(
      'grpc-status: 9',
    );
    expect((await path.recordsReach(1)).responseFlags).toBe('DI,FI');
  });

  it('a client that leaves while it waits leaves nothing behind', async () => {
    const delay = { fixedDelay: '600s', percentage: always };
    const client = await connect(managerWith('fault.v3.HTTPFault', { delay }));
    client.send('GET / HTTP/1.1\r\nhost: web\r\n\r\n');
    await expect.poll(() => path.gauge('http', 'ingress', 'fault.active_faults')).toBe(1);
    client.destroy();
    expect((await path.recordsReach(1)).responseFlags).toBe('DC');
    expect(path.gauge('http', 'ingress', 'fault.active_faults')).toBe(0);
  });

  it('concerns only requests that match, and a caller may ask for less than is configured', async () => {
    const abort = { headerAbort: {}, percentage: always };
    const json = { abort, headers: [{ name: 'x-try', presentMatch: true }] };
    const manager = managerWith('fault.v3.HTTPFault', json);
    const asked = 'x-envoy-fault-abort-request: 503\r\n';
    expect(await ask(manager, undefined, asked)).toContain('200 OK');
    expect(await ask(manager, undefined, `${asked}x-try: 1\r\n`)).toContain('503');
    const never = `${asked}x-try: 1\r\nx-envoy-fault-abort-request-percentage: 0\r\n`;
    expect(await ask(manager, undefined, never)).toContain('200 OK');
  });

  it('a route has faults of its own; more than may be active at a time are counted and left out', async () => {
    const none = { abort: { httpStatus: 500, percentage: { numerator: 0 } } };
    const own = { abort: { httpStatus: 501, percentage: always }, maxActiveFaults: 0 };
    expect(await ask(managerWith('fault.v3.HTTPFault', none, ['fault.v3.HTTPFault', own]))).toContain('200 OK');
    expect(count('faults_overflow')).toBe(1);
  });
});

describe('header mutation', () => {
  const add = (key: string, value: string): Json => ({ append: { header: { key, value } } });

  const overwrite = (value: string): Json => ({
    append: { header: { key: 'x-a', value }, appendAction: 'OVERWRITE_IF_EXISTS_OR_ADD' },
  });

  it('changes requests and responses: the chain first, then the route', async () => {
    const json = { mutations: { requestMutations: [add('x-a', 'chain'), { remove: 'x-b' }], responseMutations: [] } };
    const own = { mutations: { requestMutations: [add('x-a', 'route')], responseMutations: [add('x-c', 'route')] } };
    const manager = managerWith('header_mutation.v3.HeaderMutation', json, [
      'header_mutation.v3.HeaderMutationPerRoute',
      own,
    ]);
    const client = await connect(manager);
    client.send('GET / HTTP/1.1\r\nhost: web\r\nx-b: 1\r\n\r\n');
    const request = await serveOne();
    expect(request).toContain('x-a: chain\r\nx-a: route\r\n');
    expect(request).not.toContain('x-b');
    expect(await client.receives('ok')).toContain('x-c: route\r\n');
  });

  it.each([
    [false, 'host'],
    [true, 'route'],
  ])('of route and virtual host the last word has (most specific wins: %s) the %s', async (wins, expected) => {
    const PER_ROUTE = `${HTTP}.header_mutation.v3.HeaderMutationPerRoute`;
    const own = (value: string) =>
      new Map([['f', buildExtension(PER_ROUTE, { mutations: { requestMutations: [overwrite(value)] } })]]);
    const host = virtualHost({
      routes: [route({ typedPerFilterConfig: own('route') })],
      typedPerFilterConfig: own('host'),
    });
    const filter = httpFilter('f', `${HTTP}.header_mutation.v3.HeaderMutation`, {
      mostSpecificHeaderMutationsWins: wins,
    });
    const client = await connect({
      httpFilters: [filter, ...httpConnectionManager().httpFilters],
      routes: { kind: 'inline', routeConfiguration: routeConfiguration({ virtualHosts: [host] }) },
    });
    client.send('GET / HTTP/1.1\r\nhost: web\r\n\r\n');
    expect(await serveOne()).toContain(`x-a: ${expected}\r\n`);
  });
});

describe('cors', () => {
  const policy = {
    allowOriginStringMatch: [{ suffix: '.example' }],
    allowMethods: 'GET,POST',
    allowHeaders: 'x-own',
    exposeHeaders: 'grpc-status',
    maxAge: '600',
    allowCredentials: true,
  };
  const manager = (own: Json = policy): Partial<HttpConnectionManager> =>
    managerWith('cors.v3.Cors', {}, ['cors.v3.CorsPolicy', own]);
  const PREFLIGHT = 'origin: https://a.example\r\naccess-control-request-method: POST\r\n';

  it('answers the preflight of an allowed origin', async () => {
    const answer = await ask(manager(), 'OPTIONS / HTTP/1.1', PREFLIGHT);
    expect(answer).toContain('200 OK');
    for (const field of [
      'access-control-allow-origin: https://a.example',
      'access-control-allow-methods: GET,POST',
      'access-control-allow-headers: x-own',
      'access-control-max-age: 600',
      'access-control-allow-credentials: true',
    ]) {
      expect(answer).toContain(`${field}\r\n`);
    }
    expect(upstream.connections).toHaveLength(0);
    expect(path.counter('http', 'ingress', 'cors.origin_valid')).toBe(1);
  });

  it('marks answers to an allowed origin, and to no other', async () => {
    const answer = await ask(manager(), undefined, 'origin: https://a.example\r\n');
    expect(answer).toContain('access-control-allow-origin: https://a.example\r\n');
    expect(answer).toContain('access-control-expose-headers: grpc-status\r\n');
    expect(await ask(manager(), undefined, 'origin: https://a.evil\r\n')).not.toContain('access-control');
    expect(path.counter('http', 'ingress', 'cors.origin_invalid')).toBe(1);
  });

  it('a preflight of another origin goes on, or is answered without a word where the policy says so', async () => {
    const evil = PREFLIGHT.replace('.example', '.evil');
    expect(await ask(manager(), 'OPTIONS / HTTP/1.1', evil)).not.toContain('access-control');
    expect(upstream.connections).toHaveLength(1);
    const strict = manager({ ...policy, forwardNotMatchingPreflights: false });
    expect(await ask(strict, 'OPTIONS / HTTP/1.1', evil)).not.toContain('access-control');
    expect(upstream.connections).toHaveLength(1);
  });
});

describe('buffer', () => {
  const manager = managerWith('buffer.v3.Buffer', { maxRequestBytes: 10 });
  const CHUNKED = 'POST / HTTP/1.1\r\nhost: web\r\ntransfer-encoding: chunked\r\n\r\n';

  it('asks the upstream when the whole request is here, with its length', async () => {
    const client = await connect(manager);
    client.send(`${CHUNKED}3\r\nabc\r\n`);
    await expect.poll(() => path.gauge('http', 'ingress', 'downstream_rq_active')).toBe(1);
    expect(upstream.connections).toHaveLength(0);
    client.send('3\r\ndef\r\n0\r\n\r\n');
    const host = await upstream.connection(0);
    expect(await host.receives('abcdef')).toContain('content-length: 6\r\n');
    host.send(OK);
    await client.receives('ok');
  });

  it.each([
    ['as declared', 'POST / HTTP/1.1\r\nhost: web\r\ncontent-length: 11\r\n\r\n'],
    ['as it comes', `${CHUNKED}b\r\nabcdefghijk\r\n`],
  ])('refuses what is longer: %s', async (_, request) => {
    const client = await connect(manager);
    client.send(request);
    expect(await client.receives('Payload Too Large')).toMatch(/^HTTP\/1\.1 413 /);
    expect((await path.recordsReach(1)).responseCodeDetails).toBe('request_payload_too_large');
    expect(upstream.connections).toHaveLength(0);
  });
});

describe('health check', () => {
  const headers = [{ name: ':path', stringMatch: { exact: '/healthz' } }];

  it('answers by the health of clusters, and lets other requests pass', async () => {
    const clusterMinHealthyPercentages = { web: { value: 50 } };
    const manager = managerWith('health_check.v3.HealthCheck', {
      passThroughMode: false,
      headers,
      clusterMinHealthyPercentages,
    });
    expect(await ask(manager, 'GET /healthz HTTP/1.1')).toContain('200 OK');
    expect(upstream.connections).toHaveLength(0);
    expect(await ask(manager)).toMatch(/ok$/);
    path.assign('web', []);
    expect(await ask(manager, 'GET /healthz HTTP/1.1')).toContain('503');
  });

  it('passes checks on, and remembers the answer for a while', async () => {
    const manager = managerWith('health_check.v3.HealthCheck', { passThroughMode: true, headers, cacheTime: '60s' });
    await path.serve(manager);
    const client = await RawPeer.connect(path.listeners.get('listener')?.port ?? 0);
    peers.push(client);
    client.send('GET /healthz HTTP/1.1\r\nhost: web\r\n\r\n');
    await serveOne();
    await client.receives('ok');
    client.send('GET /healthz HTTP/1.1\r\nhost: web\r\n\r\n');
    await path.recordsReach(2);
    expect(path.records[1]?.responseCodeDetails).toBe('health_check_cached');
    expect(upstream.connections).toHaveLength(1);
  });
});

describe('local rate limit', () => {
  const all = { defaultValue: { numerator: 100 } };
  const limit = (json: Json = {}): Json => ({
    statPrefix: 'few',
    tokenBucket: { maxTokens: 1, tokensPerFill: 1, fillInterval: '3600s' },
    filterEnabled: all,
    filterEnforced: all,
    ...json,
  });
  const TYPE = 'local_ratelimit.v3.LocalRateLimit';
  const count = (name: string): number => path.counter('httpRateLimit', 'few', `http_local_rate_limit.${name}`);

  it('answers 429 when the bucket is empty', async () => {
    const manager = managerWith(
      TYPE,
      limit({ responseHeadersToAdd: [{ header: { key: 'x-limited', value: 'yes' } }] }),
    );
    expect(await ask(manager)).toContain('200 OK');
    const answer = await ask(manager);
    expect(answer).toMatch(/^HTTP\/1\.1 429 [\s\S]*x-limited: yes\r\n[\s\S]*local_rate_limited$/);
    expect(await path.recordsReach(2)).toMatchObject({
      responseFlags: 'RL',
      responseCodeDetails: 'local_rate_limited',
    });
    expect(['enabled', 'ok', 'rate_limited', 'enforced'].map(count)).toEqual([2, 1, 1, 1]);
  });

  it('only counts where it is not enforced', async () => {
    const manager = managerWith(TYPE, limit({ filterEnforced: { defaultValue: { numerator: 0 } } }));
    await ask(manager);
    expect(await ask(manager)).toContain('200 OK');
    expect(['rate_limited', 'enforced'].map(count)).toEqual([1, 0]);
  });

  it('each connection has a bucket where that is asked for', async () => {
    const manager = managerWith(TYPE, limit({ localRateLimitPerDownstreamConnection: true }));
    expect(await ask(manager)).toContain('200 OK');
    expect(await ask(manager)).toContain('200 OK');
  });

  it('a route has a bucket of its own', async () => {
    const manager = managerWith(TYPE, { statPrefix: 'few' }, [TYPE, limit({ status: { code: 'ServiceUnavailable' } })]);
    expect(await ask(manager)).toContain('200 OK');
    expect(await ask(manager)).toContain('503');
  });
});

describe('stateful session', () => {
  const COOKIE = 'envoy.extensions.http.stateful_session.cookie.v3.CookieBasedSessionState';
  const session = (strict: boolean): Json => ({
    sessionState: {
      name: 'cookie',
      typedConfig: {
        '@type': `type.googleapis.com/${COOKIE}`,
        cookie: { name: 'host', path: '/', ttl: '60s' },
      },
    },
    strict,
  });
  const manager = (strict = false): Partial<HttpConnectionManager> =>
    managerWith('stateful_session.v3.StatefulSession', session(strict));
  const value = (port: number): string => Buffer.from(`127.0.0.1:${port}`).toString('base64');
  let second: RawUpstream;

  beforeEach(async () => {
    second = await RawUpstream.listen();
    path.assign('web', [upstream.port, second.port]);
  });

  afterEach(() => second.close());

  it('the first answer says who served, and requests that say it go there', async () => {
    const client = await connect(manager());
    client.send('GET / HTTP/1.1\r\nhost: web\r\n\r\n');
    await Promise.race([serveOne(), serveOne(second)]);
    expect(await client.receives('ok')).toMatch(
      /set-cookie: host="[A-Za-z0-9+/=]+"; Max-Age=60; Path=\/; HttpOnly\r\n/,
    );
    for (let count = 0; count < 3; count++) {
      const next = await connect(manager());
      next.send(`GET / HTTP/1.1\r\nhost: web\r\ncookie: a=b; host="${value(second.port)}"\r\n\r\n`);
      await serveOne(second);
      expect(await next.receives('ok')).not.toContain('set-cookie');
    }
  });

  it('a host that is gone is replaced; strictly, it is missed', async () => {
    path.assign('web', [upstream.port]);
    const gone = `cookie: host=${value(second.port)}\r\n`;
    expect(await ask(manager(), undefined, gone)).toContain(`set-cookie: host="${value(upstream.port)}"`);
    expect(await ask(manager(true), undefined, gone)).toMatch(/^HTTP\/1\.1 503 /);
  });

  it('what is no address leads nowhere else', async () => {
    const elsewhere = Buffer.from('evil.example:80').toString('base64');
    expect(await ask(manager(true), undefined, `cookie: host=${elsewhere}\r\n`)).toContain('200 OK');
  });
});

describe('drop_overloads', () => {
  it('refuses the share that the control plane says, before anybody is asked', async () => {
    const drops = [{ category: 'throttle', fraction: 1 }];
    const slots = new Map([[`127.0.0.1:${upstream.port}`, 7]]);
    path.clusters.upsert({ cluster: cluster('web'), slot: path.clusters.get('web')?.slot ?? 1 });
    path.clusters.assign({
      clusterName: 'web',
      assignment: assignment('web', [endpoint(upstream.port)], { dropOverloads: drops }),
      slots,
    });
    expect(await ask({})).toMatch(/^HTTP\/1\.1 503 /);
    expect(await path.recordsReach(1)).toMatchObject({ responseFlags: 'DO', responseCodeDetails: 'drop_overload' });
    expect(path.counter('cluster', 'web', 'upstream_rq_drop_overload')).toBe(1);
    expect(upstream.connections).toHaveLength(0);
  });
});
