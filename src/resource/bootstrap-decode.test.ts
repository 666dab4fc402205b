import { expect, test } from 'vitest';
import { decodeBootstrap, decodeStaticJson } from './resource.ts';
import { cluster, faultFields, type Json, listener } from './testing/valid-resources.ts';
import { CLUSTER_TYPE } from './type-url.ts';

/** As `consul connect envoy -bootstrap` prints it: snake and camel case mixed, one object where a list belongs. */
const CONSUL_BOOTSTRAP: Json = {
  admin: { access_log_path: '/dev/null', address: { socket_address: { address: '127.0.0.1', port_value: 19001 } } },
  node: { cluster: 'web', id: 'web-1-sidecar-proxy', metadata: { namespace: 'default', partition: 'default' } },
  layered_runtime: { layers: [{ name: 'base', static_layer: { 're2.max_program_size.error_level': 1048576 } }] },
  static_resources: {
    clusters: [
      {
        name: 'local_agent',
        ignore_health_on_host_removal: false,
        connect_timeout: '1s',
        type: 'STATIC',
        http2_protocol_options: {},
        loadAssignment: {
          clusterName: 'local_agent',
          endpoints: [
            {
              lbEndpoints: [{ endpoint: { address: { socket_address: { address: '127.0.0.1', port_value: 8502 } } } }],
            },
          ],
        },
      },
    ],
  },
  stats_config: { stats_tags: [{ regex: '^cluster\\.((x)\\.)', tag_name: 'x' }], use_all_default_tags: true },
  dynamic_resources: {
    lds_config: { ads: {}, resource_api_version: 'V3', initial_fetch_timeout: '0s' },
    cds_config: { ads: {}, resource_api_version: 'V3' },
    ads_config: {
      api_type: 'DELTA_GRPC',
      transport_api_version: 'V3',
      grpc_services: {
        initial_metadata: [{ key: 'x-consul-token', value: 'secret' }],
        envoy_grpc: { cluster_name: 'local_agent' },
      },
    },
  },
};

const ONE_SERVER: Json = { api_type: 'GRPC', grpc_services: [{ google_grpc: { target_uri: 'control:1' } }] };
const dynamic = (adsConfig: Json): Json => ({
  ...CONSUL_BOOTSTRAP,
  dynamic_resources: { lds_config: { ads: {} }, ads_config: adsConfig },
});

test("Consul's own bootstrap is understood", () => {
  const decoded = decodeBootstrap(CONSUL_BOOTSTRAP);
  expect(decoded).toMatchObject({
    ok: true,
    value: {
      node: { id: 'web-1-sidecar-proxy', cluster: 'web', metadata: { namespace: 'default', partition: 'default' } },
      admin: { kind: 'ip', host: '127.0.0.1', port: 19001 },
      controlServers: [{ host: '127.0.0.1', port: 8502, initialMetadata: [['x-consul-token', 'secret']] }],
      deltaXds: true,
      staticListeners: [],
    },
  });
  const clusters = decoded.ok ? decoded.value.staticClusters : [];
  expect(clusters.map((json) => decodeStaticJson(CLUSTER_TYPE, json).ok)).toEqual([true]);
});

test('it waits for its first configuration as long as it is told, and asks for no type that it is not told of', () => {
  const sources = (lds: Json | undefined, cds: Json | undefined): unknown => {
    const decoded = decodeBootstrap({
      node: { id: 'a' },
      static_resources: { listeners: [listener()] },
      dynamic_resources: { ads_config: ONE_SERVER, lds_config: lds, cds_config: cds },
    });
    return decoded.ok && { ...decoded.value.subscribes, ms: decoded.value.initialFetchTimeoutMs };
  };
  const ads = (timeout?: string): Json => ({ ads: {}, initial_fetch_timeout: timeout });
  expect(sources(ads('2s'), ads('9s'))).toEqual({ listeners: true, clusters: true, ms: 9_000 });
  expect(sources(ads('0s'), ads('9s'))).toEqual({ listeners: true, clusters: true, ms: 0 });
  expect(sources(undefined, ads())).toEqual({ listeners: false, clusters: true, ms: undefined });
});

