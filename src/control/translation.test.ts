import { describe, expect, test } from 'vitest';
import { decodeResource } from '../resource/decode.ts';
import { faultsText } from '../resource/fault.ts';
import { buildAny } from '../resource/strict-builder.ts';
import { inconsistencies } from './snapshot/consistency.ts';
import { ResourceEncoder } from './snapshot/resource-encoder.ts';
import type { Json } from './snapshot/resource-literal.ts';
import {
  type Entry,
  HTTP_MESH,
  registration,
  resource,
  resourceNames,
  TRUST_DOMAIN,
  translated,
} from './testing/catalog-fixtures.ts';
import type { TranslatedProxy } from './translate/translate.ts';

const API = `api.default.dc1.internal.${TRUST_DOMAIN}`;

/** The actions of api's routes, in order. */
function routes(proxy: TranslatedProxy): readonly Json[] {
  const [virtualHost] = (resource(proxy, 'RouteConfiguration', 'api')?.['virtualHosts'] ?? []) as readonly Json[];
  return (virtualHost?.['routes'] ?? []) as readonly Json[];
}

const action = (route: Json | undefined): Json => (route?.['route'] ?? {}) as Json;
const api = (kind: Entry['Kind'], fields: Json): Entry => ({ Kind: kind, Name: 'api', ...fields });

/** What every translation promises, whatever goes in. */
function expectSound(proxy: TranslatedProxy): void {
  const all = proxy.units.flatMap(({ resources }) => resources);
  const distinct = [...new Map(all.map((r) => [`${r.typeUrl} ${r.name}`, r])).values()];
  const assignments = new Set(proxy.units.flatMap(({ endpointGroups }) => endpointGroups.map(({ name }) => name)));
  expect(inconsistencies(distinct, assignments)).toEqual([]);
  const encoder = new ResourceEncoder();
  const faults = distinct.flatMap((r) => {
    const encoded = encoder.encode(r);
    if (!encoded.ok) return [encoded.message];
    const built = buildAny({ '@type': r.typeUrl, ...r.json });
    const decoded = built.ok ? decodeResource(r.typeUrl, built.value.value) : built;
    return decoded.ok ? [] : [faultsText(r.name, decoded.faults)];
  });
  expect(faults).toEqual([]);
}

