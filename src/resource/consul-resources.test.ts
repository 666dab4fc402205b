import { expect, test } from 'vitest';
import { decodedOk, type Json, ROUTER, socketAddress, typed } from './testing/valid-resources.ts';
import { CLUSTER_LOAD_ASSIGNMENT_TYPE, CLUSTER_TYPE, LISTENER_TYPE, ROUTE_CONFIGURATION_TYPE } from './type-url.ts';

/** Resources in the shape Consul's own control plane sends them: each must be understood as it is. */

const certificate = {
  tlsCertificates: [{ certificateChain: { inlineString: 'C' }, privateKey: { inlineString: 'K' } }],
  tlsParams: {},
};
const trusted = { validationContext: { trustedCa: { inlineString: 'R' } } };
const mutualTls = {
  name: 'tls',
  typedConfig: typed('envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext', {
    commonTlsContext: { ...certificate, ...trusted, alpnProtocols: ['http/1.1'] },
    requireClientCertificate: true,
  }),
};
const source = {
  authenticated: {
    principalName: { safeRegex: { googleRe2: {}, regex: '^spiffe://[^/]+/ns/default/dc/[^/]+/svc/web$' } },
  },
};

function publicListener(filters: readonly Json[]): Json {
  return {
    name: 'public_listener:0.0.0.0:9999',
    address: socketAddress('0.0.0.0', 9999),
    filterChains: [{ filters, transportSocket: mutualTls }],
    trafficDirection: 'INBOUND',
    accessLog: [
      {
        name: 'Consul Listener Filter Log',
        filter: { responseFlagFilter: { flags: ['NR'] } },
        typedConfig: typed('envoy.extensions.access_loggers.stream.v3.StdoutAccessLog', {
          logFormat: { jsonFormat: { m: '%REQ(:METHOD)%' } },
        }),
      },
    ],
  };
}

test('a public TCP listener with intentions', () => {
  const rules = { policies: { 'consul-intentions-layer4': { permissions: [{ any: true }], principals: [source] } } };
  const listener = decodedOk(
    LISTENER_TYPE,
    publicListener([
      {
        name: 'envoy.filters.network.rbac',
        typedConfig: typed('envoy.extensions.filters.network.rbac.v3.RBAC', { rules, statPrefix: 'connect_authz' }),
      },
      {
        name: 'envoy.filters.network.connection_limit',
        typedConfig: typed('envoy.extensions.filters.network.connection_limit.v3.ConnectionLimit', {
          maxConnections: '42',
          statPrefix: 'inbound_connection_limit',
        }),
      },
      {
        name: 'envoy.filters.network.tcp_proxy',
        typedConfig: typed('envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy', {
          cluster: 'local_app',
          statPrefix: 'public_listener',
        }),
      },
    ]),
  );
  expect(listener.filterChains[0]?.filters.map((filter) => filter.kind)).toEqual([
    'extension',
    'extension',
    'tcpProxy',
  ]);
});

test('a public gRPC listener with layer 7 intentions', () => {
  const permission = {
    andRules: {
      rules: [
        { urlPath: { path: { exact: '/v1/secret' } } },
        { notRule: { header: { name: ':method', safeRegexMatch: { regex: 'GET|PUT' } } } },
      ],
    },
  };
  const policies = {
    'consul-intentions-layer7-0': {
      permissions: [permission],
      principals: [{ andIds: { ids: [source, { notId: source }] } }],
    },
  };
  const manager = typed('envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager', {
    statPrefix: 'public_listener',
    forwardClientCertDetails: 'APPEND_FORWARD',
    setCurrentClientCertDetails: { cert: true, chain: true, dns: true, subject: true, uri: true },
    http2ProtocolOptions: {},
    httpFilters: [
      {
        name: 'envoy.filters.http.rbac',
        typedConfig: typed('envoy.extensions.filters.http.rbac.v3.RBAC', { rules: { policies } }),
      },
      {
        name: 'envoy.filters.http.grpc_stats',
        typedConfig: typed('envoy.extensions.filters.http.grpc_stats.v3.FilterConfig', { statsForAllMethods: true }),
      },
      {
        name: 'envoy.filters.http.grpc_http1_bridge',
        typedConfig: typed('envoy.extensions.filters.http.grpc_http1_bridge.v3.Config'),
      },
      ROUTER,
    ],
    routeConfig: {
      name: 'public_listener',
      virtualHosts: [
        {
          name: 'public_listener',
          domains: ['*'],
          routes: [{ match: { prefix: '/' }, route: { cluster: 'local_app' } }],
        },
      ],
    },
    tracing: { randomSampling: {} },
    upgradeConfigs: [{ upgradeType: 'websocket' }],
    accessLog: [
      {
        name: 'Consul Listener Log',
        typedConfig: typed('envoy.extensions.access_loggers.file.v3.FileAccessLog', {
          path: '/tmp/a.log',
          logFormat: { textFormatSource: { inlineString: '%PROTOCOL%' } },
        }),
      },
    ],
  });
  const listener = decodedOk(
    LISTENER_TYPE,
    publicListener([{ name: 'envoy.filters.network.http_connection_manager', typedConfig: manager }]),
  );
  expect(listener.filterChains[0]?.filters[0]).toMatchObject({
    kind: 'httpConnectionManager',
    config: { forwardClientCertDetails: 'appendForward', upgradeTypes: ['websocket'], tracing: { randomSampling: 0 } },
  });
});

