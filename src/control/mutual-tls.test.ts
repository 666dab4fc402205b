import { describe, expect, test } from 'vitest';
import { decodeResource } from '../resource/decode.ts';
import { faultsText } from '../resource/fault.ts';
import { buildAny } from '../resource/strict-builder.ts';
import type { Json } from './snapshot/resource-literal.ts';
import {
  type Entry,
  HTTP_MESH,
  registration,
  resource,
  secured,
  TRUST_DOMAIN,
  translated,
} from './testing/catalog-fixtures.ts';
import type { MutualTlsTerms, TranslatedProxy } from './translate/translate.ts';

const PUBLIC = 'public_listener:10.0.0.1:21000';
const API = `api.default.dc1.internal.${TRUST_DOMAIN}`;
const OPEN = { intentions: [], defaultPolicy: 'allow' } as const;
const STRICT: MutualTlsTerms = { mode: 'strict', intentions: OPEN };
const PERMISSIVE: MutualTlsTerms = { mode: 'permissive', intentions: OPEN };
const uri = (service: string, datacenter = 'dc1'): string =>
  `spiffe://${TRUST_DOMAIN}/ns/default/dc/${datacenter}/svc/${service}`;
const SDS = { ads: {}, resourceApiVersion: 'V3' };

const chains = (proxy: TranslatedProxy): readonly Json[] =>
  (resource(proxy, 'Listener', PUBLIC)?.['filterChains'] ?? []) as readonly Json[];
const contextOf = (socket: unknown): Json => (socket as { readonly typedConfig: Json }).typedConfig;
const common = (context: Json): Json => context['commonTlsContext'] as Json;
const upstream = (proxy: TranslatedProxy, name: string): Json =>
  contextOf(resource(proxy, 'Cluster', name)?.['transportSocket']);
const names = (context: Json): unknown =>
  ((common(context)['combinedValidationContext'] as Json)['defaultValidationContext'] as Json)[
    'matchTypedSubjectAltNames'
  ];
const accepts = (...uris: readonly string[]): readonly Json[] =>
  uris.map((exact) => ({ sanType: 'URI', matcher: { exact } }));

function expectUnderstood(proxy: TranslatedProxy): void {
  for (const { typeUrl, name, json } of proxy.units.flatMap(({ resources }) => resources)) {
    const built = buildAny({ '@type': typeUrl, ...json });
    const decoded = built.ok ? decodeResource(typeUrl, built.value.value) : built;
    expect(decoded.ok ? '' : faultsText(name, decoded.faults)).toBe('');
  }
}

describe('the inbound side', () => {
  test('shows the leaf of its service, and takes only callers with a leaf of the mesh', () => {
    const proxy = secured(registration(), STRICT, HTTP_MESH);
    expect(chains(proxy)).toHaveLength(1);
    const context = contextOf(chains(proxy)[0]?.['transportSocket']);
    expect(context['requireClientCertificate']).toBe(true);
    expect(common(context)).toEqual({
      tlsCertificateSdsSecretConfigs: [{ name: 'default', sdsConfig: SDS }],
      validationContextSdsSecretConfig: { name: 'ROOTCA', sdsConfig: SDS },
      alpnProtocols: ['http/1.1'],
    });
    expectUnderstood(proxy);
  });

  test.each([
    ['tcp', undefined],
    ['http2', ['h2', 'http/1.1']],
    ['grpc', ['h2', 'http/1.1']],
  ] as const)('offers by ALPN what a service of protocol %s speaks', (protocol, offered) => {
    const proxy = secured(registration({ Config: { protocol } }), STRICT);
    expect(common(contextOf(chains(proxy)[0]?.['transportSocket']))['alpnProtocols']).toEqual(offered);
    expectUnderstood(proxy);
  });

  test('tells the application who calls, and nothing that the caller wrote there', () => {
    const text = JSON.stringify(chains(secured(registration(), STRICT, HTTP_MESH)));
    expect(text).toContain('"forwardClientCertDetails":"SANITIZE_SET"');
    expect(JSON.stringify(chains(translated(registration(), HTTP_MESH)))).not.toContain('forwardClientCertDetails');
  });

  test.each([
    ['http', '"listenerFiltersTimeout"', false],
    ['tcp', '"continueOnListenerFiltersTimeout":true', true],
  ] as const)('lets in plaintext beside TLS where it is permissive (%s)', (protocol, word, isThere) => {
    const proxy = secured(registration({ Config: { protocol } }), PERMISSIVE);
    const [tls, plaintext] = chains(proxy);
    expect(tls?.['filterChainMatch']).toEqual({ transportProtocol: 'tls' });
    expect(tls?.['transportSocket']).toBeDefined();
    expect(plaintext?.['filterChainMatch']).toEqual({ transportProtocol: 'raw_buffer' });
    expect(plaintext?.['transportSocket']).toBeUndefined();
    const listener = JSON.stringify(resource(proxy, 'Listener', PUBLIC));
    expect(listener).toContain('envoy.filters.listener.tls_inspector');
    expect(listener.includes(word)).toBe(isThere);
    expectUnderstood(proxy);
  });

  test('a port of its own for one path stays in plaintext, as in Consul', () => {
    const paths = [{ Path: '/health', ListenerPort: 22_000, LocalPathPort: 8080 }];
    const proxy = secured(registration({ Expose: { Paths: paths } }), STRICT, HTTP_MESH);
    const exposed = resource(proxy, 'Listener', 'exposed_path_health:10.0.0.1:22000');
    expect(exposed).toBeDefined();
    expect(JSON.stringify(exposed)).not.toContain('DownstreamTlsContext');
  });
});