describe('a plain sidecar', () => {
  test('becomes a public listener, a local cluster, and per upstream a listener, routes and a cluster', () => {
    const proxy = translated(registration(), HTTP_MESH);
    expect(resourceNames(proxy)).toEqual([
      'Listener public_listener:10.0.0.1:21000',
      'Cluster local_app',
      'Listener api:127.0.0.1:9191',
      `Cluster ${API}`,
      'RouteConfiguration api',
    ]);
    expect(proxy.problems).toEqual([]);
    expectSound(proxy);
  });

  test('golden: the cluster of an upstream', () => {
    expect(resource(translated(registration(), HTTP_MESH), 'Cluster', API)).toEqual({
      name: API,
      type: 'EDS',
      edsClusterConfig: { edsConfig: { ads: {}, resourceApiVersion: 'V3' } },
      connectTimeout: '5s',
      lbPolicy: 'ROUND_ROBIN',
      circuitBreakers: { thresholds: [{ retryBudget: { budgetPercent: { value: 100 }, minRetryConcurrency: 3 } }] },
      outlierDetection: {},
      commonLbConfig: { healthyPanicThreshold: { value: 0 } },
      typedExtensionProtocolOptions: {
        'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
          '@type': 'type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions',
          commonHttpProtocolOptions: { idleTimeout: '300s' },
          explicitHttpConfig: { httpProtocolOptions: {} },
        },
      },
    });
  });

  test('golden: the routes of an upstream without entries retry only what is safe', () => {
    const proxy = translated(registration(), HTTP_MESH);
    expect(resource(proxy, 'RouteConfiguration', 'api')).toEqual({
      name: 'api',
      virtualHosts: [
        {
          name: 'api',
          domains: ['*'],
          routes: [
            {
              match: { prefix: '/' },
              route: {
                cluster: API,
                retryPolicy: {
                  retryOn: 'connect-failure,refused-stream,retriable-headers',
                  numRetries: 2,
                  retriableHeaders: [{ name: 'x-weft-not-processed', presentMatch: true }],
                  retryHostPredicate: [
                    {
                      name: 'envoy.retry_host_predicates.previous_hosts',
                      typedConfig: {
                        '@type':
                          'type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate',
                      },
                    },
                  ],
                  hostSelectionRetryMaxAttempts: 5,
                },
              },
            },
          ],
        },
      ],
    });
  });

  test('golden: the inbound side', () => {
    const config = { local_connect_timeout_ms: 250, local_request_timeout_ms: 1500, max_inbound_connections: 10 };
    const proxy = translated(registration({ Config: config }), HTTP_MESH);
    expect(resource(proxy, 'Cluster', 'local_app')).toMatchObject({
      type: 'STATIC',
      connectTimeout: '0.25s',
      circuitBreakers: { thresholds: [{ maxConnections: 10 }] },
      loadAssignment: {
        endpoints: [
          { lbEndpoints: [{ endpoint: { address: { socketAddress: { address: '127.0.0.1', portValue: 8080 } } } }] },
        ],
      },
    });
    const listener = resource(proxy, 'Listener', 'public_listener:10.0.0.1:21000');
    expect(listener).toMatchObject({
      trafficDirection: 'INBOUND',
      address: { socketAddress: { address: '10.0.0.1', portValue: 21_000 } },
    });
    expect(JSON.stringify(listener)).toContain('"route":{"cluster":"local_app","timeout":"1.5s"}');
    expectSound(proxy);
  });

  test('without an address of its own serves on all, and a Unix socket is dialled by its path', () => {
    const proxy = translated(registration({ LocalServiceSocketPath: '/run/app.sock' }, { Address: '' }), HTTP_MESH);
    expect(resource(proxy, 'Listener', 'public_listener:0.0.0.0:21000')).toBeDefined();
    expect(JSON.stringify(resource(proxy, 'Cluster', 'local_app'))).toContain('{"pipe":{"path":"/run/app.sock"}}');
  });

  test('of protocol tcp carries bytes on both sides, without routes', () => {
    const proxy = translated(registration());
    expect(resourceNames(proxy)).not.toContain('RouteConfiguration api');
    expect(JSON.stringify(resource(proxy, 'Listener', 'api:127.0.0.1:9191'))).toContain(`"cluster":"${API}"`);
    expect(JSON.stringify(proxy)).not.toContain('http_connection_manager');
    expectSound(proxy);
  });
});

