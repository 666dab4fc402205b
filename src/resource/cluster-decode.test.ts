import { describe, expect, test } from 'vitest';
import { decodeStaticJson } from './resource.ts';
import {
  assignment,
  cluster,
  decodedOk,
  endpoint,
  faultFields,
  type Json,
  refused,
  typed,
} from './testing/valid-resources.ts';
import { CLUSTER_TYPE } from './type-url.ts';

const rawBuffer: Json = {
  name: 'raw',
  typedConfig: typed('envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer'),
};

function proxyProtocol(fields: Json): Json {
  const type = 'envoy.extensions.transport_sockets.proxy_protocol.v3.ProxyProtocolUpstreamTransport';
  return { name: 'proxy', typedConfig: typed(type, fields) };
}

/** envoy.clusters.aggregate. */
function aggregate(clusters: readonly string[], fields: Json = {}): Json {
  const typedConfig = typed('envoy.extensions.clusters.aggregate.v3.ClusterConfig', { clusters });
  const clusterType = { name: 'envoy.clusters.aggregate', typedConfig };
  return cluster({
    type: undefined,
    edsClusterConfig: undefined,
    clusterType,
    lbPolicy: 'CLUSTER_PROVIDED',
    ...fields,
  });
}

describe('clusters', () => {
  test('an EDS cluster waits for its endpoints as long as its source says', () => {
    const edsConfig = { ads: {}, initialFetchTimeout: '2s' };
    expect(decodedOk(CLUSTER_TYPE, cluster({ edsClusterConfig: { edsConfig } })).discovery).toEqual({
      kind: 'eds',
      serviceName: 'web',
      initialFetchTimeoutMs: 2_000,
    });
  });

  test('an aggregate names other clusters in order', () => {
    expect(decodedOk(CLUSTER_TYPE, aggregate(['a', 'b'])).discovery).toEqual({
      kind: 'aggregate',
      clusters: ['a', 'b'],
    });
  });

  test('ORIGINAL_DST: where an address may come from, besides the connection', () => {
    const originalDst = (fields: Json): Json =>
      cluster({ type: 'ORIGINAL_DST', edsClusterConfig: undefined, lbPolicy: 'CLUSTER_PROVIDED', ...fields });
    const decoded = (originalDstLbConfig: Json, fields: Json = {}): unknown =>
      decodedOk(CLUSTER_TYPE, originalDst({ originalDstLbConfig, ...fields })).discovery;
    expect(decoded({})).toEqual({ kind: 'originalDst', cleanupIntervalMs: 5_000 });
    const metadataKey = { key: 'my.filter', path: [{ key: 'to' }, { key: 'host' }] };
    expect(decoded({ useHttpHeader: true, upstreamPortOverride: 80, metadataKey }, { cleanupInterval: '1s' })).toEqual({
      kind: 'originalDst',
      httpHeaderName: 'x-envoy-original-dst-host',
      upstreamPortOverride: 80,
      metadataKey: { filter: 'my.filter', path: ['to', 'host'] },
      cleanupIntervalMs: 1_000,
    });
    expect(decoded({ useHttpHeader: true, httpHeaderName: 'X-To' })).toMatchObject({ httpHeaderName: 'x-to' });

    const config = 'original_dst_lb_config';
    const faults = (originalDstLbConfig: Json): readonly string[] =>
      faultFields(decodeStaticJson(CLUSTER_TYPE, originalDst({ originalDstLbConfig })));
    expect(faults({ httpHeaderName: 'x-to' })).toEqual([`${config}.http_header_name`]);
    expect(faults({ useHttpHeader: true, httpHeaderName: 'x to' })).toEqual([`${config}.http_header_name`]);
    expect(faults({ upstreamPortOverride: 65_536 })).toEqual([`${config}.upstream_port_override`]);
    expect(faults({ metadataKey: { key: 'f' } })).toEqual([`${config}.metadata_key.path`]);
    expect(faultFields(decodeStaticJson(CLUSTER_TYPE, originalDst({ lbPolicy: 'ROUND_ROBIN' })))).toEqual([
      'lb_policy',
    ]);
    expect(faultFields(decodeStaticJson(CLUSTER_TYPE, originalDst({ loadAssignment: assignment() })))).toEqual([
      'load_assignment',
    ]);
  });

  test('PROXY protocol goes around plaintext; version 1 where none is named', () => {
    const decoded = (config: Json): unknown =>
      decodedOk(CLUSTER_TYPE, cluster({ transportSocket: proxyProtocol({ ...config, transportSocket: rawBuffer }) }));
    expect(decoded({})).toMatchObject({ transportSocket: { kind: 'upstreamProxyProtocol', version: 'v1' } });
    expect(decoded({ config: { version: 'V2' } })).toMatchObject({ transportSocket: { version: 'v2' } });
  });

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
        clusterType: { name: 'envoy.clusters.redis', typedConfig: typed('envoy.config.core.v3.Node') },
        loadAssignment: assignment(),
      }),
      'cluster_type.typed_config',
    ],
    ['an aggregate of nothing', aggregate([]), 'cluster_type.typed_config.clusters'],
    ['an aggregate of itself', aggregate(['other', 'web']), 'cluster_type.typed_config.clusters'],
    ['an aggregate with endpoints', aggregate(['a'], { loadAssignment: assignment() }), 'load_assignment'],
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
      'TLS inside the PROXY protocol, which would go out in plaintext',
      cluster({
        transportSocket: proxyProtocol({
          transportSocket: {
            name: 'tls',
            typedConfig: typed('envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext'),
          },
        }),
      }),
      'transport_socket.typed_config.transport_socket.typed_config',
    ],
    [
      'PROXY protocol around nothing',
      cluster({ transportSocket: proxyProtocol({}) }),
      'transport_socket.typed_config.transport_socket',
    ],
    [
      'TLVs that would have to be passed through',
      cluster({ transportSocket: proxyProtocol({ config: { passThroughTlvs: {} }, transportSocket: rawBuffer }) }),
      'transport_socket.typed_config.config.pass_through_tlvs',
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
