import { describe, expect, test } from 'vitest';
import type { Decoded } from './fault.ts';
import {
  buildAny,
  decodeAccessLogger,
  decodeHttpFilterConfig,
  decodeNetworkFilterConfig,
  decodeRouteFilterConfig,
} from './resource.ts';
import type { TypedExtension } from './route-configuration.ts';
import { faultFields, type Json, typed } from './testing/valid-resources.ts';

const HTTP = 'envoy.extensions.filters.http';
const NETWORK = 'envoy.extensions.filters.network';

function extension(fullName: string, fields: Json = {}): TypedExtension {
  const any = buildAny(typed(fullName, fields));
  if (!any.ok) throw new Error(JSON.stringify(any.faults));
  return any.value;
}

function opened<T>(decoded: Decoded<T>): T {
  if (!decoded.ok) throw new Error(JSON.stringify(decoded.faults));
  return decoded.value;
}

const httpFilter = (name: string, fields: Json): Decoded<unknown> =>
  decodeHttpFilterConfig(extension(`${HTTP}.${name}`, fields));

const JWT = 'jwt_authn.v3.JwtAuthentication';
const GLOBAL = 'ratelimit.v3.RateLimit';
const LIMITS = { grpcService: { envoyGrpc: { clusterName: 'limits' } }, transportApiVersion: 'V3' };
const jwks = (text: string): object => ({ localJwks: { inlineString: text } });

