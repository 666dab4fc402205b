import * as grpc from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { buildExtension, httpFilter } from '../../../test/support/extensions.ts';
import {
  httpConnectionManager,
  route,
  routeAction,
  routeConfiguration,
  virtualHost,
} from '../../../test/support/resources.ts';
import { type Json, UnaryService } from '../../../test/support/unary-service.ts';
import type { HttpConnectionManager } from '../../resource/http-connection-manager.ts';
import { UNSAID_HTTP2_OPTIONS } from '../../resource/http2-options.ts';
import type { RateLimitAction, RateLimitPolicy } from '../../resource/rate-limit-policy.ts';
import type { RouteAction } from '../../resource/route-configuration.ts';
import { FILTER_FACTORIES, type FilterFactory } from '../filter/filter.ts';
import { StreamMetadata } from '../filter/stream-metadata.ts';
import { DataPath, RawPeer, RawUpstream } from './data-path-fixture.ts';

const TYPE = 'envoy.extensions.filters.http.ratelimit.v3';
const HTTP2 = { kind: 'explicitHttp2', http2: UNSAID_HTTP2_OPTIONS } as const;
const OK = 'HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok';
/** Longer than any test waits. */
const PATIENT = {
  domain: 'mesh',
  timeout: '20s',
  rateLimitService: { grpcService: { envoyGrpc: { clusterName: 'limits' } }, transportApiVersion: 'V3' },
};
const SAY_OK = { kind: 'answers', json: { overall_code: 'OK' } } as const;
const SAY_TOO_MANY = { kind: 'answers', json: { overall_code: 'OVER_LIMIT' } } as const;

let path: DataPath;
let upstream: RawUpstream;
let limits: UnaryService;
const peers: RawPeer[] = [];

function generic(descriptorValue: string, more: Partial<RateLimitPolicy> = {}): RateLimitPolicy {
  return limitOf([{ kind: 'genericKey', descriptorKey: 'generic_key', descriptorValue }], more);
}

function limitOf(actions: readonly RateLimitAction[], more: Partial<RateLimitPolicy> = {}): RateLimitPolicy {
  return { stage: 0, actions, limitOverride: undefined, hitsAddend: undefined, onStreamDone: false, ...more };
}

interface Setting {
  readonly filter?: Json;
  readonly action?: Partial<RouteAction>;
  readonly onHost?: readonly RateLimitPolicy[];
  readonly perRoute?: Json;
  readonly manager?: Partial<HttpConnectionManager>;
}

function managerWith({ filter = PATIENT, action, onHost = [], perRoute, manager }: Setting) {
  const configs = perRoute === undefined ? [] : [['l', buildExtension(`${TYPE}.RateLimitPerRoute`, perRoute)] as const];
  const rateLimits = [generic('route')];
  const only = route({
    action: routeAction({ rateLimits, ...action }),
    typedPerFilterConfig: new Map(configs),
    metadata: { shop: { tier: { name: 'gold' } } },
  });
  const host = virtualHost({ routes: [only], rateLimits: onHost });
  return {
    httpFilters: [httpFilter('l', `${TYPE}.RateLimit`, filter), ...httpConnectionManager().httpFilters],
    routes: { kind: 'inline', routeConfiguration: routeConfiguration({ virtualHosts: [host] }) },
    ...manager,
  } satisfies Partial<HttpConnectionManager>;
}

/** One request, answered by the upstream where it comes through. */
async function ask(setting: Setting, text = 'GET /a HTTP/1.1\r\nhost: web\r\n\r\n') {
  const client = await RawPeer.connect(await path.serve(managerWith(setting)));
  peers.push(client);
  client.send(text);
  let request = '';
  const serve = async (): Promise<void> => {
    const connection = await upstream.connection(0);
    request = await connection.receives('\r\n\r\n');
    connection.send(OK);
  };
  await Promise.race([serve(), client.receives('\r\n\r\n')]);
  const head = await client.receives('\r\n\r\n');
  const whole = head.indexOf('\r\n\r\n') + 4 + Number(/content-length: (\d+)/.exec(head)?.[1] ?? 0);
  await client.until(() => client.received.length >= whole, 'the body');
  return { request, answer: client.received };
}