describe('the protocol of an upstream', () => {
  const usesHttp = (proxy: TranslatedProxy): boolean => resource(proxy, 'RouteConfiguration', 'api') !== undefined;
  const upstream = (Config: Json): Json => ({ Upstreams: [{ DestinationName: 'api', LocalBindPort: 9191, Config }] });
  const defaults = api('service-defaults', { Protocol: 'tcp' });

  test('is proxy-defaults unless service-defaults say otherwise, unless the upstream does', () => {
    expect(usesHttp(translated(registration(), HTTP_MESH))).toBe(true);
    expect(usesHttp(translated(registration(), HTTP_MESH, defaults))).toBe(false);
    expect(usesHttp(translated(registration(upstream({ protocol: 'http' })), HTTP_MESH, defaults))).toBe(true);
  });

  test('may be overridden by the calling service for one upstream', () => {
    const web: Entry = {
      Kind: 'service-defaults',
      Name: 'web',
      Protocol: 'http',
      UpstreamConfig: { Overrides: [{ Name: 'api', Protocol: 'http2', Limits: { MaxConnections: 3 } }] },
    };
    const proxy = translated(registration(), HTTP_MESH, web);
    const cluster = proxy.units.flatMap(({ resources }) => resources).find(({ name }) => name.endsWith(`~${API}`));
    expect(JSON.stringify(cluster?.json)).toContain('http2ProtocolOptions');
    expect(cluster?.json).toMatchObject({ edsClusterConfig: { serviceName: API } });
    expect(cluster?.json).toMatchObject({ circuitBreakers: { thresholds: [{ maxConnections: 3 }] } });
    expectSound(proxy);
  });

  test('is known beside limits that an agent copied from an entry in its own spelling', () => {
    const limits = { MaxConnections: 10, MaxPendingRequests: null };
    const passive_health_check = {
      Interval: 10_000_000_000,
      MaxFailures: 4,
      EnforcingConsecutive5xx: 50,
      BaseEjectionTime: 0,
    };
    const proxy = translated(registration(upstream({ protocol: 'http', limits, passive_health_check })), HTTP_MESH);
    expect(proxy.problems).toEqual([]);
    const cluster = proxy.units.flatMap(({ resources }) => resources).find(({ name }) => name.endsWith(API));
    expect(cluster?.json).toMatchObject({
      circuitBreakers: { thresholds: [{ maxConnections: 10 }] },
      outlierDetection: { interval: '10s', consecutive5xx: 4, enforcingConsecutive5xx: 50 },
    });
    expectSound(proxy);
  });

  test('equal to what it would be anyway does not set the cluster apart', () => {
    expect(resourceNames(translated(registration(upstream({ protocol: 'http' })), HTTP_MESH))).toContain(
      `Cluster ${API}`,
    );
  });

  test('that nobody knows is an error of that upstream alone', () => {
    const proxy = translated(registration(), HTTP_MESH, api('service-defaults', { Protocol: 'htpp' }));
    expect(proxy.faultyUnits).toEqual(['upstream api']);
    expect(proxy.problems).toEqual([
      {
        severity: 'error',
        where: 'service-defaults/api (ModifyIndex 7)',
        message: 'unknown protocol "htpp"; use one of tcp, http, http2, grpc',
      },
    ]);
    expect(resourceNames(proxy)).toContain('Cluster local_app');
  });
});

describe('service-router', () => {
  const router = (...Routes: readonly Json[]): Entry => api('service-router', { Routes });

  test('matches in its order, with a last route for the rest, and says which entry made a route', () => {
    const proxy = translated(
      registration(),
      HTTP_MESH,
      router(
        { Match: { HTTP: { PathExact: '/a', Methods: ['get', 'PUT'] } }, Destination: { Service: 'other' } },
        { Match: { HTTP: { PathPrefix: '/b', CaseInsensitive: true } }, Destination: { PrefixRewrite: '/' } },
        { Match: { HTTP: { PathRegex: '/c.*', Header: [{ Name: 'X-V', Suffix: '2', Invert: true }] } } },
        { Match: { HTTP: { QueryParam: [{ Name: 'q', Present: true }] } } },
      ),
    );
    expect(routes(proxy).map((route) => route['match'])).toEqual([
      { path: '/a', headers: [{ name: ':method', stringMatch: { safeRegex: { regex: 'GET|PUT' } } }] },
      { prefix: '/b', caseSensitive: false },
      { safeRegex: { regex: '/c.*' }, headers: [{ name: 'x-v', stringMatch: { suffix: '2' }, invertMatch: true }] },
      { prefix: '/', queryParameters: [{ name: 'q', presentMatch: true }] },
      { prefix: '/' },
    ]);
    expect(action(routes(proxy)[0])['cluster']).toBe(`other.default.dc1.internal.${TRUST_DOMAIN}`);
    expect(action(routes(proxy)[1])['regexRewrite']).toEqual({
      pattern: { regex: '(?i)^/b/?(.*)' },
      substitution: '/\\1',
    });
    expect(routes(proxy)[0]?.['metadata']).toEqual({
      filterMetadata: { weft: { config_entry: 'service-router/api', modify_index: 7 } },
    });
    expectSound(proxy);
  });

  test('adds its retries to the safe ones, and its timeouts and headers', () => {
    const destination = {
      RequestTimeout: '1500ms',
      IdleTimeout: '1m',
      NumRetries: 4,
      RetryOn: ['5xx'],
      RetryOnStatusCodes: [429],
      RequestHeaders: { Add: { 'x-a': '1' }, Set: { 'x-b': '2' }, Remove: ['x-c'] },
    };
    const [route] = routes(translated(registration(), HTTP_MESH, router({ Destination: destination })));
    expect(action(route)).toMatchObject({
      timeout: '1.5s',
      idleTimeout: '60s',
      retryPolicy: {
        retryOn: 'connect-failure,refused-stream,retriable-headers,5xx,retriable-status-codes',
        numRetries: 4,
        retriableStatusCodes: [429],
      },
    });
    expect(route).toMatchObject({
      requestHeadersToAdd: [
        { header: { key: 'x-a', value: '1' }, appendAction: 'APPEND_IF_EXISTS_OR_ADD' },
        { header: { key: 'x-b', value: '2' }, appendAction: 'OVERWRITE_IF_EXISTS_OR_ADD' },
      ],
      requestHeadersToRemove: ['x-c'],
    });
  });

  test('is not asked where the upstream wants tcp', () => {
    const proxy = translated(
      registration({ Upstreams: [{ DestinationName: 'api', LocalBindPort: 9191, Config: { protocol: 'tcp' } }] }),
      HTTP_MESH,
      router({ Destination: { Service: 'other' } }),
    );
    expect(resourceNames(proxy).filter((name) => name.includes('other'))).toEqual([]);
    expectSound(proxy);
  });

  test('to a service of another protocol is refused as Consul refuses it', () => {
    const other: Entry = { Kind: 'service-defaults', Name: 'other', Protocol: 'grpc' };
    const proxy = translated(registration(), HTTP_MESH, other, router({ Destination: { Service: 'other' } }));
    expect(proxy.faultyUnits).toEqual(['upstream api']);
    expect(proxy.problems[0]?.message).toContain(
      'uses inconsistent protocols; service "other" has "grpc" which is not "http"',
    );
  });
});

