import { describe, expect, test } from 'vitest';
import { decodeResource } from '../resource/decode.ts';
import { faultsText } from '../resource/fault.ts';
import { buildAny } from '../resource/strict-builder.ts';
import type { Json } from './snapshot/resource-literal.ts';
import { type Entry, HTTP_MESH, registration, resource, translated } from './testing/catalog-fixtures.ts';
import type { TranslatedProxy } from './translate/translate.ts';

/** What proxy-defaults, service-defaults and mesh say of proxies themselves. */

const PUBLIC = 'public_listener:10.0.0.1:21000';
const OUTBOUND = 'api:127.0.0.1:9191';

function filterOf(proxy: TranslatedProxy, name: string): Json {
  const [chain] = (resource(proxy, 'Listener', name)?.['filterChains'] ?? []) as readonly {
    filters: readonly Json[];
  }[];
  return (chain?.filters.at(-1)?.['typedConfig'] ?? {}) as Json;
}

function expectDecodable(proxy: TranslatedProxy): void {
  const faults = proxy.units.flatMap(({ resources }) =>
    resources.flatMap((r) => {
      const built = buildAny({ '@type': r.typeUrl, ...r.json });
      const decoded = built.ok ? decodeResource(r.typeUrl, built.value.value) : built;
      return decoded.ok ? [] : [faultsText(r.name, decoded.faults)];
    }),
  );
  expect(faults).toEqual([]);
}

const web = (fields: Json): Entry => ({ Kind: 'service-defaults', Name: 'web', Protocol: 'http', ...fields });

describe('access logs', () => {
  const logged = (AccessLogs: Json): TranslatedProxy => translated(registration(), { ...HTTP_MESH, AccessLogs });

  test('are off unless asked for', () => {
    expect(JSON.stringify(logged({ Enabled: false, Type: 'stderr' }))).not.toContain('accessLog');
  });

  test("go to standard output in Consul's JSON, from both sides and from listeners", () => {
    const proxy = logged({ Enabled: true });
    for (const name of [PUBLIC, OUTBOUND]) {
      const [log] = filterOf(proxy, name)['accessLog'] as readonly Json[];
      expect(log?.['typedConfig']).toMatchObject({
        '@type': 'type.googleapis.com/envoy.extensions.access_loggers.stream.v3.StdoutAccessLog',
        logFormat: { jsonFormat: { method: '%REQ(:METHOD)%', response_flags: '%RESPONSE_FLAGS%' } },
      });
      expect(resource(proxy, 'Listener', name)?.['accessLog']).toMatchObject([
        { filter: { responseFlagFilter: { flags: ['NR'] } } },
      ]);
    }
    expectDecodable(proxy);
  });

  test('go to a file, in the words of the entry, without those of listeners', () => {
    const proxy = logged({
      Enabled: true,
      Type: 'file',
      Path: '/var/log/web.log',
      TextFormat: '%REQ(:PATH)% %RESPONSE_CODE%',
      DisableListenerLogs: true,
    });
    expect(filterOf(proxy, PUBLIC)['accessLog']).toMatchObject([
      {
        typedConfig: {
          path: '/var/log/web.log',
          logFormat: { textFormatSource: { inlineString: '%REQ(:PATH)% %RESPONSE_CODE%\n' } },
        },
      },
    ]);
    expect(resource(proxy, 'Listener', PUBLIC)).not.toHaveProperty('accessLog');
    expectDecodable(proxy);
  });

  test('of bytes are written, too', () => {
    const proxy = translated(registration(), { Kind: 'proxy-defaults', Name: 'global', AccessLogs: { Enabled: true } });
    expect(filterOf(proxy, OUTBOUND)).toMatchObject({ accessLog: [{}], statPrefix: expect.any(String) as string });
  });

  test('in a format that a sidecar would refuse are left out, and named', () => {
    const proxy = logged({ Enabled: true, TextFormat: '%NONSENSE%' });
    expect(proxy.problems).toEqual([
      {
        severity: 'error',
        where: 'proxy-defaults/global (ModifyIndex 7): AccessLogs',
        message: 'no access logs are written: %NONSENSE% is not supported',
      },
    ]);
    expect(JSON.stringify(proxy.units)).not.toContain('accessLog');
  });
});