/** The entries of the only descriptor that was sent. */
async function entriesOf(action: RateLimitAction, text?: string): Promise<unknown> {
  await ask({ action: { rateLimits: [limitOf([action])] } }, text);
  const [descriptor] = Array.from<Json>(limits.requests[0]?.['descriptors'] as Json[]);
  return Array.from<Json>(descriptor?.['entries'] as Json[]).map(({ key, value }) => [key, value]);
}

/** Generic values of the descriptors of each call. */
function askedFor(): unknown[][] {
  return limits.requests.map((request) =>
    Array.from(request['descriptors'] as Json[]).map(({ entries }) => (entries as Json[])[0]?.['value']),
  );
}

/** Exactly one of what can become of a question was counted. */
function expectCounts(expected: Readonly<Record<string, number>>, prefix = 'ratelimit'): void {
  const names = ['ok', 'error', 'over_limit', 'failure_mode_allowed'];
  const counted = names.map((name) => [name, path.counter('cluster', 'web', `${prefix}.${name}`)] as const);
  expect(Object.fromEntries(counted.filter(([, value]) => value !== 0))).toEqual(expected);
}

beforeEach(async () => {
  path = new DataPath();
  upstream = await RawUpstream.listen();
  limits = await UnaryService.listen('envoy.service.ratelimit.v3.RateLimitService', 'ShouldRateLimit');
  limits.conduct = SAY_OK;
  path.addCluster('web', [upstream.port]);
  path.addCluster('limits', [limits.port], { upstreamProtocol: HTTP2 });
});

afterEach(() => {
  for (const peer of peers.splice(0)) peer.destroy();
  upstream.close();
  limits.close();
  path.close();
});

describe('the service', () => {
  it('lets a request through, with headers for the upstream and for the client', async () => {
    limits.conduct = {
      kind: 'answers',
      json: {
        overall_code: 'OK',
        request_headers_to_add: [
          { key: 'X-Tier', value: 'gold' },
          { key: 'x-two', value: 'a\r\nb: c' },
        ],
        response_headers_to_add: [{ key: 'x-left', value: '7' }],
      },
    };
    const { request, answer } = await ask({});
    expect(limits.requests[0]).toMatchObject({
      domain: 'mesh',
      descriptors: [{ entries: [{ key: 'generic_key', value: 'route' }] }],
      hits_addend: 0,
    });
    expect(request).toContain('x-tier: gold\r\n');
    expect(request).not.toContain('x-two');
    expect(answer).toContain('x-left: 7\r\n');
    expect(answer).not.toContain('ratelimit');
    expectCounts({ ok: 1 });
    expect(path.gauge('cluster', 'limits', 'upstream_rq_active')).toBe(0);
  });

  it('refuses with 429, its own body and headers', async () => {
    limits.conduct = {
      kind: 'answers',
      json: {
        overall_code: 'OVER_LIMIT',
        raw_body: Buffer.from('{"later":"bitte schön"}'),
        response_headers_to_add: [{ key: 'content-type', value: 'application/json' }],
      },
    };
    const header = { header: { key: 'x-limited', value: 'yes' } };
    const { request, answer } = await ask({ filter: { ...PATIENT, responseHeadersToAdd: [header] } });
    expect(request).toBe('');
    expect(answer).toMatch(/^HTTP\/1\.1 429 [\s\S]*\{"later":"bitte sch\xc3\xb6n"\}$/);
    expect(answer).toContain('content-type: application/json\r\n');
    expect(answer).not.toContain('text/plain');
    expect(answer).toContain('x-limited: yes\r\n');
    expect(answer).toContain('x-envoy-ratelimited: true\r\n');
    expect(await path.recordsReach(1)).toMatchObject({
      responseFlags: 'RL',
      responseCodeDetails: 'request_rate_limited',
      clusterName: 'web',
    });
    expectCounts({ over_limit: 1 });
    expect(path.counter('cluster', 'web', 'upstream_rq_429')).toBe(1);
  });

  it('refuses with the status that is configured, and without the marks that are not wanted', async () => {
    limits.conduct = SAY_TOO_MANY;
    const rateLimitedStatus = { code: 'ServiceUnavailable' };
    const filter = { ...PATIENT, rateLimitedStatus, disableXEnvoyRatelimitedHeader: true, statPrefix: 'outer' };
    const { answer } = await ask({ filter });
    expect(answer).toContain('HTTP/1.1 503 ');
    expect(answer).not.toContain('x-envoy-ratelimited');
    expectCounts({ over_limit: 1 }, 'ratelimit.outer');
  });

  it('a gRPC call is told UNAVAILABLE, or RESOURCE_EXHAUSTED', async () => {
    limits.conduct = SAY_TOO_MANY;
    const call = 'POST /s/m HTTP/1.1\r\nhost: web\r\ncontent-type: application/grpc\r\ncontent-length: 0\r\n\r\n';
    expect((await ask({}, call)).answer).toContain('grpc-status: 14\r\n');
    const filter = { ...PATIENT, rateLimitedAsResourceExhausted: true };
    expect((await ask({ filter }, call)).answer).toContain('grpc-status: 8\r\n');
  });

  it('x-ratelimit headers tell of the limit that is closest to its end, and of all windows', async () => {
    const status = (name: string, requestsPerUnit: number, unit: string, remaining: number) => ({
      current_limit: { name, requests_per_unit: requestsPerUnit, unit },
      limit_remaining: remaining,
      duration_until_reset: { seconds: 3, nanos: 900_000_000 },
    });
    const statuses = [
      status('', 1000, 'HOUR', 990),
      {},
      status('per-ip', 10, 'SECOND', 4),
      status('', 5, 'UNKNOWN', 5),
    ];
    limits.conduct = { kind: 'answers', json: { overall_code: 'OK', statuses } };
    const { answer } = await ask({ filter: { ...PATIENT, enableXRatelimitHeaders: 'DRAFT_VERSION_03' } });
    expect(answer).toContain('x-ratelimit-limit: 10, 1000;w=3600, 10;w=1;name="per-ip"\r\n');
    expect(answer).toContain('x-ratelimit-remaining: 4\r\n');
    expect(answer).toContain('x-ratelimit-reset: 3\r\n');
  });

  it('filter_enforced 0: what is too much is counted and marked, and passes', async () => {
    limits.conduct = SAY_TOO_MANY;
    const { request, answer } = await ask({ filter: { ...PATIENT, filterEnforced: { defaultValue: {} } } });
    expect(request).toContain('GET /a');
    expect(answer).toContain('x-envoy-ratelimited: true\r\n');
    expectCounts({ over_limit: 1 });
  });

  it('filter_enabled 0: nobody is asked', async () => {
    await ask({ filter: { ...PATIENT, filterEnabled: { defaultValue: {} } } });
    expect(limits.requests).toHaveLength(0);
  });
});

