import type { Cluster } from '../../src/resource/cluster.ts';
import type { ClusterLoadAssignment, Endpoint } from '../../src/resource/cluster-load-assignment.ts';
import type { HttpConnectionManager } from '../../src/resource/http-connection-manager.ts';
import { UNSAID_HTTP2_OPTIONS } from '../../src/resource/http2-options.ts';
import type { Listener, TcpProxy } from '../../src/resource/listener.ts';
import type {
  HeaderMutations,
  RetryPolicy,
  Route,
  RouteAction,
  RouteConfiguration,
  RouteMatch,
  VirtualHost,
} from '../../src/resource/route-configuration.ts';

/** Narrow resources with Envoy's defaults; tests say only what they are about. */

export const NO_MUTATIONS: HeaderMutations = {
  requestHeadersToAdd: [],
  requestHeadersToRemove: [],
  responseHeadersToAdd: [],
  responseHeadersToRemove: [],
};

export function routeMatch(overrides: Partial<RouteMatch> = {}): RouteMatch {
  return {
    path: { kind: 'prefix', prefix: '/' },
    caseSensitive: true,
    headers: [],
    queryParameters: [],
    runtimeFraction: 1,
    grpc: false,
    ...overrides,
  };
}

export function routeAction(overrides: Partial<RouteAction> = {}): RouteAction {
  return {
    kind: 'route',
    cluster: { kind: 'cluster', name: 'web' },
    timeoutMs: 15_000,
    idleTimeoutMs: undefined,
    maxStreamDurationMs: undefined,
    grpcTimeoutHeaderMaxMs: undefined,
    grpcTimeoutHeaderOffsetMs: 0,
    prefixRewrite: undefined,
    regexRewrite: undefined,
    hostRewrite: undefined,
    retryPolicy: undefined,
    hedgePolicy: undefined,
    hashPolicy: [],
    requestMirrorPolicies: [],
    rateLimits: [],
    includeVhRateLimits: false,
    upgradeTypes: new Map(),
    clusterNotFoundResponseCode: 503,
    priority: 'default',
    ...overrides,
  };
}

export function retryPolicy(overrides: Partial<RetryPolicy> = {}): RetryPolicy {
  return {
    retryOn: ['connect-failure'],
    numRetries: 1,
    perTryTimeoutMs: 0,
    retriableStatusCodes: [],
    retriableHeaders: [],
    backOff: { baseIntervalMs: 25, maxIntervalMs: 250 },
    previousHosts: false,
    hostSelectionRetryMaxAttempts: 1,
    ...overrides,
  };
}

export function route(overrides: Partial<Route> = {}): Route {
  return {
    name: '',
    match: routeMatch(),
    action: routeAction(),
    headers: NO_MUTATIONS,
    typedPerFilterConfig: new Map(),
    metadata: {},
    ...overrides,
  };
}

export function virtualHost(overrides: Partial<VirtualHost> = {}): VirtualHost {
  return {
    name: 'all',
    domains: ['*'],
    routes: [route()],
    headers: NO_MUTATIONS,
    retryPolicy: undefined,
    hedgePolicy: undefined,
    rateLimits: [],
    typedPerFilterConfig: new Map(),
    ...overrides,
  };
}

export function routeConfiguration(overrides: Partial<RouteConfiguration> = {}): RouteConfiguration {
  return {
    name: 'web',
    virtualHosts: [virtualHost()],
    headers: NO_MUTATIONS,
    ignorePortInHostMatching: false,
    ...overrides,
  };
}

export function endpoint(port: number, overrides: Partial<Endpoint> = {}): Endpoint {
  return {
    address: { kind: 'ip', host: '127.0.0.1', port },
    hostname: '',
    healthStatus: 'healthy',
    loadBalancingWeight: 1,
    metadata: {},
    ...overrides,
  };
}

export function assignment(
  clusterName: string,
  endpoints: readonly Endpoint[],
  overrides: Partial<ClusterLoadAssignment> = {},
): ClusterLoadAssignment {
  return {
    clusterName,
    localities: [{ locality: { region: '', zone: '', subZone: '' }, priority: 0, loadBalancingWeight: 1, endpoints }],
    overprovisioningFactorPercent: 140,
    dropOverloads: [],
    ...overrides,
  };
}

