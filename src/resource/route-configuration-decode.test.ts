import { describe, expect, test } from 'vitest';
import { decodeRouteFilterConfig } from './resource.ts';
import {
  decodedOk,
  type Json,
  refused,
  route,
  routeConfiguration,
  typed,
  virtualHost,
} from './testing/valid-resources.ts';
import { ROUTE_CONFIGURATION_TYPE } from './type-url.ts';

function onlyRoute(fields: Json) {
  const json = routeConfiguration({ virtualHosts: [virtualHost({ routes: [route(fields)] })] });
  const only = decodedOk(ROUTE_CONFIGURATION_TYPE, json).virtualHosts[0]?.routes[0];
  if (only === undefined) throw new Error('no route');
  return only;
}

function onlyAction(fields: Json) {
  const { action } = onlyRoute({ route: { cluster: 'web', ...fields } });
  if (action.kind !== 'route') throw new Error('no route action');
  return action;
}

describe('route configurations', () => {
  test("what is not said has Envoy's defaults", () => {
    const decoded = onlyRoute({});
    expect(decoded.match).toMatchObject({
      path: { kind: 'prefix', prefix: '/' },
      caseSensitive: true,
      runtimeFraction: 1,
      grpc: false,
    });
    expect(decoded.action).toMatchObject({
      timeoutMs: 15_000,
      idleTimeoutMs: undefined,
      retryPolicy: undefined,
      clusterNotFoundResponseCode: 503,
      priority: 'default',
    });
  });

  test('a hedge policy, of a route or a virtual host; several requests from the start are not made, as in Envoy', () => {
    const hedgePolicy = { hedgeOnPerTryTimeout: true, initialRequests: 2, additionalRequestChance: { numerator: 50 } };
    expect(onlyAction({ hedgePolicy }).hedgePolicy).toEqual({ hedgeOnPerTryTimeout: true });
    expect(onlyAction({}).hedgePolicy).toBeUndefined();
    const json = routeConfiguration({ virtualHosts: [virtualHost({ hedgePolicy: {} })] });
    const [host] = decodedOk(ROUTE_CONFIGURATION_TYPE, json).virtualHosts;
    expect(host?.hedgePolicy).toEqual({ hedgeOnPerTryTimeout: false });
  });

  test('a retry policy: words, count, statuses, headers, back-off', () => {
    const retryPolicy = {
      retryPriority: {
        name: 'envoy.retry_priorities.previous_priorities',
        typedConfig: typed('envoy.extensions.retry.priority.previous_priorities.v3.PreviousPrioritiesConfig', {
          updateFrequency: 2,
        }),
      },
      retryOn: 'connect-failure, refused-stream,retriable-headers',
      numRetries: 2,
      perTryTimeout: '0.5s',
      retriableStatusCodes: [503],
      retriableHeaders: [{ name: 'X-Weft-Not-Processed', presentMatch: true }],
      retryHostPredicate: [
        {
          name: 'envoy.retry_host_predicates.previous_hosts',
          typedConfig: typed('envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate'),
        },
      ],
    };
    expect(onlyAction({ retryPolicy }).retryPolicy).toEqual({
      previousPrioritiesUpdateFrequency: 2,
      retryOn: ['connect-failure', 'refused-stream', 'retriable-headers'],
      numRetries: 2,
      perTryTimeoutMs: 500,
      retriableStatusCodes: [503],
      retriableHeaders: [
        {
          name: 'x-weft-not-processed',
          match: { kind: 'present', present: true },
          invertMatch: false,
          treatMissingHeaderAsEmpty: false,
        },
      ],
      backOff: { baseIntervalMs: 25, maxIntervalMs: 250 },
      previousHosts: true,
      hostSelectionRetryMaxAttempts: 1,
    });
  });

  test('weighted clusters carry their total', () => {
    expect(
      onlyAction({
        cluster: undefined,
        weightedClusters: {
          clusters: [
            { name: 'a', weight: 30 },
            { name: 'b', weight: 70 },
          ],
        },
      }).cluster,
    ).toMatchObject({
      kind: 'weightedClusters',
      totalWeight: 100,
      clusters: [
        { name: 'a', weight: 30 },
        { name: 'b', weight: 70 },
      ],
    });
  });

  test('both spellings of a header match mean the same', () => {
    const headers = [
      { name: 'A', exactMatch: 'x' },
      { name: 'a', stringMatch: { exact: 'x' } },
    ];
    const [older, newer] = onlyRoute({ match: { prefix: '/', headers } }).match.headers;
    expect(older).toEqual(newer);
  });

  test('the older append counts like append_action, and an empty value is added only when asked for', () => {
    const requestHeadersToAdd = [
      { header: { key: 'A', value: '1' }, append: false },
      { header: { key: 'b' } },
      { header: { key: 'c' }, keepEmptyValue: true, appendAction: 'ADD_IF_ABSENT' },
    ];
    expect(onlyRoute({ requestHeadersToAdd }).headers.requestHeadersToAdd).toEqual([
      { name: 'a', value: '1', appendAction: 'overwriteIfExistsOrAdd' },
      { name: 'c', value: '', appendAction: 'addIfAbsent' },
    ]);
  });

  test('mirrors and filter configs of a level apply below it unless a level below says otherwise', () => {
    const filterConfig = (status: number): Json =>
      typed('envoy.extensions.filters.http.fault.v3.HTTPFault', { abort: { httpStatus: status } });
    const json = routeConfiguration({
      requestMirrorPolicies: [{ cluster: 'all' }],
      typedPerFilterConfig: { one: filterConfig(500), two: filterConfig(501) },
      virtualHosts: [
        virtualHost({
          typedPerFilterConfig: { two: filterConfig(502) },
          routes: [route(), route({ route: { cluster: 'web', requestMirrorPolicies: [{ cluster: 'own' }] } })],
        }),
      ],
    });
    const [host] = decodedOk(ROUTE_CONFIGURATION_TYPE, json).virtualHosts;
    const mirrors = host?.routes.map(({ action }) =>
      action.kind === 'route' ? action.requestMirrorPolicies[0]?.cluster : '',
    );
    expect(mirrors).toEqual(['all', 'own']);
    const statuses = [...(host?.typedPerFilterConfig ?? [])].map(([name, extension]) => {
      const config = decodeRouteFilterConfig(extension);
      return [name, config.ok && config.value.kind === 'fault' && config.value.abort];
    });
    expect(statuses).toMatchObject([
      ['one', { status: 500 }],
      ['two', { status: 502 }],
    ]);
  });

  test('a filter config that is wrapped is unwrapped, and one that turns its filter off stays', () => {
    const fault = typed('envoy.extensions.filters.http.fault.v3.HTTPFault', { abort: { httpStatus: 500 } });
    const wrap = (fields: Json): Json => typed('envoy.config.route.v3.FilterConfig', fields);
    const typedPerFilterConfig = {
      off: wrap({ disabled: true }),
      on: wrap({ config: fault }),
      unknown: wrap({ isOptional: true, config: typed('envoy.config.core.v3.Node') }),
    };
    const configs = [...onlyRoute({ typedPerFilterConfig }).typedPerFilterConfig];
    expect(configs.map(([name, extension]) => [name, decodeRouteFilterConfig(extension)])).toMatchObject([
      ['off', { ok: true, value: { kind: 'disabled' } }],
      ['on', { ok: true, value: { kind: 'fault' } }],
    ]);
  });

  test('metadata stays plain JSON', () => {
    const metadata = { filterMetadata: { weft: { entry: 'service-router/web', index: 3 } } };
    expect(onlyRoute({ metadata }).metadata).toEqual({ weft: { entry: 'service-router/web', index: 3 } });
  });
});