describe('service-splitter', () => {
  const splits = (name: string, ...Splits: readonly Json[]): Entry => ({
    Kind: 'service-splitter',
    Name: name,
    Splits,
  });
  const weights = (proxy: TranslatedProxy): readonly (readonly [string, number])[] => {
    const weighted = action(routes(proxy)[0])['weightedClusters'] as {
      clusters: readonly { name: string; weight: number }[];
    };
    return weighted.clusters.map(({ name, weight }) => [name.split('.')[0] ?? '', weight] as const);
  };

  test('splits by weight, in hundredths of a percent', () => {
    const entry = splits('api', { Weight: 99.95 }, { Weight: 0.05, Service: 'canary' });
    const proxy = translated(registration(), HTTP_MESH, entry);
    expect(weights(proxy)).toEqual([
      ['api', 9995],
      ['canary', 5],
    ]);
    expectSound(proxy);
  });

  test('within a splitter multiplies', () => {
    const outer = splits('api', { Weight: 50 }, { Weight: 50, Service: 'canary' });
    const inner = splits('canary', { Weight: 20, Service: 'canary' }, { Weight: 80, Service: 'stable' });
    expect(weights(translated(registration(), HTTP_MESH, outer, inner))).toEqual([
      ['api', 5000],
      ['canary', 1000],
      ['stable', 4000],
    ]);
  });

  test('in a circle is refused, naming the circle', () => {
    const there = splits('api', { Weight: 100, Service: 'b' });
    const back = splits('b', { Weight: 100, Service: 'api' });
    const proxy = translated(registration(), HTTP_MESH, there, back);
    expect(proxy.problems[0]).toMatchObject({
      where: 'service-splitter/api (ModifyIndex 7)',
      message: expect.stringContaining(
        'detected circular reference: [splitter:api.default.default -> splitter:b.default.default -> splitter:api.default.default]',
      ) as string,
    });
    expect(proxy.faultyUnits).toEqual(['upstream api']);
  });

  test('keeps each split its own headers', () => {
    const entry = splits('api', { Weight: 100, RequestHeaders: { Set: { 'x-s': '1' } } });
    expect(JSON.stringify(action(routes(translated(registration(), HTTP_MESH, entry))[0]))).toContain(
      '"weight":10000,"requestHeadersToAdd":[{"header":{"key":"x-s","value":"1"},"appendAction":"OVERWRITE_IF_EXISTS_OR_ADD"}]',
    );
  });
});