describe('a service that cannot be asked', () => {
  it('lets everything through, and the failures are counted', async () => {
    path.assign('limits', []);
    const { request } = await ask({});
    expect(request).toContain('GET /a');
    expectCounts({ error: 1, failure_mode_allowed: 1 });
  });

  it('failure_mode_deny: 500, or the status that is configured', async () => {
    limits.conduct = { kind: 'fails', code: grpc.status.INTERNAL };
    expect((await ask({ filter: { ...PATIENT, failureModeDeny: true } })).answer).toContain('HTTP/1.1 500 ');
    expect(await path.recordsReach(1)).toMatchObject({
      responseFlags: 'RLSE',
      responseCodeDetails: 'rate_limiter_error{grpc_status_13}',
    });
    const statusOnError = { code: 'ServiceUnavailable' };
    const { answer } = await ask({ filter: { ...PATIENT, failureModeDeny: true, statusOnError } });
    expect(answer).toContain('HTTP/1.1 503 ');
    expectCounts({ error: 2 });
  });

  it('failure_mode_deny_percent has the last word', async () => {
    path.assign('limits', []);
    const failureModeDenyPercent = { defaultValue: { numerator: 0 } };
    const { answer } = await ask({ filter: { ...PATIENT, failureModeDeny: true, failureModeDenyPercent } });
    expect(answer).toContain('200 OK');
  });

  it('is waited for 20 ms where nothing is said', async () => {
    limits.conduct = { kind: 'isSilent' };
    const { rateLimitService } = PATIENT;
    const { answer } = await ask({ filter: { domain: 'mesh', rateLimitService, failureModeDeny: true } });
    expect(answer).toContain('HTTP/1.1 500 ');
    expect((await path.recordsReach(1)).responseCodeDetails).toBe('rate_limiter_error{timeout}');
  });

  it('a client that leaves takes its question along', async () => {
    limits.conduct = { kind: 'isSilent' };
    const client = await RawPeer.connect(await path.serve(managerWith({})));
    client.send('GET / HTTP/1.1\r\nhost: web\r\n\r\n');
    await expect.poll(() => limits.requests.length).toBe(1);
    client.destroy();
    await expect.poll(() => limits.cancelled).toBe(1);
    expectCounts({});
  });
});