describe('a route configuration is refused for', () => {
  const VH = 'virtual_hosts[0]';
  const ROUTE = `${VH}.routes[0]`;
  const withRoute = (fields: Json): Json =>
    routeConfiguration({ virtualHosts: [virtualHost({ routes: [route(fields)] })] });
  const withAction = (fields: Json): Json => withRoute({ route: { cluster: 'web', ...fields } });
  const header = (key: string, value = 'v'): Json => ({ header: { key, value } });
  refused(ROUTE_CONFIGURATION_TYPE, [
    [
      'a hedge of no request',
      routeConfiguration({ virtualHosts: [virtualHost({ hedgePolicy: { initialRequests: 0 } })] }),
      'virtual_hosts[0].hedge_policy.initial_requests',
    ],
    ['no name', routeConfiguration({ name: '' }), 'name'],
    [
      'one domain in two virtual hosts',
      routeConfiguration({ virtualHosts: [virtualHost(), virtualHost()] }),
      'virtual_hosts[1].domains[0]',
    ],
    [
      'one domain in another case',
      routeConfiguration({ virtualHosts: [virtualHost({ domains: ['A.b', 'a.B'] })] }),
      `${VH}.domains[1]`,
    ],
    [
      'a wildcard inside a domain',
      routeConfiguration({ virtualHosts: [virtualHost({ domains: ['a.*.b'] })] }),
      `${VH}.domains[0]`,
    ],
    ['a virtual host without name', routeConfiguration({ virtualHosts: [virtualHost({ name: '' })] }), `${VH}.name`],
    [
      'required TLS, which would not be enforced',
      routeConfiguration({ virtualHosts: [virtualHost({ requireTls: 'ALL' })] }),
      `${VH}.require_tls`,
    ],
    ['no match', withRoute({ match: null }), `${ROUTE}.match`],
    ['an empty match', withRoute({ match: {} }), `${ROUTE}.match`],
    ['a bad path regex', withRoute({ match: { safeRegex: { regex: '[' } } }), `${ROUTE}.match.safe_regex.regex`],
    [
      'a regex with a back reference',
      withRoute({ match: { safeRegex: { regex: '(a)\\1' } } }),
      `${ROUTE}.match.safe_regex.regex`,
    ],
    [
      'a separated prefix that ends in /',
      withRoute({ match: { pathSeparatedPrefix: '/a/' } }),
      `${ROUTE}.match.path_separated_prefix`,
    ],
    [
      'a match on client certificates',
      withRoute({ match: { prefix: '/', tlsContext: { presented: true } } }),
      `${ROUTE}.match.tls_context`,
    ],
    [
      'a header matcher without name',
      withRoute({ match: { prefix: '/', headers: [{ presentMatch: true }] } }),
      `${ROUTE}.match.headers[0].name`,
    ],
    [
      'an empty prefix matcher',
      withRoute({ match: { prefix: '/', headers: [{ name: 'a', stringMatch: { prefix: '' } }] } }),
      `${ROUTE}.match.headers[0].string_match.prefix`,
    ],
    [
      'a range upside down',
      withRoute({ match: { prefix: '/', headers: [{ name: 'a', rangeMatch: { start: 5, end: 1 } }] } }),
      `${ROUTE}.match.headers[0].range_match.end`,
    ],
    ['no cluster', withRoute({ route: {} }), `${ROUTE}.route`],
    [
      'weights that add up to nothing',
      withRoute({ route: { weightedClusters: { clusters: [{ name: 'a', weight: 0 }] } } }),
      `${ROUTE}.route.weighted_clusters.clusters`,
    ],
    [
      'weights beyond 32 bits',
      withRoute({
        route: {
          weightedClusters: {
            clusters: [
              { name: 'a', weight: 4294967295 },
              { name: 'b', weight: 1 },
            ],
          },
        },
      }),
      `${ROUTE}.route.weighted_clusters.clusters`,
    ],
    [
      'two rewrites of one path',
      withAction({ prefixRewrite: '/b', regexRewrite: { pattern: { regex: 'a' }, substitution: 'b' } }),
      `${ROUTE}.route.regex_rewrite`,
    ],
    [
      'a subset of hosts',
      withAction({ metadataMatch: { filterMetadata: { 'envoy.lb': { v: 1 } } } }),
      `${ROUTE}.route.metadata_match`,
    ],
    [
      'a longest back-off below the first',
      withAction({ retryPolicy: { retryBackOff: { baseInterval: '1s', maxInterval: '0.5s' } } }),
      `${ROUTE}.route.retry_policy.retry_back_off.max_interval`,
    ],
    [
      'an unknown retry host predicate',
      withAction({ retryPolicy: { retryHostPredicate: [{ name: 'omit_canary' }] } }),
      `${ROUTE}.route.retry_policy.retry_host_predicate[0]`,
    ],
    [
      'a change of a pseudo-header',
      withRoute({ requestHeadersToAdd: [header(':path')] }),
      `${ROUTE}.request_headers_to_add[0].header.key`,
    ],
    [
      'a change of host',
      withRoute({ requestHeadersToAdd: [header('Host')] }),
      `${ROUTE}.request_headers_to_add[0].header.key`,
    ],
    [
      'the removal of host',
      withRoute({ requestHeadersToRemove: ['a', 'host'] }),
      `${ROUTE}.request_headers_to_remove[1]`,
    ],
    [
      'a header name that is no token',
      withRoute({ responseHeadersToAdd: [header('a b')] }),
      `${ROUTE}.response_headers_to_add[0].header.key`,
    ],
    [
      'a header value with a line break',
      withRoute({ responseHeadersToAdd: [header('a', 'b\r\nc: d')] }),
      `${ROUTE}.response_headers_to_add[0].header.value`,
    ],
    [
      'a redirect with a line break',
      withRoute({ redirect: { hostRedirect: 'a\nb' } }),
      `${ROUTE}.redirect.host_redirect`,
    ],
    [
      'a direct response of status 99',
      withRoute({ directResponse: { status: 99 } }),
      `${ROUTE}.direct_response.status`,
    ],
    [
      'a direct response that is too long',
      withRoute({ directResponse: { status: 200, body: { inlineString: 'x'.repeat(4097) } } }),
      `${ROUTE}.direct_response.body`,
    ],
    [
      'a direct response from a file',
      withRoute({ directResponse: { status: 200, body: { filename: '/etc/passwd' } } }),
      `${ROUTE}.direct_response.body.filename`,
    ],
    [
      'an unknown filter config',
      withRoute({ typedPerFilterConfig: { x: typed('envoy.config.core.v3.Node') } }),
      `${ROUTE}.typed_per_filter_config[x]`,
    ],
    ['routes to be asked for one by one', routeConfiguration({ vhds: { configSource: { ads: {} } } }), 'vhds'],
  ]);
});