describe('service-resolver', () => {
  const resolver = (fields: Json, name = 'api'): Entry => ({ Kind: 'service-resolver', Name: name, ...fields });
  const groups = (proxy: TranslatedProxy) => proxy.units.flatMap(({ endpointGroups }) => endpointGroups);

  test('picks the default subset, and asks Consul for its instances by its filter', () => {
    const Subsets = { v1: { Filter: 'Service.Meta.version == 1', OnlyPassing: true } };
    const proxy = translated(registration(), HTTP_MESH, resolver({ DefaultSubset: 'v1', Subsets }));
    expect(groups(proxy)).toEqual([
      {
        name: `v1.${API}`,
        query: { service: 'api', datacenter: 'dc1', filter: 'Service.Meta.version == 1' },
        onlyPassing: true,
      },
    ]);
    expectSound(proxy);
  });

  test('redirects, also to another datacenter, and what is said at the end of the way counts', () => {
    const proxy = translated(
      registration(),
      HTTP_MESH,
      resolver({ Redirect: { Service: 'b', Datacenter: 'dc2' }, ConnectTimeout: '1s' }),
      resolver(
        {
          ConnectTimeout: '2s',
          RequestTimeout: '30s',
          LoadBalancer: { Policy: 'least_request', LeastRequestConfig: { ChoiceCount: 3 } },
        },
        'b',
      ),
    );
    const name = `b.default.dc2.internal.${TRUST_DOMAIN}`;
    expect(resource(proxy, 'Cluster', name)).toMatchObject({
      connectTimeout: '2s',
      lbPolicy: 'LEAST_REQUEST',
      leastRequestLbConfig: { choiceCount: 3 },
    });
    expect(action(routes(proxy)[0])).toMatchObject({ cluster: name, timeout: '30s' });
    expect(groups(proxy)[0]?.query).toEqual({ service: 'b', datacenter: 'dc2', filter: '' });
  });

  test('in a circle is refused, naming the circle', () => {
    const proxy = translated(
      registration(),
      HTTP_MESH,
      resolver({ Redirect: { Service: 'b' } }),
      resolver({ Redirect: { Service: 'api' } }, 'b'),
    );
    expect(proxy.problems[0]?.message).toContain(
      'detected circular resolver redirect: [api.default.default.dc1 -> b.default.default.dc1 -> api.default.default.dc1]',
    );
    expect(proxy.problems[0]?.where).toBe('service-resolver/api (ModifyIndex 7)');
  });

  test('without the subset that a route names is refused at the entry that names it', () => {
    const splitter = api('service-splitter', { Splits: [{ Weight: 100, ServiceSubset: 'v9' }] });
    const proxy = translated(registration(), HTTP_MESH, splitter);
    expect(proxy.problems[0]).toMatchObject({
      where: 'service-splitter/api (ModifyIndex 7)',
      message: expect.stringContaining('service "api" does not have a subset named "v9"') as string,
    });
  });

  test('with a hashing policy brings its hash policies to the routes', () => {
    const HashPolicies = [{ Field: 'header', FieldValue: 'x-user', Terminal: true }, { SourceIP: true }];
    const proxy = translated(registration(), HTTP_MESH, resolver({ LoadBalancer: { Policy: 'maglev', HashPolicies } }));
    expect(resource(proxy, 'Cluster', API)).toMatchObject({ lbPolicy: 'MAGLEV' });
    expect(action(routes(proxy)[0])['hashPolicy']).toEqual([
      { header: { headerName: 'x-user' }, terminal: true },
      { connectionProperties: { sourceIp: true } },
    ]);
    expectSound(proxy);
  });
});