test('a cluster of an upstream, with the identity it must show', () => {
  const name = 'db.default.dc1.internal.11111111-2222-3333-4444-555555555555.consul';
  const subjects = {
    matchTypedSubjectAltNames: [{ matcher: { exact: 'spiffe://x.consul/ns/default/dc/dc1/svc/db' }, sanType: 'URI' }],
  };
  const cluster = decodedOk(CLUSTER_TYPE, {
    name,
    type: 'EDS',
    altStatName: name,
    circuitBreakers: {},
    commonLbConfig: { healthyPanicThreshold: {} },
    connectTimeout: '5s',
    edsClusterConfig: { edsConfig: { ads: {}, resourceApiVersion: 'V3' } },
    outlierDetection: {},
    lbPolicy: 'RING_HASH',
    ringHashLbConfig: { minimumRingSize: '20', maximumRingSize: '50' },
    transportSocket: {
      name: 'tls',
      typedConfig: typed('envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext', {
        commonTlsContext: { ...certificate, validationContext: { ...trusted.validationContext, ...subjects } },
        sni: name,
      }),
    },
  });
  expect(cluster).toMatchObject({
    altStatName: name,
    healthyPanicThresholdPercent: 0,
    loadBalancing: { kind: 'ringHash', minimumRingSize: 20, maximumRingSize: 50 },
    transportSocket: {
      kind: 'upstreamTls',
      sni: name,
      common: { validation: { matchSubjectAltNames: [{ matcher: { kind: 'exact' } }] } },
    },
  });
});

test('the local application and the original destination', () => {
  const loadAssignment = {
    clusterName: 'local_app',
    endpoints: [{ lbEndpoints: [{ endpoint: { address: { pipe: { path: '/run/app.sock' } } } }] }],
  };
  const local = decodedOk(CLUSTER_TYPE, { name: 'local_app', type: 'STATIC', connectTimeout: '5s', loadAssignment });
  expect(local.discovery).toMatchObject({ kind: 'static' });
  const passthrough = decodedOk(CLUSTER_TYPE, {
    name: 'original-destination',
    type: 'ORIGINAL_DST',
    lbPolicy: 'CLUSTER_PROVIDED',
    connectTimeout: '5s',
  });
  expect(passthrough.discovery).toMatchObject({ kind: 'originalDst', cleanupIntervalMs: 5_000 });
});

test('endpoints with failover', () => {
  const lbEndpoint = (address: string): Json => ({
    endpoint: { address: socketAddress(address, 8080) },
    healthStatus: 'HEALTHY',
    loadBalancingWeight: 1,
  });
  const assignment = decodedOk(CLUSTER_LOAD_ASSIGNMENT_TYPE, {
    clusterName: 'db',
    endpoints: [
      { lbEndpoints: [lbEndpoint('10.10.1.1'), lbEndpoint('10.10.1.2')] },
      { priority: 1, lbEndpoints: [lbEndpoint('10.20.1.1')] },
    ],
    policy: { overprovisioningFactor: 100_000 },
  });
  expect(assignment).toMatchObject({
    overprovisioningFactorPercent: 100_000,
    localities: [{ priority: 0 }, { priority: 1 }],
  });
});

test('routes of a router, a splitter and a hash', () => {
  const { virtualHosts } = decodedOk(ROUTE_CONFIGURATION_TYPE, {
    name: 'db',
    validateClusters: true,
    virtualHosts: [
      {
        name: 'db',
        domains: ['*'],
        routes: [
          {
            match: {
              prefix: '/',
              headers: [
                { name: 'x-debug', stringMatch: { prefix: 'a' } },
                { name: ':method', stringMatch: { safeRegex: { regex: 'GET|PUT' } } },
              ],
              queryParameters: [{ name: 'q', stringMatch: { exact: '1' } }],
            },
            route: {
              cluster: 'a',
              timeout: '33s',
              idleTimeout: '0s',
              prefixRewrite: '/',
              retryPolicy: {
                numRetries: 15,
                retryOn: 'connect-failure,retriable-status-codes',
                retriableStatusCodes: [401, 409],
              },
            },
          },
          {
            match: { path: '/split' },
            route: {
              weightedClusters: {
                clusters: [
                  {
                    name: 'a',
                    weight: 9_950,
                    requestHeadersToAdd: [
                      { header: { key: 'x', value: 'y' }, appendAction: 'OVERWRITE_IF_EXISTS_OR_ADD' },
                    ],
                  },
                  { name: 'b', weight: 50 },
                ],
                totalWeight: 10_000,
              },
            },
          },
          {
            match: { prefix: '/' },
            route: {
              cluster: 'a',
              hashPolicy: [
                { header: { headerName: 'X-User' } },
                { cookie: { name: 'c', path: '/p', ttl: '10s' } },
                { connectionProperties: { sourceIp: true }, terminal: true },
              ],
            },
          },
        ],
      },
    ],
  });
  expect(virtualHosts[0]?.routes.map(({ action }) => action)).toMatchObject([
    { timeoutMs: 33_000, idleTimeoutMs: 0, retryPolicy: { numRetries: 15 } },
    { cluster: { kind: 'weightedClusters', totalWeight: 10_000 } },
    {
      hashPolicy: [
        { source: { kind: 'header', name: 'x-user' } },
        { source: { kind: 'cookie', ttlMs: 10_000 } },
        { terminal: true },
      ],
    },
  ]);
});