describe('descriptors', () => {
  const QUERY = 'GET /a?user=ann%20b&plan=gold HTTP/1.1\r\nhost: web\r\nx-user: ann\r\n\r\n';
  const FORWARDED = 'GET / HTTP/1.1\r\nhost: web\r\nx-forwarded-for: 2001:db8:1:2:3::4\r\n\r\n';
  const V4 = 'GET / HTTP/1.1\r\nhost: web\r\nx-forwarded-for: 10.1.2.77\r\n\r\n';
  const equals = (value: string) => ({ kind: 'string', matcher: { kind: 'exact', value, ignoreCase: false } }) as const;
  const field = (name: string, value: string) =>
    ({ name, match: equals(value), invertMatch: false, treatMissingHeaderAsEmpty: false }) as const;
  const masked = { kind: 'maskedRemoteAddress', v4PrefixLength: 20, v6PrefixLength: 64 } as const;
  const match = { descriptorKey: 'k', descriptorValue: 'v' };

  it.each<[string, RateLimitAction, string | undefined, readonly string[]]>([
    ['the service beside us', { kind: 'sourceCluster' }, undefined, ['source_cluster', 'own-service']],
    ['the cluster it goes to', { kind: 'destinationCluster' }, undefined, ['destination_cluster', 'web']],
    ['the client', { kind: 'remoteAddress' }, undefined, ['remote_address', '127.0.0.1']],
    ['the client behind a proxy', { kind: 'remoteAddress' }, V4, ['remote_address', '10.1.2.77']],
    ["the client's network", masked, V4, ['masked_remote_address', '10.1.0.0/20']],
    ["the client's network, IPv6", masked, FORWARDED, ['masked_remote_address', '2001:db8:1:2::/64']],
    [
      'a header',
      { kind: 'requestHeader', name: 'x-user', descriptorKey: 'user', skipIfAbsent: false },
      QUERY,
      ['user', 'ann'],
    ],
    [
      'a pseudo-header',
      { kind: 'requestHeader', name: ':path', descriptorKey: 'path', skipIfAbsent: false },
      undefined,
      ['path', '/a'],
    ],
    [
      'a query parameter, decoded',
      { kind: 'queryParameter', name: 'user', descriptorKey: 'user', skipIfAbsent: false },
      QUERY,
      ['user', 'ann b'],
    ],
    [
      'headers that match',
      { kind: 'headerValueMatch', ...match, expectMatch: true, headers: [field('x-user', 'ann')] },
      QUERY,
      ['k', 'v'],
    ],
    [
      'headers that do not match',
      { kind: 'headerValueMatch', ...match, expectMatch: false, headers: [field('x-user', 'bob')] },
      QUERY,
      ['k', 'v'],
    ],
    [
      'query parameters that match',
      {
        kind: 'queryParameterValueMatch',
        ...match,
        expectMatch: true,
        queryParameters: [{ name: 'plan', match: equals('gold') }],
      },
      QUERY,
      ['k', 'v'],
    ],
    [
      "the route's metadata",
      {
        kind: 'metadata',
        descriptorKey: 'tier',
        source: 'route',
        key: { filter: 'shop', path: ['tier', 'name'] },
        defaultValue: '',
        skipIfAbsent: false,
      },
      undefined,
      ['tier', 'gold'],
    ],
    [
      'the default where metadata says nothing',
      {
        kind: 'metadata',
        descriptorKey: 'tier',
        source: 'dynamic',
        key: { filter: 'shop', path: ['tier'] },
        defaultValue: 'none',
        skipIfAbsent: false,
      },
      undefined,
      ['tier', 'none'],
    ],
  ])('%s', async (_what, action, text, expected) => {
    expect(await entriesOf(action, text)).toEqual([expected]);
  });

  it.each<[string, RateLimitAction]>([
    ['a header', { kind: 'requestHeader', name: 'x-user', descriptorKey: 'user', skipIfAbsent: false }],
    ['a parameter', { kind: 'queryParameter', name: 'user', descriptorKey: 'user', skipIfAbsent: false }],
    ['a match', { kind: 'headerValueMatch', ...match, expectMatch: true, headers: [field('x-user', 'ann')] }],
  ])('%s that is absent: no descriptor, and nobody is asked', async (_what, action) => {
    const { answer } = await ask({
      action: { rateLimits: [limitOf([action, { kind: 'destinationCluster' }])] },
    });
    expect(answer).toContain('200 OK');
    expect(limits.requests).toHaveLength(0);
  });

  it('skip_if_absent leaves out the entry alone', async () => {
    const absent = { kind: 'requestHeader', name: 'x-user', descriptorKey: 'user', skipIfAbsent: true } as const;
    await ask({ action: { rateLimits: [limitOf([absent, { kind: 'destinationCluster' }])] } });
    expect(limits.requests[0]).toMatchObject({ descriptors: [{ entries: [{ key: 'destination_cluster' }] }] });
  });

  it('metadata of filters before says values and limits, and what the service says is there for those behind', async () => {
    limits.conduct = { kind: 'answers', json: { overall_code: 'OK', dynamic_metadata: struct('left', 3) } };
    const key = { filter: 'shop', path: ['tier'] };
    const tier = { kind: 'metadata', descriptorKey: 'tier', source: 'dynamic', key } as const;
    const policy = limitOf([{ ...tier, defaultValue: '', skipIfAbsent: false }], {
      limitOverride: { filter: 'shop', path: ['limit'] },
      hitsAddend: 5,
    });
    const seen: unknown[] = [];
    path = tellingPath(path, seen);
    await ask({ action: { rateLimits: [policy] }, manager: { httpFilters: tellingFilters() } });
    expect(limits.requests[0]).toMatchObject({
      descriptors: [
        {
          entries: [{ key: 'tier', value: 'gold' }],
          limit: { requests_per_unit: 42, unit: 'HOUR' },
          hits_addend: { value: '5' },
        },
      ],
    });
    expect(seen).toEqual([3]);
  });

  it('of weighted clusters the one that the router will take', async () => {
    path.addCluster('other', [upstream.port]);
    const { headers } = route();
    const clusters = ['web', 'other'].map((name) => ({ name, weight: 1, headers }));
    const cluster = { kind: 'weightedClusters', clusters, totalWeight: 2 } as const;
    const rateLimits = [limitOf([{ kind: 'destinationCluster' }])];
    const client = await RawPeer.connect(await path.serve(managerWith({ action: { cluster, rateLimits } })));
    peers.push(client);
    for (let index = 0; index < 12; index++) {
      client.send('GET / HTTP/1.1\r\nhost: web\r\n\r\n');
      const connection = await upstream.connection(index);
      await connection.receives('\r\n\r\n');
      connection.send(OK);
      await path.recordsReach(index + 1);
    }
    const gone = path.records.map(({ clusterName }) => clusterName);
    expect(askedFor().flat()).toEqual(gone);
    expect(new Set(gone).size).toBe(2);
  });

  it('on the end of the stream: nobody waits, and the verdict counts for nothing', async () => {
    limits.conduct = SAY_TOO_MANY;
    const { answer } = await ask({ action: { rateLimits: [generic('after', { onStreamDone: true, hitsAddend: 9 })] } });
    expect(answer).toContain('200 OK');
    await expect.poll(() => askedFor()).toEqual([['after']]);
    expectCounts({});
  });
});

