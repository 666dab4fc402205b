import { describe, expect, test } from 'vitest';
import { decodeStaticJson } from './resource.ts';
import {
  connectionManager,
  decodedOk,
  faultFields,
  type Json,
  listener,
  ROUTER,
  refused,
  socketAddress,
  tcpProxy,
  typed,
} from './testing/valid-resources.ts';
import { DEFAULT_TLS_PARAMETERS, EMPTY_TLS_CONTEXT } from './transport-socket.ts';
import { LISTENER_TYPE } from './type-url.ts';

const CHAIN = 'filter_chains[0]';
const chain = (match: Json): Json => ({ filterChainMatch: match, filters: [tcpProxy()] });

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

  test('drain_type', () => {
    expect(decodedOk(LISTENER_TYPE, listener({ drainType: 'MODIFY_ONLY' })).drainType).toBe('modifyOnly');
    expect(decodedOk(LISTENER_TYPE, listener({ drainType: 'DEFAULT' })).drainType).toBeUndefined();
  });

  test('bind_to_port: false is said in either of its two places', () => {
    expect(decodedOk(LISTENER_TYPE, listener({ bindToPort: false })).bindToPort).toBe(false);
    expect(decodedOk(LISTENER_TYPE, listener({ deprecatedV1: { bindToPort: false } })).bindToPort).toBe(false);
    expect(decodedOk(LISTENER_TYPE, listener({ bindToPort: true })).bindToPort).toBeUndefined();
  });

  test('use_original_dst stands for the listener filter of that name', () => {
    expect(decodedOk(LISTENER_TYPE, listener({ useOriginalDst: true })).useOriginalDst).toBe(true);
    expect(decodedOk(LISTENER_TYPE, listener()).useOriginalDst).toBeUndefined();
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
          ...EMPTY_TLS_CONTEXT,
          certificates: [
            { certificateChain: { kind: 'inline', text: 'CHAIN' }, privateKey: { kind: 'inline', text: 'KEY' } },
          ],
          validation: {
            trustedCa: { kind: 'inline', text: 'ROOTS' },
            matchSubjectAltNames: [
              { sanType: 'uri', matcher: { kind: 'exact', value: 'spiffe://a/b', ignoreCase: false } },
            ],
          },
          parameters: { ...DEFAULT_TLS_PARAMETERS, minimumVersion: 'TLSv1.3' },
        },
      },
    );
  });
});

test('a listener may have several addresses', () => {
  const additionalAddresses = [{ address: socketAddress('::1', 2) }, { address: { pipe: { path: '/run/x.sock' } } }];
  expect(decodedOk(LISTENER_TYPE, listener({ additionalAddresses })).additionalAddresses).toEqual([
    { kind: 'ip', host: '::1', port: 2 },
    { kind: 'pipe', path: '/run/x.sock', mode: 0 },
  ]);
});

const LOOPBACK = { addressPrefix: '127.0.0.1', prefixLen: 8 };

describe('a filter chain match on the source', () => {
  test('keeps its criteria', () => {
    const match = {
      directSourcePrefixRanges: [{ addressPrefix: '10.0.0.0', prefixLen: 8 }],
      sourceType: 'SAME_IP_OR_LOOPBACK',
      sourcePrefixRanges: [LOOPBACK, { addressPrefix: '::1', prefixLen: 128 }],
      sourcePorts: [1, 65535],
    };
    expect(onlyChain(listener({ filterChains: [chain(match)] })).match.source).toEqual({
      directPrefixRanges: [{ addressPrefix: '10.0.0.0', prefixLength: 8 }],
      type: 'sameIpOrLoopback',
      prefixRanges: [
        { addressPrefix: '127.0.0.1', prefixLength: 8 },
        { addressPrefix: '::1', prefixLength: 128 },
      ],
      ports: [1, 65535],
    });
  });

  test('is absent where none is set', () => {
    expect(onlyChain(listener()).match.source).toBeUndefined();
    const filterChains = [chain({ sourceType: 'ANY', destinationPort: 1 })];
    expect(onlyChain(listener({ filterChains })).match.source).toBeUndefined();
  });

  test('sets chains apart that are otherwise the same', () => {
    const matches = [
      {},
      { sourceType: 'EXTERNAL' },
      { sourceType: 'SAME_IP_OR_LOOPBACK' },
      { sourcePrefixRanges: [LOOPBACK] },
      { directSourcePrefixRanges: [LOOPBACK] },
      { sourcePorts: [1] },
      { sourcePorts: [2], sourcePrefixRanges: [LOOPBACK] },
    ];
    expect(decodedOk(LISTENER_TYPE, listener({ filterChains: matches.map(chain) })).filterChains).toHaveLength(7);
  });
});

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
      'a match on the end of an address',
      listener({ filterChains: [chain({ addressSuffix: '.1' })] }),
      `${CHAIN}.filter_chain_match.address_suffix`,
    ],
    [
      'a source port above 65535',
      listener({ filterChains: [chain({ sourcePorts: [1, 65536] })] }),
      `${CHAIN}.filter_chain_match.source_ports[1]`,
    ],
    [
      'a source port of 0',
      listener({ filterChains: [chain({ sourcePorts: [0] })] }),
      `${CHAIN}.filter_chain_match.source_ports[0]`,
    ],
    [
      'a source type that there is not',
      listener({ filterChains: [chain({ sourceType: 3 })] }),
      `${CHAIN}.filter_chain_match.source_type`,
    ],
    [
      'a source range that is none',
      listener({ filterChains: [chain({ sourcePrefixRanges: [{ addressPrefix: 'here', prefixLen: 8 }] })] }),
      `${CHAIN}.filter_chain_match.source_prefix_ranges[0].address_prefix`,
    ],
    [
      'a direct source range longer than an address',
      listener({ filterChains: [chain({ directSourcePrefixRanges: [{ addressPrefix: '::1', prefixLen: 129 }] })] }),
      `${CHAIN}.filter_chain_match.direct_source_prefix_ranges[0].prefix_len`,
    ],
    [
      'two chains that share one source range and one source port',
      listener({
        filterChains: [
          chain({ sourcePrefixRanges: [LOOPBACK], sourcePorts: [1, 2] }),
          chain({ sourcePrefixRanges: [{ addressPrefix: '10.0.0.0', prefixLen: 8 }, LOOPBACK], sourcePorts: [2] }),
        ],
      }),
      'filter_chains[1].filter_chain_match',
    ],
    [
      'two chains of one source type',
      listener({ filterChains: [chain({ sourceType: 'EXTERNAL' }), chain({ sourceType: 'EXTERNAL' })] }),
      'filter_chains[1].filter_chain_match',
    ],
    [
      'two chains of which one says that the source is all the same',
      listener({ filterChains: [chain({}), chain({ sourceType: 'ANY' })] }),
      'filter_chains[1].filter_chain_match',
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
                  validationContextSdsSecretConfig: { name: 'x', sdsConfig: { path: '/etc/secret' } },
                },
              }),
            },
          },
        ],
      }),
      `${CHAIN}.transport_socket.typed_config.common_tls_context.validation_context_sds_secret_config.sds_config.path`,
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
