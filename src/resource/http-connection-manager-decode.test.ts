import { describe, expect, test } from 'vitest';
import {
  connectionManager,
  decodedOk,
  type Json,
  listener,
  ROUTER,
  refused,
  routeConfiguration,
  typed,
  virtualHost,
} from './testing/valid-resources.ts';
import { LISTENER_TYPE } from './type-url.ts';

const CHAIN = 'filter_chains[0]';
const HCM = `${CHAIN}.filters[0].typed_config`;
const withHcm = (fields: Json): Json => listener({ filterChains: [{ filters: [connectionManager(fields)] }] });

const headerToMetadata = (rule: Json): Json => ({
  name: 'metadata',
  typedConfig: typed('envoy.extensions.filters.http.header_to_metadata.v3.Config', { requestRules: [rule] }),
});

test('a filter that only writes metadata nobody reads is left out', () => {
  const rule = { header: 'x-tenant', onHeaderPresent: { metadataNamespace: 'consul', key: 'tenant' } };
  const chain = decodedOk(LISTENER_TYPE, withHcm({ httpFilters: [headerToMetadata(rule), ROUTER] })).filterChains[0];
  const manager = chain?.filters[0];
  const names = manager?.kind === 'httpConnectionManager' && manager.config.httpFilters.map(({ name }) => name);
  expect(names).toEqual([ROUTER['name']]);
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
    [
      'a metadata filter that removes a header',
      withHcm({
        httpFilters: [headerToMetadata({ header: 'x', remove: true, onHeaderPresent: { key: 'k' } }), ROUTER],
      }),
      `${HCM}.http_filters[0].typed_config.request_rules[0].remove`,
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

describe('http2_protocol_options', () => {
  const of = (fields: Json): unknown => {
    const decoded = decodedOk(LISTENER_TYPE, withHcm(fields));
    const [filter] = decoded.filterChains[0]?.filters ?? [];
    return filter?.kind === 'httpConnectionManager' ? filter.config.http2 : undefined;
  };

  test('are read whole', () => {
    const http2ProtocolOptions = {
      hpackTableSize: 1024,
      maxConcurrentStreams: 50,
      initialStreamWindowSize: 70_000,
      initialConnectionWindowSize: 80_000,
      allowConnect: true,
      maxOutboundFrames: 11,
      maxOutboundControlFrames: 12,
      maxConsecutiveInboundFramesWithEmptyPayload: 13,
      maxInboundPriorityFramesPerStream: 14,
      maxInboundWindowUpdateFramesPerDataFrameSent: 15,
      overrideStreamErrorOnInvalidHttpMessage: true,
      connectionKeepalive: { interval: '30s', timeout: '3s', connectionIdleInterval: '5s' },
    };
    expect(of({ http2ProtocolOptions, streamErrorOnInvalidHttpMessage: false })).toEqual({
      hpackTableSizeBytes: 1024,
      maxConcurrentStreams: 50,
      initialStreamWindowSizeBytes: 70_000,
      initialConnectionWindowSizeBytes: 80_000,
      allowConnect: true,
      maxOutboundFrames: 11,
      maxOutboundControlFrames: 12,
      maxConsecutiveInboundFramesWithEmptyPayload: 13,
      maxInboundPriorityFramesPerStream: 14,
      maxInboundWindowUpdateFramesPerDataFrameSent: 15,
      streamErrorOnInvalidHttpMessage: true,
      connectionKeepaliveIntervalMs: 30_000,
      connectionKeepaliveTimeoutMs: 3_000,
      connectionIdleIntervalMs: 5_000,
    });
  });

  test('what they do not say of malformed messages the connection manager may', () => {
    expect(of({ streamErrorOnInvalidHttpMessage: false })).toMatchObject({ streamErrorOnInvalidHttpMessage: false });
    expect(of({})).toMatchObject({ streamErrorOnInvalidHttpMessage: undefined });
  });

  refused(LISTENER_TYPE, [
    [
      'no stream at all',
      withHcm({ http2ProtocolOptions: { maxConcurrentStreams: 0 } }),
      `${HCM}.http2_protocol_options.max_concurrent_streams`,
    ],
    [
      'a window above 2^31-1',
      withHcm({ http2ProtocolOptions: { initialConnectionWindowSize: 2 ** 31 } }),
      `${HCM}.http2_protocol_options.initial_connection_window_size`,
    ],
    [
      'a sign of life in no time',
      withHcm({ http2ProtocolOptions: { connectionKeepalive: { interval: '1s', timeout: '0s' } } }),
      `${HCM}.http2_protocol_options.connection_keepalive.timeout`,
    ],
  ]);
});
