import { describe, expect, test } from 'vitest';
import { decodeStaticJson } from './resource.ts';
import {
  assignment,
  cluster,
  connectionManager,
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
import {
  CLUSTER_LOAD_ASSIGNMENT_TYPE,
  CLUSTER_TYPE,
  LISTENER_TYPE,
  ROUTE_CONFIGURATION_TYPE,
  type TypeUrl,
} from './type-url.ts';

/** Resources that must be refused, each with the one field its refusal must name. */

type Case = readonly [what: string, json: Json, field: string];

function refused(typeUrl: TypeUrl, cases: readonly Case[]): void {
  test.each(cases)('%s', (_what, json, field) => {
    expect(faultFields(decodeStaticJson(typeUrl, json))).toEqual([field]);
  });
}

const CHAIN = 'filter_chains[0]';
const HCM = `${CHAIN}.filters[0].typed_config`;
const withHcm = (fields: Json): Json => listener({ filterChains: [{ filters: [connectionManager(fields)] }] });
const chain = (match: Json): Json => ({ filterChainMatch: match, filters: [tcpProxy()] });

describe('a listener is refused for', () => {
  refused(LISTENER_TYPE, [
    ['no name', listener({ name: '' }), 'name'],
    ['no address', listener({ address: null }), 'address'],
    ['a host name as address', listener({ address: socketAddress('localhost', 1) }), 'address.socket_address.address'],
    ['a port above 65535', listener({ address: socketAddress('::1', 65536) }), 'address.socket_address.port_value'],
    [
      'UDP',
      listener({ address: { socketAddress: { address: '::', portValue: 1, protocol: 'UDP' } } }),
      'address.socket_address.protocol',
    ],
    ['no filter chain', listener({ filterChains: [] }), 'filter_chains'],
    ['a chain without filters', listener({ filterChains: [{}] }), `${CHAIN}.filters`],
    [
      'a filter after the terminal one',
      listener({ filterChains: [{ filters: [tcpProxy(), tcpProxy()] }] }),
      `${CHAIN}.filters`,
    ],
    [
      'two chains that match everything',
      listener({ filterChains: [chain({}), chain({})] }),
      'filter_chains[1].filter_chain_match',
    ],
    [
      'two chains that share one server name',
      listener({ filterChains: [chain({ serverNames: ['a', 'b'] }), chain({ serverNames: ['B'] })] }),
      'filter_chains[1].filter_chain_match',
    ],
    [
      'a match on source addresses',
      listener({ filterChains: [chain({ sourcePorts: [1] })] }),
      `${CHAIN}.filter_chain_match.source_ports`,
    ],
    [
      'a prefix longer than an address',
      listener({ filterChains: [chain({ prefixRanges: [{ addressPrefix: '10.0.0.0', prefixLen: 33 }] })] }),
      `${CHAIN}.filter_chain_match.prefix_ranges[0].prefix_len`,
    ],
    [
      'a wildcard inside a server name',
      listener({ filterChains: [chain({ serverNames: ['a.*.b'] })] }),
      `${CHAIN}.filter_chain_match.server_names[0]`,
    ],
    [
      'a match on the default chain',
      listener({ defaultFilterChain: chain({ destinationPort: 1 }) }),
      'default_filter_chain.filter_chain_match',
    ],
    [
      'an unknown listener filter',
      listener({
        listenerFilters: [{ name: 'x', typedConfig: typed('envoy.extensions.filters.http.router.v3.Router') }],
      }),
      'listener_filters[0].typed_config',
    ],
    [
      'a network filter that is none',
      listener({
        filterChains: [{ filters: [{ name: 'x', typedConfig: typed('envoy.config.core.v3.Node') }, tcpProxy()] }],
      }),
      `${CHAIN}.filters[0].typed_config`,
    ],
    ['a filter chain matcher', listener({ filterChainMatcher: {} }), 'filter_chain_matcher'],
    [
      'certificates from elsewhere',
      listener({
        filterChains: [
          {
            filters: [tcpProxy()],
            transportSocket: {
              name: 'tls',
              typedConfig: typed('envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext', {
                commonTlsContext: {
                  tlsCertificates: [{ certificateChain: { inlineString: 'c' }, privateKey: { inlineString: 'k' } }],
                  validationContextSdsSecretConfig: { name: 'x' },
                },
              }),
            },
          },
        ],
      }),
      `${CHAIN}.transport_socket.typed_config.common_tls_context.validation_context_sds_secret_config`,
    ],
    [
      'client certificates that nothing verifies',
      listener({
        filterChains: [
          {
            filters: [tcpProxy()],
            transportSocket: {
              name: 'tls',
              typedConfig: typed('envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext', {
                requireClientCertificate: true,
                commonTlsContext: {
                  tlsCertificates: [{ certificateChain: { inlineString: 'c' }, privateKey: { inlineString: 'k' } }],
                },
              }),
            },
          },
        ],
      }),
      `${CHAIN}.transport_socket.typed_config.common_tls_context.validation_context`,
    ],
    [
      'a TCP proxy without cluster',
      listener({ filterChains: [{ filters: [tcpProxy({ cluster: '' })] }] }),
      `${CHAIN}.filters[0].typed_config.cluster`,
    ],
  ]);
});

describe('a connection manager is refused for', () => {
  const rbac = (rules: Json): Json => ({
    name: 'rbac',
    typedConfig: typed('envoy.extensions.filters.http.rbac.v3.RBAC', rules),
  });
  const unknown = { name: 'gzip', typedConfig: typed('envoy.config.core.v3.Node') };
  refused(LISTENER_TYPE, [
    ['no filter at all', withHcm({ httpFilters: [] }), `${HCM}.http_filters`],
    ['no router', withHcm({ httpFilters: [rbac({})] }), `${HCM}.http_filters`],
    ['a filter after the router', withHcm({ httpFilters: [ROUTER, rbac({})] }), `${HCM}.http_filters`],
    ['an unknown filter', withHcm({ httpFilters: [unknown, ROUTER] }), `${HCM}.http_filters[0].typed_config`],
    [
      'a router that is off',
      withHcm({ httpFilters: [{ ...ROUTER, disabled: true }] }),
      `${HCM}.http_filters[0].disabled`,
    ],
    [
      'an RBAC matcher tree, which would be enforced',
      withHcm({ httpFilters: [rbac({ matcher: {} }), ROUTER] }),
      `${HCM}.http_filters[0].typed_config.matcher`,
    ],
    [
      'an RBAC policy without principals',
      withHcm({ httpFilters: [rbac({ rules: { policies: { p: { permissions: [{ any: true }] } } } }), ROUTER] }),
      `${HCM}.http_filters[0].typed_config.rules.policies[p].principals`,
    ],
    [
      'a bad regex in a filter',
      withHcm({
        httpFilters: [
          rbac({
            rules: {
              policies: {
                p: {
                  permissions: [{ any: true }],
                  principals: [{ authenticated: { principalName: { safeRegex: { regex: '(' } } } }],
                },
              },
            },
          }),
          ROUTER,
        ],
      }),
      `${HCM}.http_filters[0].typed_config.rules.policies[p].principals[0].authenticated.principal_name.safe_regex.regex`,
    ],
    ['a negative timeout', withHcm({ requestTimeout: '-1s' }), `${HCM}.request_timeout`],
    ['HTTP/3', withHcm({ codecType: 'HTTP3' }), `${HCM}.codec_type`],
    ['no route name', withHcm({ rds: { configSource: { ads: {} } } }), `${HCM}.rds.route_config_name`],
    [
      'trust in another source of client addresses',
      withHcm({ originalIpDetectionExtensions: [{ name: 'x' }] }),
      `${HCM}.original_ip_detection_extensions`,
    ],
    [
      'a percentage above 100',
      withHcm({ tracing: { randomSampling: { value: 101 } } }),
      `${HCM}.tracing.random_sampling.value`,
    ],
    [
      'a filter on an access log',
      withHcm({
        accessLog: [
          {
            filter: { notHealthCheckFilter: {} },
            typedConfig: typed('envoy.extensions.access_loggers.stream.v3.StdoutAccessLog'),
          },
        ],
      }),
      `${HCM}.access_log[0].filter`,
    ],
    [
      'a fault inside inline routes',
      withHcm({ routeConfig: routeConfiguration({ virtualHosts: [virtualHost({ domains: [] })] }) }),
      `${HCM}.route_config.virtual_hosts[0].domains`,
    ],
  ]);
});

describe('a route configuration is refused for', () => {
  const VH = 'virtual_hosts[0]';
  const ROUTE = `${VH}.routes[0]`;
  const withRoute = (fields: Json): Json =>
    routeConfiguration({ virtualHosts: [virtualHost({ routes: [route(fields)] })] });
  const withAction = (fields: Json): Json => withRoute({ route: { cluster: 'web', ...fields } });
  const header = (key: string, value = 'v'): Json => ({ header: { key, value } });
  refused(ROUTE_CONFIGURATION_TYPE, [
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

describe('a cluster is refused for', () => {
  const policy = (name: string, fields: Json = {}): Json => ({
    typedExtensionConfig: { name, typedConfig: typed(`envoy.extensions.load_balancing_policies.${name}`, fields) },
  });
  const check = { timeout: '1s', interval: '1s', healthyThreshold: 1, unhealthyThreshold: 1 };
  refused(CLUSTER_TYPE, [
    ['a connect timeout of zero', cluster({ connectTimeout: '0s' }), 'connect_timeout'],
    [
      'a policy list that holds none we know',
      cluster({ loadBalancingPolicy: { policies: [policy('pick_first.v3.PickFirst')] } }),
      'load_balancing_policy.policies',
    ],
    ['a policy list that is empty', cluster({ loadBalancingPolicy: {} }), 'load_balancing_policy.policies'],
    ['a policy list without the list', cluster({ lbPolicy: 'LOAD_BALANCING_POLICY_CONFIG' }), 'lb_policy'],
    [
      'one choice among one',
      cluster({ lbPolicy: 'LEAST_REQUEST', leastRequestLbConfig: { choiceCount: 1 } }),
      'least_request_lb_config.choice_count',
    ],
    [
      'a ring smaller than its least',
      cluster({ lbPolicy: 'RING_HASH', ringHashLbConfig: { minimumRingSize: 9, maximumRingSize: 8 } }),
      'ring_hash_lb_config.minimum_ring_size',
    ],
    [
      'another hash than ours',
      cluster({ lbPolicy: 'RING_HASH', ringHashLbConfig: { hashFunction: 'MURMUR_HASH_2' } }),
      'ring_hash_lb_config.hash_function',
    ],
    [
      'a Maglev table that is no prime',
      cluster({ lbPolicy: 'MAGLEV', maglevLbConfig: { tableSize: 65536 } }),
      'maglev_lb_config.table_size',
    ],
    ['subsets', cluster({ lbSubsetConfig: {} }), 'lb_subset_config'],
    [
      'a custom cluster type',
      cluster({
        type: undefined,
        edsClusterConfig: undefined,
        clusterType: { name: 'envoy.clusters.redis' },
        loadAssignment: assignment(),
      }),
      'cluster_type',
    ],
    ['static without endpoints', cluster({ type: 'STATIC', edsClusterConfig: null }), 'load_assignment'],
    [
      'a name where an address must be',
      cluster({
        type: 'STATIC',
        edsClusterConfig: null,
        loadAssignment: assignment({ endpoints: [{ lbEndpoints: [endpoint('web.local')] }] }),
      }),
      'load_assignment.endpoints[0].lb_endpoints[0].endpoint.address.socket_address.address',
    ],
    [
      'two endpoints of one logical name',
      cluster({
        type: 'LOGICAL_DNS',
        edsClusterConfig: null,
        loadAssignment: assignment({ endpoints: [{ lbEndpoints: [endpoint('a.b'), endpoint('c.d')] }] }),
      }),
      'load_assignment',
    ],
    [
      'a health check without thresholds',
      cluster({ healthChecks: [{ ...check, healthyThreshold: null, tcpHealthCheck: {} }] }),
      'health_checks[0].healthy_threshold',
    ],
    ['a health check of nothing', cluster({ healthChecks: [check] }), 'health_checks[0]'],
    [
      'a payload to expect',
      cluster({ healthChecks: [{ ...check, tcpHealthCheck: { send: { text: '00' } } }] }),
      'health_checks[0].tcp_health_check.send',
    ],
    [
      'statuses upside down',
      cluster({
        healthChecks: [{ ...check, httpHealthCheck: { path: '/', expectedStatuses: [{ start: 300, end: 200 }] } }],
      }),
      'health_checks[0].http_health_check.expected_statuses[0]',
    ],
    [
      'an ejection above all hosts',
      cluster({ outlierDetection: { maxEjectionPercent: 101 } }),
      'outlier_detection.max_ejection_percent',
    ],
    [
      'a window below the least of HTTP/2',
      cluster({ http2ProtocolOptions: { initialStreamWindowSize: 100 } }),
      'http2_protocol_options.initial_stream_window_size',
    ],
    [
      'SANs that follow each request',
      cluster({
        typedExtensionProtocolOptions: {
          'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': typed(
            'envoy.extensions.upstreams.http.v3.HttpProtocolOptions',
            {
              explicitHttpConfig: { httpProtocolOptions: {} },
              upstreamHttpProtocolOptions: { autoSanValidation: true },
            },
          ),
        },
      }),
      'typed_extension_protocol_options[envoy.extensions.upstreams.http.v3.HttpProtocolOptions].upstream_http_protocol_options.auto_san_validation',
    ],
    [
      'a pinned certificate, which would not be checked',
      cluster({
        transportSocket: {
          name: 'tls',
          typedConfig: typed('envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext', {
            commonTlsContext: { validationContext: { verifyCertificateHash: ['ab'] } },
          }),
        },
      }),
      'transport_socket.typed_config.common_tls_context.validation_context.verify_certificate_hash',
    ],
    [
      'a downstream context on the upstream side',
      cluster({
        transportSocket: {
          name: 'tls',
          typedConfig: typed('envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext'),
        },
      }),
      'transport_socket.typed_config',
    ],
  ]);
});

describe('a load assignment is refused for', () => {
  const locality = (priority: number, zone = ''): Json => ({ locality: { zone }, priority, lbEndpoints: [endpoint()] });
  refused(CLUSTER_LOAD_ASSIGNMENT_TYPE, [
    ['a gap in its priorities', assignment({ endpoints: [locality(0), locality(2)] }), 'endpoints'],
    ['priorities that do not begin at 0', assignment({ endpoints: [locality(1)] }), 'endpoints'],
    [
      'one locality twice in one priority',
      assignment({ endpoints: [locality(0, 'a'), locality(0, 'a')] }),
      'endpoints[1].locality',
    ],
    [
      'a locality of weight 0',
      assignment({ endpoints: [{ ...locality(0), loadBalancingWeight: 0 }] }),
      'endpoints[0].load_balancing_weight',
    ],
    [
      'an endpoint of weight 0',
      assignment({ endpoints: [{ lbEndpoints: [endpoint('10.0.0.1', { loadBalancingWeight: 0 })] }] }),
      'endpoints[0].lb_endpoints[0].load_balancing_weight',
    ],
    [
      'weights beyond 32 bits',
      assignment({
        endpoints: [{ lbEndpoints: [endpoint('10.0.0.1', { loadBalancingWeight: 4294967295 }), endpoint('10.0.0.2')] }],
      }),
      'endpoints[0].lb_endpoints',
    ],
    [
      'an endpoint without address',
      assignment({ endpoints: [{ lbEndpoints: [{ endpoint: {} }] }] }),
      'endpoints[0].lb_endpoints[0].endpoint.address',
    ],
    [
      'a named endpoint that is not there',
      assignment({ endpoints: [{ lbEndpoints: [{ endpointName: 'x' }] }] }),
      'endpoints[0].lb_endpoints[0].endpoint_name',
    ],
    [
      'health checked elsewhere',
      assignment({
        endpoints: [
          { lbEndpoints: [{ endpoint: { address: socketAddress('::1', 1), healthCheckConfig: { portValue: 9 } } }] },
        ],
      }),
      'endpoints[0].lb_endpoints[0].endpoint.health_check_config.port_value',
    ],
    [
      'an overprovisioning factor of 0',
      assignment({ policy: { overprovisioningFactor: 0 } }),
      'policy.overprovisioning_factor',
    ],
  ]);
});