describe('request normalization', () => {
  const manager = (...written: readonly Entry[]): Json =>
    filterOf(translated(registration(), HTTP_MESH, ...written), PUBLIC);

  test('is of paths, where nobody says otherwise, and only inbound', () => {
    expect(manager()['normalizePath']).toBe(true);
    expect(filterOf(translated(registration(), HTTP_MESH), OUTBOUND)).not.toHaveProperty('normalizePath');
  });

  test('is what the mesh entry says', () => {
    const RequestNormalization = {
      InsecureDisablePathNormalization: true,
      MergeSlashes: true,
      PathWithEscapedSlashesAction: 'UNESCAPE_AND_FORWARD',
      HeadersWithUnderscoresAction: 'DROP_HEADER',
    };
    const mesh = { Kind: 'mesh', HTTP: { Incoming: { RequestNormalization } } } as unknown as Entry;
    expect(manager(mesh)).toMatchObject({
      normalizePath: false,
      mergeSlashes: true,
      pathWithEscapedSlashesAction: 'UNESCAPE_AND_FORWARD',
      commonHttpProtocolOptions: { headersWithUnderscoresAction: 'DROP_HEADER' },
    });
    expectDecodable(translated(registration(), HTTP_MESH, mesh));
  });
});

describe('rate limits of an instance', () => {
  const limited = (InstanceLevel: Json, Protocol = 'http'): TranslatedProxy =>
    translated(registration(), web({ Protocol, RateLimits: { InstanceLevel } }));

  test('stand before the router, and routes have their own', () => {
    const proxy = limited({
      RequestsPerSecond: 100,
      RequestsMaxBurst: 250,
      Routes: [
        { PathExact: '/login', RequestsPerSecond: 5 },
        { PathRegex: '/v[0-9]+/.*', RequestsPerSecond: 50, RequestsMaxBurst: 60 },
      ],
    });
    const manager = filterOf(proxy, PUBLIC) as Json & { httpFilters: readonly Json[]; routeConfig: Json };
    expect(manager.httpFilters.map(({ name }) => name)).toEqual([
      'envoy.filters.http.local_ratelimit',
      'envoy.filters.http.router',
    ]);
    expect(manager.httpFilters[0]?.['typedConfig']).toMatchObject({
      tokenBucket: { maxTokens: 250, tokensPerFill: 100, fillInterval: '1s' },
      filterEnforced: { defaultValue: { numerator: 100, denominator: 'HUNDRED' } },
    });
    const [host] = manager.routeConfig['virtualHosts'] as readonly { routes: readonly Json[] }[];
    expect(host?.routes.map(({ match }) => match)).toEqual([
      { path: '/login' },
      { safeRegex: { regex: '/v[0-9]+/.*' } },
      { prefix: '/' },
    ]);
    expect(JSON.stringify(host?.routes[0])).toContain('"maxTokens":5,"tokensPerFill":5');
    expectDecodable(proxy);
  });

  test('are said by keys of ours where Consul takes no RateLimits', () => {
    const Config = { weft_requests_per_second: 20, weft_requests_burst: 50 };
    const proxy = translated(registration({ Config }), HTTP_MESH);
    const [filter] = filterOf(proxy, PUBLIC)['httpFilters'] as readonly Json[];
    expect(filter?.['typedConfig']).toMatchObject({ tokenBucket: { maxTokens: 50, tokensPerFill: 20 } });
    expect(proxy.problems).toEqual([]);
    expectDecodable(proxy);
  });

  test('of routes alone leave the rest unlimited', () => {
    const proxy = limited({ Routes: [{ PathPrefix: '/slow', RequestsPerSecond: 1 }] });
    const [filter] = filterOf(proxy, PUBLIC)['httpFilters'] as readonly Json[];
    expect(filter?.['typedConfig']).not.toHaveProperty('tokenBucket');
    expectDecodable(proxy);
  });

  test('of bytes cannot be, and are named', () => {
    expect(limited({ RequestsPerSecond: 1 }, 'tcp').problems).toMatchObject([
      { severity: 'warning', message: expect.stringContaining('RateLimits count requests') as string },
    ]);
  });
});