export function cluster(name: string, overrides: Partial<Cluster> = {}): Cluster {
  return {
    name,
    discovery: { kind: 'eds', serviceName: name },
    connectTimeoutMs: 5000,
    loadBalancing: { kind: 'roundRobin', slowStart: undefined },
    circuitBreakers: {
      maxConnections: 1024,
      maxPendingRequests: 1024,
      maxRequests: 1024,
      maxRetries: 3,
      retryBudget: undefined,
      maxConnectionsPerHost: undefined,
    },
    outlierDetection: undefined,
    healthChecks: [],
    healthyPanicThresholdPercent: 50,
    overprovisioningFactorPercent: 140,
    localityWeighted: false,
    closeConnectionsOnHostHealthFailure: false,
    upstreamProtocol: { kind: 'explicitHttp1' },
    transportSocket: undefined,
    transportSocketMatches: [],
    maxRequestsPerConnection: 0,
    idleTimeoutMs: 3_600_000,
    maxConnectionDurationMs: undefined,
    perConnectionBufferLimitBytes: 1_048_576,
    altStatName: undefined,
    metadata: {},
    ...overrides,
  };
}

export function httpConnectionManager(overrides: Partial<HttpConnectionManager> = {}): HttpConnectionManager {
  return {
    statPrefix: 'ingress',
    codecType: 'auto',
    routes: { kind: 'inline', routeConfiguration: routeConfiguration() },
    httpFilters: [
      {
        name: 'envoy.filters.http.router',
        isOptional: false,
        disabled: false,
        config: {
          typeUrl: 'type.googleapis.com/envoy.extensions.filters.http.router.v3.Router',
          value: new Uint8Array(),
        },
      },
    ],
    serverName: 'weft',
    serverHeaderTransformation: 'overwrite',
    via: '',
    useRemoteAddress: false,
    xffNumTrustedHops: 0,
    skipXffAppend: false,
    internalAddresses: { unixSockets: false, cidrRanges: [] },
    generateRequestId: true,
    preserveExternalRequestId: false,
    alwaysSetRequestIdInResponse: false,
    normalizePath: false,
    mergeSlashes: false,
    pathWithEscapedSlashesAction: 'keepUnchanged',
    stripPortFromHost: 'never',
    headersWithUnderscoresAction: 'allow',
    maxRequestHeadersBytes: 61_440,
    maxHeadersCount: 100,
    idleTimeoutMs: 3_600_000,
    maxConnectionDurationMs: 0,
    maxRequestsPerConnection: 0,
    streamIdleTimeoutMs: 300_000,
    requestTimeoutMs: 0,
    requestHeadersTimeoutMs: 0,
    maxStreamDurationMs: 0,
    drainTimeoutMs: 5000,
    delayedCloseTimeoutMs: 1000,
    acceptHttp10: true,
    enableTrailers: true,
    http2: UNSAID_HTTP2_OPTIONS,
    upgradeTypes: [],
    forwardClientCertDetails: 'sanitize',
    currentClientCertDetails: { subject: false, cert: false, chain: false, dns: false, uri: false },
    tracing: undefined,
    accessLogs: [],
    ...overrides,
  };
}

export function httpListener(
  name: string,
  manager: Partial<HttpConnectionManager> = {},
  overrides: Partial<Listener> = {},
): Listener {
  return {
    name,
    address: { kind: 'ip', host: '127.0.0.1', port: 0 },
    trafficDirection: 'outbound',
    listenerFilters: [],
    listenerFiltersTimeoutMs: 15_000,
    continueOnListenerFiltersTimeout: false,
    filterChains: [
      {
        name: '',
        match: {
          destinationPort: undefined,
          prefixRanges: [],
          serverNames: [],
          transportProtocol: '',
          applicationProtocols: [],
        },
        filters: [{ kind: 'httpConnectionManager', name: 'hcm', config: httpConnectionManager(manager) }],
        transportSocket: undefined,
      },
    ],
    defaultFilterChain: undefined,
    perConnectionBufferLimitBytes: 1_048_576,
    tcpBacklogSize: 128,
    metadata: {},
    ...overrides,
  };
}

export function tcpListener(name: string, proxy: Partial<TcpProxy> = {}, overrides: Partial<Listener> = {}): Listener {
  const config: TcpProxy = {
    statPrefix: 'db',
    cluster: { kind: 'cluster', name: 'web' },
    idleTimeoutMs: 3_600_000,
    maxConnectAttempts: 1,
    maxDownstreamConnectionDurationMs: undefined,
    ...proxy,
  };
  const listener = httpListener(name);
  const filters = [{ kind: 'tcpProxy', name: 'tcp', config } as const];
  const filterChains = listener.filterChains.map((chain) => ({ ...chain, filters }));
  return { ...listener, filterChains, ...overrides };
}