test('what has no effect is named, with a warning where somebody may count on it', () => {
  const notes = (fields: Json): unknown => {
    const decoded = decodeBootstrap({ ...CONSUL_BOOTSTRAP, ...fields });
    return (
      decoded.ok && decoded.value.notes.filter(({ level }) => level === 'warn').map(({ field, why }) => [field, why])
    );
  };
  expect(notes({})).toEqual([]);
  expect(notes({ tracing: {}, watchdogs: {} })).toEqual([['tracing', expect.stringContaining('OTEL_')]]);
  const layers = [{ static_layer: { 'routing.beta': 50 } }, { name: 'disk', disk_layer: {} }];
  expect(notes({ layered_runtime: { layers } })).toEqual([
    ['layered_runtime', expect.stringContaining('routing.beta')],
  ]);
});

test('control servers may be named as targets, several in order of preference', () => {
  const target = (uri: string): Json => ({ google_grpc: { target_uri: uri, stat_prefix: 'ads' } });
  const decoded = decodeBootstrap(
    dynamic({ api_type: 'GRPC', grpc_services: [target('control:18000'), target('dns:///[::1]:1')] }),
  );
  expect(decoded).toMatchObject({
    ok: true,
    value: {
      deltaXds: false,
      controlServers: [
        { host: 'control', port: 18000 },
        { host: '::1', port: 1 },
      ],
    },
  });
});

test('static resources alone need no control plane and no node', () => {
  const decoded = decodeBootstrap({ static_resources: { listeners: [listener()], clusters: [cluster()] } });
  expect(decoded).toMatchObject({ ok: true, value: { controlServers: [], admin: { host: '127.0.0.1', port: 19000 } } });
});

test.each<[string, unknown, string]>([
  ['a list', [], '(resource)'],
  ['nothing to serve', {}, '(resource)'],
  ['no node id', { ...CONSUL_BOOTSTRAP, node: {} }, 'node.id'],
  ['a misspelt key', { ...CONSUL_BOOTSTRAP, dynamic_resource: {} }, 'dynamic_resource'],
  [
    'REST',
    dynamic({ api_type: 'REST', grpc_services: [{ google_grpc: { target_uri: 'a:1' } }] }),
    'dynamic_resources.ads_config.api_type',
  ],
  [
    'a control plane that is asked for nothing',
    { ...CONSUL_BOOTSTRAP, dynamic_resources: { ads_config: ONE_SERVER } },
    'dynamic_resources.lds_config',
  ],
  ['no server', dynamic({ api_type: 'GRPC' }), 'dynamic_resources.ads_config.grpc_services'],
  [
    'a cluster that is not there',
    dynamic({ api_type: 'GRPC', grpc_services: [{ envoy_grpc: { cluster_name: 'x' } }] }),
    'dynamic_resources.ads_config.grpc_services[0].envoy_grpc.cluster_name',
  ],
  [
    'a target without port',
    dynamic({ api_type: 'GRPC', grpc_services: [{ google_grpc: { target_uri: 'a' } }] }),
    'dynamic_resources.ads_config.grpc_services[0].google_grpc.target_uri',
  ],
  [
    'listeners asked for elsewhere',
    { ...CONSUL_BOOTSTRAP, dynamic_resources: { lds_config: { path: '/x' } } },
    'dynamic_resources.ads_config',
  ],
  [
    'a bad static listener',
    { static_resources: { listeners: [listener({ address: null })] } },
    'static_resources.listeners[0].address',
  ],
])('a bootstrap is refused for %s', (_what, json, field) => {
  expect(faultFields(decodeBootstrap(json))).toContain(field);
});
