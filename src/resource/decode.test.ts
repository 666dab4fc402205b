import { describe, expect, test } from 'vitest';
import {
  decodeHttpFilterConfig,
  decodeRouteFilterConfig,
  decodeStaticJson,
  resourceName,
  sameBytes,
} from './resource.ts';
import { buildAny, buildMessage } from './strict-builder.ts';
import {
  assignment,
  cluster,
  connectionManager,
  decodedOk,
  endpoint,
  faultFields,
  type Json,
  listener,
  ROUTER,
  route,
  routeConfiguration,
  socketAddress,
  tcpProxy,
  typed,
  virtualHost,
} from './testing/valid-resources.ts';
import { CLUSTER_LOAD_ASSIGNMENT_TYPE, CLUSTER_TYPE, LISTENER_TYPE, ROUTE_CONFIGURATION_TYPE } from './type-url.ts';

function onlyChain(json: Json) {
  const [chain] = decodedOk(LISTENER_TYPE, json).filterChains;
  if (chain === undefined) throw new Error('no chain');
  return chain;
}

function onlyManager(fields: Json) {
  const [filter] = onlyChain(listener({ filterChains: [{ filters: [connectionManager(fields)] }] })).filters;
  if (filter?.kind !== 'httpConnectionManager') throw new Error('no connection manager');
  return filter.config;
}

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