describe('which limits count', () => {
  const HOST = [generic('host')];
  const OWN = [{ actions: [{ genericKey: { descriptorValue: 'own' } }] }];
  const NONE = { rateLimits: [] };

  it.each<[string, Setting, readonly string[]]>([
    ["a route's own go before the virtual host's", { onHost: HOST }, ['route']],
    ["the virtual host's, where the route has none", { onHost: HOST, action: NONE }, ['host']],
    ['include_vh_rate_limits', { onHost: HOST, action: { includeVhRateLimits: true } }, ['route', 'host']],
    ['vh_rate_limits: INCLUDE', { onHost: HOST, perRoute: { vhRateLimits: 'INCLUDE' } }, ['route', 'host']],
    ['vh_rate_limits: IGNORE', { onHost: HOST, perRoute: { vhRateLimits: 'IGNORE' }, action: NONE }, []],
    [
      'override_option goes before vh_rate_limits',
      { onHost: HOST, perRoute: { vhRateLimits: 'IGNORE', overrideOption: 'INCLUDE_POLICY' } },
      ['route', 'host'],
    ],
    ["the filter's own", { onHost: HOST, filter: { ...PATIENT, rateLimits: OWN } }, ['own']],
    ["the route's in typed_per_filter_config", { perRoute: { rateLimits: OWN } }, ['own']],
    [
      'those of its stage',
      { filter: { ...PATIENT, stage: 3 }, action: { rateLimits: [generic('zero'), generic('three', { stage: 3 })] } },
      ['three'],
    ],
  ])('%s', async (_what, setting, expected) => {
    await ask(setting);
    expect(askedFor().flat()).toEqual(expected);
  });

  it('a route may name another domain', async () => {
    await ask({ perRoute: { domain: 'other' } });
    expect(limits.requests[0]).toMatchObject({ domain: 'other' });
  });

  const INTERNAL = {
    useRemoteAddress: true,
    internalAddresses: { unixSockets: false, cidrRanges: [{ addressPrefix: '127.0.0.0', prefixLength: 8 }] },
  };
  it.each<[string, string, Partial<HttpConnectionManager>, number]>([
    ['internal, and no address is', 'internal', { useRemoteAddress: true }, 0],
    ['external, and all are', 'external', { useRemoteAddress: true }, 1],
    ['internal, and the address is', 'internal', INTERNAL, 1],
    ['external, and the address is internal', 'external', INTERNAL, 0],
  ])('request_type %s', async (_what, requestType, manager, calls) => {
    await ask({ filter: { ...PATIENT, requestType }, manager });
    expect(limits.requests).toHaveLength(calls);
  });

  it('request_type external: what came over a proxy is no internal request', async () => {
    const text = 'GET / HTTP/1.1\r\nhost: web\r\nx-forwarded-for: 127.0.0.1\r\n\r\n';
    await ask({ filter: { ...PATIENT, requestType: 'external' }, manager: INTERNAL }, text);
    expect(limits.requests).toHaveLength(1);
  });

  it('a cluster that is not there: the router says so, and nobody is asked', async () => {
    const { answer } = await ask({ action: { cluster: { kind: 'cluster', name: 'nowhere' } } });
    expect(answer).toContain('HTTP/1.1 503 ');
    expect(limits.requests).toHaveLength(0);
  });
});