describe('messages of gRPC calls', () => {
  const limited = (Config: Json, ...written: readonly Entry[]) =>
    translated(registration({ Config }), HTTP_MESH, ...written);

  test('are bounded on the way to the app, by the metadata of its listener; what the registration says goes first', () => {
    const mesh: Entry = {
      Kind: 'proxy-defaults',
      Name: 'global',
      Config: { protocol: 'grpc', weft_grpc_max_request_message_bytes: 9, weft_grpc_max_response_message_bytes: 7 },
    };
    const proxy = translated(registration({ Config: { weft_grpc_max_request_message_bytes: 4_194_304 } }), mesh);
    expect(resource(proxy, 'Listener', PUBLIC)?.['metadata']).toEqual({
      filterMetadata: {
        'weft.grpc_limits': { max_request_message_bytes: 4_194_304, max_response_message_bytes: 7 },
      },
    });
    expect(resource(proxy, 'Listener', OUTBOUND)).not.toHaveProperty('metadata');
    expect(proxy.problems).toEqual([]);
    expectDecodable(proxy);
  });

  test('have no limit unless somebody asks for one, and a bad one is named', () => {
    expect(resource(limited({}), 'Listener', PUBLIC)).not.toHaveProperty('metadata');
    const proxy = limited({ weft_grpc_max_request_message_bytes: 0 });
    expect(resource(proxy, 'Listener', PUBLIC)).not.toHaveProperty('metadata');
    expect(proxy.problems).toMatchObject([
      { severity: 'error', message: expect.stringContaining('weft_grpc_max_request_message_bytes') as string },
    ]);
  });
});

describe('connections', () => {
  test('are balanced where Consul says so', () => {
    const upstreams = [
      { DestinationName: 'api', LocalBindPort: 9191, Config: { balance_outbound_connections: 'exact_balance' } },
    ];
    const proxy = translated(
      registration({ Upstreams: upstreams, Config: { max_request_headers_kb: 96 } }),
      HTTP_MESH,
      web({ BalanceInboundConnections: 'exact_balance' }),
    );
    for (const name of [PUBLIC, OUTBOUND]) {
      expect(resource(proxy, 'Listener', name)?.['connectionBalanceConfig']).toEqual({ exactBalance: {} });
    }
    expect(filterOf(proxy, PUBLIC)['maxRequestHeadersKb']).toBe(96);
    expect(proxy.problems).toEqual([]);
    expectDecodable(proxy);
  });
});

describe('what is said of an upstream', () => {
  const config = (Overrides: readonly Json[], own: Json): Json | undefined => {
    const proxy = translated(
      registration({ Upstreams: [{ DestinationName: 'api', LocalBindPort: 9191, Config: own }] }),
      HTTP_MESH,
      web({
        UpstreamConfig: {
          Defaults: { ConnectTimeoutMs: 1, Limits: { MaxConnections: 1, MaxPendingRequests: 1 } },
          Overrides,
        },
      }),
      { Kind: 'service-resolver', Name: 'api', ConnectTimeout: '9s' },
    );
    return proxy.units
      .flatMap(({ resources }) => resources)
      .find(({ typeUrl, name }) => typeUrl.endsWith('.Cluster') && name !== 'local_app')?.json;
  };
  const override = { Name: 'api', ConnectTimeoutMs: 2 };

  test('counts in its order: the defaults, the override, the registration; blocks whole', () => {
    expect(config([], {})?.['connectTimeout']).toBe('0.001s');
    expect(config([override], {})?.['connectTimeout']).toBe('0.002s');
    expect(config([override], { connect_timeout_ms: 3 })?.['connectTimeout']).toBe('0.003s');
    expect(config([{ Name: 'api', Limits: { MaxConcurrentRequests: 5 } }], {})).toMatchObject({
      circuitBreakers: { thresholds: [{ maxRequests: 5 }] },
    });
    expect(JSON.stringify(config([{ Name: 'api', Limits: { MaxConcurrentRequests: 5 } }], {}))).not.toContain(
      'maxConnections',
    );
  });
});