describe('listeners', () => {
  test("what is not said has Envoy's defaults", () => {
    expect(decodedOk(LISTENER_TYPE, listener())).toMatchObject({
      address: { kind: 'ip', host: '127.0.0.1', port: 21000 },
      trafficDirection: 'unspecified',
      listenerFiltersTimeoutMs: 15_000,
      perConnectionBufferLimitBytes: 1_048_576,
      defaultFilterChain: undefined,
    });
    expect(onlyManager({})).toMatchObject({
      routes: { kind: 'rds', routeConfigName: 'public' },
      streamIdleTimeoutMs: 300_000,
      requestTimeoutMs: 0,
      drainTimeoutMs: 5_000,
      delayedCloseTimeoutMs: 1_000,
      idleTimeoutMs: 3_600_000,
      maxRequestHeadersBytes: 61_440,
      maxHeadersCount: 100,
      generateRequestId: true,
      tracing: undefined,
    });
  });

  test('chains keep their order, their match and their terminal filter', () => {
    const match = {
      serverNames: ['A.b', '*.c'],
      prefixRanges: [{ addressPrefix: '10.0.0.0', prefixLen: 8 }],
      destinationPort: 443,
    };
    const chain = onlyChain(
      listener({ filterChains: [{ filterChainMatch: match, filters: [tcpProxy({ idleTimeout: '0s' })] }] }),
    );
    expect(chain.match).toMatchObject({
      serverNames: ['a.b', '*.c'],
      prefixRanges: [{ addressPrefix: '10.0.0.0', prefixLength: 8 }],
      destinationPort: 443,
    });
    expect(chain.filters).toMatchObject([
      { kind: 'tcpProxy', config: { cluster: { name: 'local_app' }, idleTimeoutMs: 0 } },
    ]);
  });

  test('use_original_dst stands for the listener filter of that name', () => {
    expect(decodedOk(LISTENER_TYPE, listener({ useOriginalDst: true })).listenerFilters).toEqual([
      { kind: 'originalDst' },
    ]);
  });

  test('an optional filter that is not known is left out, a required one is a fault', () => {
    const unknown = { name: 'x', typedConfig: typed('envoy.config.core.v3.Node') };
    expect(onlyManager({ httpFilters: [{ ...unknown, isOptional: true }, ROUTER] }).httpFilters).toHaveLength(1);
    const json = listener({ filterChains: [{ filters: [connectionManager({ httpFilters: [unknown, ROUTER] })] }] });
    expect(faultFields(decodeStaticJson(LISTENER_TYPE, json))).toHaveLength(1);
  });

  test('a sidecar without a factory for a filter refuses it', () => {
    const support = {
      httpFilters: new Set<string>(),
      networkFilters: new Set<string>(),
      accessLoggers: new Set<string>(),
    };
    expect(faultFields(decodeStaticJson(LISTENER_TYPE, listener(), support))).toContain(
      'filter_chains[0].filters[0].typed_config.http_filters[0].typed_config',
    );
  });

  test('TLS contexts come with their certificates and what they check', () => {
    const commonTlsContext = {
      tlsCertificates: [{ certificateChain: { inlineString: 'CHAIN' }, privateKey: { inlineBytes: 'S0VZ' } }],
      validationContext: {
        trustedCa: { inlineString: 'ROOTS' },
        matchTypedSubjectAltNames: [{ sanType: 'URI', matcher: { exact: 'spiffe://a/b' } }],
      },
      tlsParams: { tlsMinimumProtocolVersion: 'TLSv1_3' },
    };
    const transportSocket = {
      name: 'tls',
      typedConfig: typed('envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext', {
        requireClientCertificate: true,
        commonTlsContext,
      }),
    };
    expect(onlyChain(listener({ filterChains: [{ filters: [tcpProxy()], transportSocket }] })).transportSocket).toEqual(
      {
        kind: 'downstreamTls',
        requireClientCertificate: true,
        common: {
          certificates: [{ certificateChainPem: 'CHAIN', privateKeyPem: 'KEY' }],
          trustedCaPem: 'ROOTS',
          matchSubjectAltNames: [{ kind: 'exact', value: 'spiffe://a/b', ignoreCase: false }],
          alpnProtocols: [],
          minimumVersion: 'TLSv1.3',
        },
      },
    );
  });
});

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

  test('a retry policy: words, count, statuses, headers, back-off', () => {
    const retryPolicy = {
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

describe('clusters', () => {
  test("what is not said has Envoy's defaults", () => {
    expect(decodedOk(CLUSTER_TYPE, cluster())).toMatchObject({
      discovery: { kind: 'eds', serviceName: 'web' },
      connectTimeoutMs: 5_000,
      loadBalancing: { kind: 'roundRobin' },
      circuitBreakers: { maxConnections: 1024, maxPendingRequests: 1024, maxRequests: 1024, maxRetries: 3 },
      healthyPanicThresholdPercent: 50,
      overprovisioningFactorPercent: 140,
      upstreamProtocol: { kind: 'explicitHttp1' },
      idleTimeoutMs: 3_600_000,
      maxRequestsPerConnection: 0,
    });
  });

  test('the first policy of the list that is known is taken, whatever stands before it', () => {
    const policy = (name: string, fields: Json = {}): Json => ({
      typedExtensionConfig: { name, typedConfig: typed(`envoy.extensions.load_balancing_policies.${name}`, fields) },
    });
    const policies = [
      policy('pick_first.v3.PickFirst'),
      policy('wrr_locality.v3.WrrLocality', {
        endpointPickingPolicy: {
          policies: [
            policy('least_request.v3.LeastRequest', { choiceCount: 3, slowStartConfig: { slowStartWindow: '30s' } }),
          ],
        },
      }),
      policy('random.v3.Random'),
    ];
    expect(decodedOk(CLUSTER_TYPE, cluster({ loadBalancingPolicy: { policies }, lbPolicy: 'MAGLEV' }))).toMatchObject({
      loadBalancing: {
        kind: 'leastRequest',
        choiceCount: 3,
        slowStart: { windowMs: 30_000, aggression: 1, minWeightPercent: 10 },
      },
      localityWeighted: true,
    });
  });

  test('protocol options are read under their new name and from the older fields', () => {
    const key = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions';
    const http2ProtocolOptions = { maxConcurrentStreams: 7 };
    const options = typed(key, {
      explicitHttpConfig: { http2ProtocolOptions },
      commonHttpProtocolOptions: { idleTimeout: '5s', maxRequestsPerConnection: 9 },
    });
    const newer = decodedOk(CLUSTER_TYPE, cluster({ typedExtensionProtocolOptions: { [key]: options } }));
    expect(newer).toMatchObject({
      upstreamProtocol: { kind: 'explicitHttp2', http2: { maxConcurrentStreams: 7 } },
      idleTimeoutMs: 5_000,
      maxRequestsPerConnection: 9,
    });
    const older = decodedOk(
      CLUSTER_TYPE,
      cluster({ http2ProtocolOptions, commonHttpProtocolOptions: { idleTimeout: '5s' }, maxRequestsPerConnection: 9 }),
    );
    expect(older.upstreamProtocol).toEqual(newer.upstreamProtocol);
    expect([older.idleTimeoutMs, older.maxRequestsPerConnection]).toEqual([5_000, 9]);
  });

  test('DNS clusters take names', () => {
    const loadAssignment = assignment({ endpoints: [{ lbEndpoints: [endpoint('web.local')] }] });
    const json = cluster({ type: 'STRICT_DNS', edsClusterConfig: null, loadAssignment, dnsRefreshRate: '2s' });
    expect(decodedOk(CLUSTER_TYPE, json).discovery).toMatchObject({ kind: 'strictDns', refreshMs: 2_000 });
  });
});

describe('load assignments', () => {
  test('an unknown health is healthy, an absent weight is 1, and endpoints may be named', () => {
    const json = assignment({
      namedEndpoints: { b: { address: socketAddress('10.0.0.2', 81) } },
      endpoints: [
        { priority: 1, lbEndpoints: [{ endpointName: 'b', healthStatus: 'DRAINING', loadBalancingWeight: 5 }] },
        { lbEndpoints: [endpoint()] },
      ],
      policy: {
        dropOverloads: [{ category: 'throttle', dropPercentage: { numerator: 5, denominator: 'TEN_THOUSAND' } }],
      },
    });
    expect(decodedOk(CLUSTER_LOAD_ASSIGNMENT_TYPE, json)).toMatchObject({
      localities: [
        {
          priority: 1,
          endpoints: [{ address: { host: '10.0.0.2', port: 81 }, healthStatus: 'draining', loadBalancingWeight: 5 }],
        },
        { priority: 0, loadBalancingWeight: 1, endpoints: [{ healthStatus: 'healthy', loadBalancingWeight: 1 }] },
      ],
      dropOverloads: [{ category: 'throttle', fraction: 0.0005 }],
    });
  });
});

test('a filter config is opened for its factory', () => {
  const rules = {
    action: 'DENY',
    policies: {
      p: {
        permissions: [{ notRule: { urlPath: { path: { prefix: '/admin' } } } }],
        principals: [{ authenticated: { principalName: { safeRegex: { regex: '^spiffe://.*$' } } } }],
      },
    },
  };
  const any = buildAny(typed('envoy.extensions.filters.http.rbac.v3.RBAC', { rules }));
  expect(any.ok && decodeHttpFilterConfig(any.value)).toEqual({
    ok: true,
    value: {
      kind: 'rbac',
      shadowRules: undefined,
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
    },
  });
});

test('a resource is named even where it will be refused', () => {
  const named = buildMessage('envoy.config.cluster.v3.Cluster', { name: 'web', type: 'STATIC' });
  const unnamed = buildMessage('envoy.config.cluster.v3.Cluster', {});
  expect(named.ok && resourceName(CLUSTER_TYPE, named.value)).toBe('web');
  expect(unnamed.ok && resourceName(CLUSTER_TYPE, unnamed.value)).toBeUndefined();
  expect(resourceName(CLUSTER_TYPE, new Uint8Array([255]))).toBeUndefined();
  expect(resourceName('type.googleapis.com/nobody.Knows', new Uint8Array())).toBeUndefined();
});

test('equality is of bytes', () => {
  expect(sameBytes(new Uint8Array([1, 2]), Buffer.from([1, 2]))).toBe(true);
  expect(sameBytes(new Uint8Array([1, 2]), new Uint8Array([1, 3]))).toBe(false);
});

test('extensions nested in each other without end are a fault and not a crash', () => {
  let inner: Json = typed('envoy.extensions.load_balancing_policies.random.v3.Random');
  for (let depth = 0; depth < 30; depth += 1) {
    const policies = [{ typedExtensionConfig: { name: 'wrr', typedConfig: inner } }];
    inner = typed('envoy.extensions.load_balancing_policies.wrr_locality.v3.WrrLocality', {
      endpointPickingPolicy: { policies },
    });
  }
  const json = cluster({
    loadBalancingPolicy: { policies: [{ typedExtensionConfig: { name: 'wrr', typedConfig: inner } }] },
  });
  expect(decodeStaticJson(CLUSTER_TYPE, json).ok).toBe(false);
});