function struct(name: string, number: number): Json {
  return { fields: { [name]: { numberValue: number } } };
}

const TELLER = 'type.googleapis.com/test.Teller';

/** Around the rate limit: a filter that says something about the request, and one that hears what was said of it. */
function tellingFilters(): HttpConnectionManager['httpFilters'] {
  const [router] = httpConnectionManager().httpFilters;
  if (router === undefined) throw new Error('no router');
  const config = { typeUrl: TELLER, value: new Uint8Array() };
  const teller = (name: string) => ({ name, isOptional: false, disabled: false, config });
  return [teller('says'), httpFilter('l', `${TYPE}.RateLimit`, PATIENT), teller('hears'), router];
}

/** The same path with the filters that {@link tellingFilters} names. */
function tellingPath(old: DataPath, seen: unknown[]): DataPath {
  old.close();
  const factory: FilterFactory = (name) => ({
    name,
    onRequestHead(stream) {
      stream.metadata ??= new StreamMetadata();
      if (name === 'hears') seen.push(stream.metadata.at('envoy.filters.http.ratelimit', ['left']));
      stream.metadata.set('shop', 'tier', 'gold');
      stream.metadata.set('shop', 'limit', { requests_per_unit: 42, unit: 'HOUR' });
      return 'continue';
    },
  });
  const made = new DataPath({ filterFactories: new Map([...FILTER_FACTORIES, [TELLER, factory]]) });
  made.addCluster('web', [upstream.port]);
  made.addCluster('limits', [limits.port], { upstreamProtocol: HTTP2 });
  return made;
}