describe('who is let in', () => {
  const mode = (words: readonly [string, string, string], terms: MutualTlsTerms): 'strict' | 'permissive' => {
    const [own, service, mesh] = words;
    const proxy = secured(
      registration({ MutualTLSMode: own }),
      terms,
      { ...HTTP_MESH, MutualTLSMode: mesh },
      { Kind: 'service-defaults', Name: 'web', MutualTLSMode: service },
    );
    return chains(proxy).length === 1 ? 'strict' : 'permissive';
  };

  test.each([
    [['', '', ''], STRICT, 'strict'],
    [['', '', ''], PERMISSIVE, 'permissive'],
    [['', '', 'permissive'], STRICT, 'permissive'],
    [['', 'strict', 'permissive'], PERMISSIVE, 'strict'],
    [['', 'permissive', 'strict'], STRICT, 'permissive'],
    [['strict', 'permissive', 'permissive'], PERMISSIVE, 'strict'],
  ] as const)('MutualTLSMode of registration, service-defaults, proxy-defaults %j', (words, terms, expected) => {
    expect(mode(words, terms)).toBe(expected);
  });

  test('without mutual TLS each word about it is a warning by its name, and nothing is secured', () => {
    const proxy = translated(registration({ MutualTLSMode: 'strict' }), HTTP_MESH, {
      Kind: 'service-defaults',
      Name: 'web',
      MutualTLSMode: 'permissive',
    });
    expect(JSON.stringify(proxy.units)).not.toContain('TlsContext');
    expect(proxy.problems.map(({ where, message }) => `${where} ${message.split(':')[0]}`)).toEqual([
      'registration web-1-sidecar-proxy "proxy.mutual_tls_mode" is set and not obeyed',
      'service-defaults/web (ModifyIndex 7) "MutualTLSMode" is set and not obeyed',
    ]);
  });
});

describe('the outbound side', () => {
  test('a cluster shows the leaf of the caller, names its target, and takes nobody else for it', () => {
    const proxy = secured(registration(), STRICT, HTTP_MESH);
    const context = upstream(proxy, API);
    expect(context['sni']).toBe(API);
    expect(common(context)['tlsCertificateSdsSecretConfigs']).toEqual([{ name: 'default', sdsConfig: SDS }]);
    expect(names(context)).toEqual(accepts(uri('api')));
    expect(resource(proxy, 'Cluster', 'local_app')?.['transportSocket']).toBeUndefined();
    expectUnderstood(proxy);
  });

  test('redirects, subsets, failover and other datacenters: each target by its own names', () => {
    const resolver: Entry = {
      Kind: 'service-resolver',
      Name: 'api',
      DefaultSubset: 'v1',
      Subsets: { v1: { Filter: 'Service.Meta.version == v1' } },
      Failover: { '*': { Targets: [{ Service: 'spare' }, { Datacenter: 'west' }] } },
    };
    const away: Entry = { Kind: 'service-resolver', Name: 'old', Redirect: { Service: 'new', Datacenter: 'east' } };
    const upstreams = [
      { DestinationName: 'api', LocalBindPort: 9191 },
      { DestinationName: 'old', LocalBindPort: 9192 },
    ];
    const proxy = secured(registration({ Upstreams: upstreams }), STRICT, HTTP_MESH, resolver, away);
    const subset = upstream(proxy, `v1.${API}`);
    expect(subset['sni']).toBe(`v1.${API}`);
    expect(names(subset)).toEqual(accepts(uri('api'), uri('spare'), uri('api', 'west')));
    expect(names(upstream(proxy, `new.default.east.internal.${TRUST_DOMAIN}`))).toEqual(accepts(uri('new', 'east')));
    expectUnderstood(proxy);
  });

  test('instances that a prepared query finds are of some service of the mesh', () => {
    const upstreams = [{ DestinationType: 'prepared_query', DestinationName: 'nearest', LocalBindPort: 9191 }];
    const proxy = secured(registration({ Upstreams: upstreams }), STRICT);
    const context = upstream(proxy, `nearest.default.dc1.query.${TRUST_DOMAIN}`);
    expect(names(context)).toEqual([
      { sanType: 'URI', matcher: { prefix: `spiffe://${TRUST_DOMAIN}/ns/default/dc/` } },
    ]);
    expectUnderstood(proxy);
  });

  test('only a permissive mesh knows endpoints that are called in plaintext', () => {
    const matches = (terms: MutualTlsTerms): unknown =>
      resource(secured(registration(), terms, HTTP_MESH), 'Cluster', API)?.['transportSocketMatches'];
    expect(matches(STRICT)).toBeUndefined();
    expect(matches(PERMISSIVE)).toMatchObject([{ match: { plaintext: true } }]);
    expectUnderstood(secured(registration(), PERMISSIVE, HTTP_MESH));
  });
});

test('mesh.TLS: versions and suites of what comes in, and of what goes out', () => {
  const mesh: Entry = {
    Kind: 'mesh',
    Name: 'mesh',
    TLS: {
      Incoming: { TLSMinVersion: 'TLSv1_2', CipherSuites: ['TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256'] },
      Outgoing: { TLSMinVersion: 'TLSv1_2', TLSMaxVersion: 'TLSv1_3' },
    },
  };
  const proxy = secured(registration(), STRICT, HTTP_MESH, mesh);
  expect(common(contextOf(chains(proxy)[0]?.['transportSocket']))['tlsParams']).toEqual({
    tlsMinimumProtocolVersion: 'TLSv1_2',
    cipherSuites: ['ECDHE-ECDSA-AES128-GCM-SHA256'],
  });
  expect(common(upstream(proxy, API))['tlsParams']).toEqual({
    tlsMinimumProtocolVersion: 'TLSv1_2',
    tlsMaximumProtocolVersion: 'TLSv1_3',
  });
  expectUnderstood(proxy);
});