describe('extension keys', () => {
  const withConfig = (Config: Json): TranslatedProxy =>
    translated(registration({ Upstreams: [{ DestinationName: 'api', LocalBindPort: 9191, Config }] }), HTTP_MESH);

  test('set what Consul has no word for', () => {
    const proxy = withConfig({ weft_lb_policy: 'least_request', weft_slow_start_ms: 30_000, weft_num_retries: 0 });
    const cluster = proxy.units.flatMap(({ resources }) => resources).find(({ name }) => name.endsWith(API));
    expect(cluster?.json).toMatchObject({
      lbPolicy: 'LEAST_REQUEST',
      leastRequestLbConfig: { slowStartConfig: { slowStartWindow: '30s' } },
    });
    expect(action(routes(proxy)[0])).not.toHaveProperty('retryPolicy');
    expectSound(proxy);
  });

  test('that are unknown or out of range are named, and applied not at all', () => {
    const proxy = withConfig({
      weft_lb_polcy: 'random',
      weft_retry_budget_percent: 200,
      limits: { max_connections: 5, max_pending_requests: -1 },
    });
    expect(proxy.problems.map(({ severity, message }) => `${severity}: ${message}`)).toEqual([
      'error: "max_pending_requests" must be a whole number from 0 to 10000000, not -1; the key is not applied',
      'error: "weft_retry_budget_percent" must be a number from 0 to 100, not 200; the key is not applied',
      'warning: unknown key "weft_lb_polcy"; it is ignored. Did you mean "weft_lb_policy"?',
    ]);
    expect(resource(proxy, 'Cluster', API)).toMatchObject({
      circuitBreakers: { thresholds: [{ retryBudget: { budgetPercent: { value: 100 } } }] },
    });
    expect(JSON.stringify(proxy)).not.toContain('maxConnections');
  });

  test('that an agent copied from proxy-defaults are reported there only', () => {
    const mesh: Entry = { ...HTTP_MESH, Config: { protocol: 'http', weft_typo: 1 } };
    const proxy = translated(registration({ Config: { protocol: 'http', weft_typo: 1 } }), mesh);
    expect(proxy.problems.map(({ where }) => where)).toEqual(['proxy-defaults/global (ModifyIndex 7): Config']);
  });

  test('set the share of requests that are traced', () => {
    const mesh: Entry = { ...HTTP_MESH, Config: { protocol: 'http', weft_trace_sampling_percent: 12.5 } };
    const listener = resource(translated(registration(), mesh), 'Listener', 'api:127.0.0.1:9191');
    expect(JSON.stringify(listener)).toContain('"tracing":{"randomSampling":{"value":12.5}}');
  });
});

describe('an upstream that cannot be', () => {
  const upstreams = (...Upstreams: readonly Json[]): TranslatedProxy =>
    translated(registration({ Upstreams }), HTTP_MESH);

  test.each([
    ['a peer', { DestinationName: 'q', DestinationPeer: 'east', LocalBindPort: 1 }, 'cluster peering'],
    ['without a port', { DestinationName: 'q' }, 'has no port'],
    ['on a host name', { DestinationName: 'q', LocalBindAddress: 'localhost', LocalBindPort: 1 }, 'is no IP address'],
  ])('(%s) is named and leaves the others alone', (_what, bad, message) => {
    const proxy = upstreams(bad, { DestinationName: 'api', LocalBindPort: 9191 });
    expect(proxy.problems[0]?.message).toContain(message);
    expect(proxy.problems[0]?.where).toContain('registration web-1-sidecar-proxy: upstream q');
    expect(resourceNames(proxy)).toContain('Listener api:127.0.0.1:9191');
  });

  test('because another has its port or its destination, yields to the first', () => {
    const proxy = upstreams(
      { DestinationName: 'api', LocalBindPort: 9191 },
      { DestinationName: 'other', LocalBindPort: 9191 },
      { DestinationName: 'api', LocalBindPort: 9192 },
    );
    expect(proxy.problems).toHaveLength(2);
    expect(resourceNames(proxy).filter((name) => name.startsWith('Listener'))).toEqual([
      'Listener public_listener:10.0.0.1:21000',
      'Listener api:127.0.0.1:9191',
    ]);
  });
});