describe('HTTP filters', () => {
  test('RBAC: permissions and principals, nested', () => {
    const permissions = [{ notRule: { urlPath: { path: { prefix: '/admin' } } } }];
    const principals = [{ authenticated: { principalName: { safeRegex: { regex: '^spiffe://.*$' } } } }];
    expect(
      opened(httpFilter('rbac.v3.RBAC', { rules: { action: 'DENY', policies: { p: { permissions, principals } } } })),
    ).toEqual({
      kind: 'rbac',
      shadowRules: undefined,
      rulesStatPrefix: '',
      shadowRulesStatPrefix: '',
      rules: {
        action: 'deny',
        policies: new Map([
          [
            'p',
            {
              permissions: [
                {
                  kind: 'not',
                  rule: { kind: 'urlPath', matcher: { kind: 'prefix', value: '/admin', ignoreCase: false } },
                },
              ],
              principals: [{ kind: 'authenticated', principalName: { kind: 'safeRegex', pattern: '^spiffe://.*$' } }],
            },
          ],
        ]),
      },
    });
  });

  test('RBAC rules without policies are rules that let nobody in, and no rules are none', () => {
    expect(opened(httpFilter('rbac.v3.RBAC', { rules: {} }))).toMatchObject({
      rules: { action: 'allow', policies: new Map() },
    });
    expect(opened(httpFilter('rbac.v3.RBAC', {}))).toMatchObject({ rules: undefined });
  });

  test('a fault: delay and abort, each for a share of requests', () => {
    const fields = {
      delay: { fixedDelay: '0.1s', percentage: { numerator: 50 } },
      abort: { grpcStatus: 14, percentage: { numerator: 1, denominator: 'MILLION' } },
      maxActiveFaults: 3,
    };
    expect(opened(httpFilter('fault.v3.HTTPFault', fields))).toMatchObject({
      delay: { fixedMs: 100, fraction: 0.5 },
      abort: { by: 'grpcStatus', status: 14, fraction: 0.000001 },
      maxActiveFaults: 3,
    });
  });

  test('a local rate limit is off until shares are given', () => {
    const tokenBucket = { maxTokens: 10, tokensPerFill: 5, fillInterval: '1s' };
    const off = opened(httpFilter('local_ratelimit.v3.LocalRateLimit', { statPrefix: 'x', tokenBucket }));
    expect(off).toMatchObject({
      tokenBucket: { maxTokens: 10, tokensPerFill: 5, fillIntervalMs: 1_000 },
      status: 429,
      filterEnabled: 0,
      filterEnforced: 0,
    });
    const share = { defaultValue: { numerator: 100 } };
    const fields = {
      statPrefix: 'x',
      tokenBucket,
      filterEnabled: share,
      filterEnforced: share,
      status: { code: 'ServiceUnavailable' },
    };
    expect(opened(httpFilter('local_ratelimit.v3.LocalRateLimit', fields))).toMatchObject({
      status: 503,
      filterEnabled: 1,
      filterEnforced: 1,
    });
  });

  test('a global rate limit waits 20 ms, refuses with 429, and lets through what it cannot ask about', () => {
    const said = opened(httpFilter(GLOBAL, { domain: 'd', rateLimitService: LIMITS }));
    expect(said).toMatchObject({
      requestType: 'both',
      service: { clusterName: 'limits', timeoutMs: 20 },
      filterEnabled: 1,
      filterEnforced: 1,
      failureModeDeny: 0,
      rateLimitedStatus: 429,
      statusOnError: 500,
      addsLimitedHeader: true,
      addsLimitHeaders: false,
    });
  });

  test('header mutations in their order', () => {
    const requestMutations = [
      { remove: 'X-A' },
      { append: { header: { key: 'X-B', value: '1' }, appendAction: 'ADD_IF_ABSENT' } },
    ];
    expect(opened(httpFilter('header_mutation.v3.HeaderMutation', { mutations: { requestMutations } }))).toMatchObject({
      requestMutations: [
        { kind: 'remove', name: 'x-a' },
        { kind: 'append', option: { name: 'x-b', value: '1', appendAction: 'addIfAbsent' } },
      ],
    });
  });

  test('a health check answers by itself, passes through, or counts healthy hosts', () => {
    const fields = {
      passThroughMode: false,
      clusterMinHealthyPercentages: { web: { value: 25 } },
      headers: [{ name: ':path', stringMatch: { exact: '/healthz' } }],
    };
    expect(opened(httpFilter('health_check.v3.HealthCheck', fields))).toMatchObject({
      passThroughMode: false,
      cacheTimeMs: undefined,
      clusterMinHealthyPercentages: new Map([['web', 25]]),
    });
  });

  test('a session kept in a cookie', () => {
    const cookie = typed('envoy.extensions.http.stateful_session.cookie.v3.CookieBasedSessionState', {
      cookie: { name: 's', ttl: '60s', path: '/' },
    });
    expect(
      opened(
        httpFilter('stateful_session.v3.StatefulSession', {
          sessionState: { name: 'c', typedConfig: cookie },
          strict: true,
        }),
      ),
    ).toEqual({
      kind: 'statefulSession',
      session: { by: 'cookie', name: 's', ttlMs: 60_000, path: '/' },
      strict: true,
    });
  });

  test.each<[string, string, Json, string]>([
    ['an abort of status 42', 'fault.v3.HTTPFault', { abort: { httpStatus: 42 } }, 'abort.http_status'],
    [
      'a limited response rate',
      'fault.v3.HTTPFault',
      { responseRateLimit: { fixedLimit: { limitKbps: 1 } } },
      'response_rate_limit',
    ],
    [
      'an empty bucket',
      'local_ratelimit.v3.LocalRateLimit',
      { statPrefix: 'x', tokenBucket: { fillInterval: '1s' } },
      'token_bucket.max_tokens',
    ],
    [
      'a bucket that is never filled',
      'local_ratelimit.v3.LocalRateLimit',
      { statPrefix: 'x', tokenBucket: { maxTokens: 1 } },
      'token_bucket.fill_interval',
    ],
    [
      'limits by descriptor',
      'local_ratelimit.v3.LocalRateLimit',
      { statPrefix: 'x', descriptors: [{}] },
      'descriptors',
    ],
    [
      'a mutation of host',
      'header_mutation.v3.HeaderMutation',
      { mutations: { requestMutations: [{ remove: 'host' }] } },
      'mutations.request_mutations[0].remove',
    ],
    ['a global rate limit without a service', GLOBAL, { domain: 'd' }, 'rate_limit_service'],
    ['a global rate limit without a domain', GLOBAL, { rateLimitService: LIMITS }, 'domain'],
    ['a stage of 11', GLOBAL, { domain: 'd', rateLimitService: LIMITS, stage: 11 }, 'stage'],
    [
      'another kind of requests',
      GLOBAL,
      { domain: 'd', rateLimitService: LIMITS, requestType: 'some' },
      'request_type',
    ],
    [
      'a service of an older version',
      GLOBAL,
      { domain: 'd', rateLimitService: { ...LIMITS, transportApiVersion: 'V2' } },
      'rate_limit_service.transport_api_version',
    ],
    [
      "stages inside a filter's configuration",
      GLOBAL,
      { domain: 'd', rateLimitService: LIMITS, rateLimits: [{ stage: 1, actions: [{ remoteAddress: {} }] }] },
      'rate_limits[0].stage',
    ],
    ['a buffer of nothing', 'buffer.v3.Buffer', {}, 'max_request_bytes'],
    ['a health check that does not say what it does', 'health_check.v3.HealthCheck', {}, 'pass_through_mode'],
    [
      'a condition in CEL',
      'rbac.v3.RBAC',
      { rules: { policies: { p: { permissions: [{ any: true }], principals: [{ any: true }], condition: {} } } } },
      'rules.policies[p].condition',
    ],
    [
      'a principal by metadata with a number',
      'rbac.v3.RBAC',
      {
        rules: {
          policies: {
            p: {
              permissions: [{ any: true }],
              principals: [{ metadata: { filter: 'f', path: [{ key: 'k' }], value: { doubleMatch: { exact: 1 } } } }],
            },
          },
        },
      },
      'rules.policies[p].principals[0].metadata.value.double_match',
    ],
    [
      'keys that are fetched from nowhere',
      JWT,
      { providers: { p: { remoteJwks: { httpUri: { uri: '/keys', cluster: 'c', timeout: '1s' } } } } },
      'providers[p].remote_jwks.http_uri.uri',
    ],
    [
      'keys in the environment',
      JWT,
      { providers: { p: { localJwks: { environmentVariable: 'KEYS' } } } },
      'providers[p].local_jwks.environment_variable',
    ],
    ['a key set without keys', JWT, { providers: { p: jwks('{"keys":[]}') } }, 'providers[p].local_jwks'],
    ['a key set that is no JSON', JWT, { providers: { p: jwks('{') } }, 'providers[p].local_jwks'],
    [
      'a requirement of a provider that is not there',
      JWT,
      { rules: [{ match: { prefix: '/' }, requires: { providerName: 'q' } }] },
      'rules[0].requires.provider_name',
    ],
    [
      'a list with a requirement that requires nothing',
      JWT,
      {
        providers: { p: jwks('{"keys":[{"kty":"oct","k":"AA"}]}') },
        rules: [{ match: { prefix: '/' }, requires: { requiresAny: { requirements: [{ providerName: 'p' }, {}] } } }],
      },
      'rules[0].requires.requires_any.requirements[1]',
    ],
    [
      'admission control with a threshold of nothing',
      'admission_control.v3.AdmissionControl',
      { successCriteria: {}, srThreshold: { defaultValue: { value: 0.5 } } },
      'sr_threshold.default_value',
    ],
    [
      'adaptive concurrency with bounds the wrong way round',
      'adaptive_concurrency.v3.AdaptiveConcurrency',
      {
        gradientControllerConfig: {
          concurrencyLimitParams: { maxConcurrencyLimit: 2, concurrencyUpdateInterval: '1s' },
          minRttCalcParams: { interval: '60s', minConcurrency: 3 },
        },
      },
      'gradient_controller_config.min_rtt_calc_params.min_concurrency',
    ],
  ])('%s is refused', (_what, name, fields, field) => {
    expect(faultFields(httpFilter(name, fields))).toEqual([field]);
  });
});

test('what a route says about a filter', () => {
  const route = (name: string, fields: Json = {}): unknown =>
    opened(decodeRouteFilterConfig(extension(`${HTTP}.${name}`, fields)));
  expect(route('buffer.v3.BufferPerRoute', { disabled: true })).toEqual({ kind: 'disabled' });
  expect(route('buffer.v3.BufferPerRoute', { buffer: { maxRequestBytes: 9 } })).toEqual({
    kind: 'buffer',
    maxRequestBytes: 9,
  });
  expect(route('rbac.v3.RBACPerRoute')).toEqual({ kind: 'rbac', rules: undefined, shadowRules: undefined });
  expect(
    route('cors.v3.CorsPolicy', { allowOriginStringMatch: [{ exact: 'https://a' }], allowCredentials: true }),
  ).toMatchObject({
    kind: 'cors',
    allowOrigins: [{ kind: 'exact', value: 'https://a' }],
    allowCredentials: true,
    filterEnabled: 1,
    forwardNotMatchingPreflights: true,
  });
});

test('network filters', () => {
  const network = (name: string, fields: Json): Decoded<unknown> =>
    decodeNetworkFilterConfig(extension(`${NETWORK}.${name}`, fields));
  expect(
    opened(network('connection_limit.v3.ConnectionLimit', { statPrefix: 'x', maxConnections: 5, delay: '0.5s' })),
  ).toEqual({
    kind: 'connectionLimit',
    statPrefix: 'x',
    maxConnections: 5,
    delayMs: 500,
  });
  expect(faultFields(network('connection_limit.v3.ConnectionLimit', { statPrefix: 'x' }))).toEqual(['max_connections']);
  expect(faultFields(network('rbac.v3.RBAC', { statPrefix: 'x', matcher: {} }))).toEqual(['matcher']);
});

test('access loggers: where lines go, and their format in every spelling', () => {
  const logger = (name: string, fields: Json): unknown =>
    opened(decodeAccessLogger(extension(`envoy.extensions.access_loggers.${name}`, fields)));
  expect(logger('file.v3.FileAccessLog', { path: '/dev/stdout', format: '%PROTOCOL%' })).toEqual({
    destination: { kind: 'file', path: '/dev/stdout' },
    format: { kind: 'text', text: '%PROTOCOL%', omitEmptyValues: false },
  });
  expect(
    logger('stream.v3.StdoutAccessLog', { logFormat: { jsonFormat: { m: '%REQ(:METHOD)%' }, omitEmptyValues: true } }),
  ).toEqual({
    destination: { kind: 'stdout' },
    format: { kind: 'json', json: { m: '%REQ(:METHOD)%' }, omitEmptyValues: true },
  });
  expect(logger('stream.v3.StderrAccessLog', {})).toEqual({
    destination: { kind: 'stderr' },
    format: { kind: 'default' },
  });
});

test('an extension of another kind, and bytes that are none, are answered', () => {
  const router = extension(`${HTTP}.router.v3.Router`);
  expect(decodeHttpFilterConfig(router).ok).toBe(true);
  expect(decodeNetworkFilterConfig(router).ok).toBe(false);
  expect(decodeHttpFilterConfig({ typeUrl: 'nonsense', value: new Uint8Array() }).ok).toBe(false);
  expect(decodeHttpFilterConfig({ typeUrl: router.typeUrl, value: new Uint8Array([0x0a, 0xff]) }).ok).toBe(false);
});
