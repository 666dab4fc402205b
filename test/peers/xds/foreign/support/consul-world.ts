import type { ConsulAgent } from '../../../support/consul.ts';

/** Config entries that make Consul's control plane say all it can say to a sidecar without a licence. */
const CONFIG_ENTRIES: readonly object[] = [
  {
    Kind: 'proxy-defaults',
    Name: 'global',
    Config: { local_idle_timeout_ms: 30_000 },
    AccessLogs: { Enabled: true, Type: 'stdout', JSONFormat: '{"method":"%REQ(:METHOD)%","ms":"%DURATION%"}' },
  },
  {
    Kind: 'mesh',
    TLS: {
      Incoming: {
        TLSMinVersion: 'TLSv1_2',
        TLSMaxVersion: 'TLSv1_3',
        CipherSuites: ['TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256', 'TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384'],
      },
      Outgoing: { TLSMinVersion: 'TLSv1_3' },
    },
    HTTP: {
      Incoming: {
        RequestNormalization: {
          MergeSlashes: true,
          PathWithEscapedSlashesAction: 'UNESCAPE_AND_FORWARD',
          HeadersWithUnderscoresAction: 'DROP_HEADER',
        },
      },
    },
  },
  { Kind: 'service-defaults', Name: 'web', Protocol: 'http' },
  { Kind: 'service-defaults', Name: 'other', Protocol: 'http' },
  { Kind: 'service-defaults', Name: 'fallback', Protocol: 'http' },
  { Kind: 'service-defaults', Name: 'rpc', Protocol: 'grpc' },
  { Kind: 'service-defaults', Name: 'stream', Protocol: 'http2' },
  { Kind: 'service-defaults', Name: 'db', Protocol: 'tcp', MaxInboundConnections: 10 },
  {
    Kind: 'service-defaults',
    Name: 'api',
    Protocol: 'http',
    MaxInboundConnections: 42,
    LocalConnectTimeoutMs: 1500,
    LocalRequestTimeoutMs: 2500,
    BalanceInboundConnections: 'exact_balance',
  },
  {
    Kind: 'service-resolver',
    Name: 'api',
    DefaultSubset: 'v1',
    Subsets: {
      v1: { Filter: 'Service.Meta.version == v1' },
      v2: { Filter: 'Service.Meta.version == v2', OnlyPassing: true },
    },
    ConnectTimeout: '3s',
    RequestTimeout: '7s',
    Failover: { '*': { Targets: [{ Service: 'fallback' }, { ServiceSubset: 'v2' }] } },
    LoadBalancer: {
      Policy: 'ring_hash',
      RingHashConfig: { MinimumRingSize: 64, MaximumRingSize: 1024 },
      HashPolicies: [
        { Field: 'header', FieldValue: 'x-user', Terminal: true },
        { Field: 'cookie', FieldValue: 'session', CookieConfig: { TTL: '10s', Path: '/' } },
        { SourceIP: true },
      ],
    },
  },
  {
    Kind: 'service-splitter',
    Name: 'api',
    Splits: [
      { Weight: 90, ServiceSubset: 'v1', RequestHeaders: { Set: { 'x-v': '1' } } },
      { Weight: 10, ServiceSubset: 'v2', ResponseHeaders: { Add: { 'x-r': '2' }, Remove: ['x-gone'] } },
    ],
  },
  {
    Kind: 'service-router',
    Name: 'api',
    Routes: [
      { Match: { HTTP: { PathExact: '/exact', Methods: ['GET', 'PUT'] } }, Destination: { Service: 'other' } },
      {
        Match: {
          HTTP: {
            PathRegex: '/re/[0-9]+',
            Header: [
              { Name: 'x-a', Exact: '1' },
              { Name: 'x-b', Prefix: 'p' },
              { Name: 'x-c', Suffix: 's' },
              { Name: 'x-e', Regex: '[a-z]+' },
              { Name: 'x-f', Present: true },
              { Name: 'x-g', Present: true, Invert: true },
            ],
          },
        },
        Destination: { Service: 'api', ServiceSubset: 'v2' },
      },
      {
        Match: {
          HTTP: {
            PathPrefix: '/pre/',
            CaseInsensitive: true,
            QueryParam: [
              { Name: 'q', Exact: '1' },
              { Name: 'r', Regex: 'x.*' },
              { Name: 's', Present: true },
            ],
          },
        },
        Destination: {
          PrefixRewrite: '/',
          RequestTimeout: '9s',
          IdleTimeout: '11s',
          NumRetries: 4,
          RetryOnConnectFailure: true,
          RetryOn: ['5xx', 'gateway-error'],
          RetryOnStatusCodes: [503, 502],
          RequestHeaders: { Add: { a: 'b' }, Set: { c: 'd' }, Remove: ['e'] },
          ResponseHeaders: { Set: { f: 'g' } },
        },
      },
    ],
  },
  {
    Kind: 'service-intentions',
    Name: 'db',
    Sources: [
      { Name: 'web', Action: 'allow' },
      { Name: '*', Action: 'deny' },
    ],
  },
  {
    Kind: 'service-intentions',
    Name: 'api',
    Sources: [
      {
        Name: 'web',
        Permissions: [
          { Action: 'deny', HTTP: { PathPrefix: '/admin' } },
          {
            Action: 'allow',
            HTTP: {
              PathRegex: '/v[0-9]/.*',
              Methods: ['GET'],
              Header: [
                { Name: 'x-a', Exact: '1' },
                { Name: 'x-n', Present: true, Invert: true },
                { Name: 'x-s', Suffix: 'z', IgnoreCase: true },
                { Name: 'x-m', Contains: 'mid' },
              ],
            },
          },
          { Action: 'allow', HTTP: { PathExact: '/x' } },
        ],
      },
      { Name: 'bad', Action: 'deny' },
      { Name: '*', Action: 'allow' },
    ],
  },
  {
    Kind: 'jwt-provider',
    Name: 'issuer',
    // {"keys":[{"kty":"oct","kid":"1","k":"aaaa","alg":"HS256"}]}
    JSONWebKeySet: {
      Local: { JWKS: 'eyJrZXlzIjpbeyJrdHkiOiJvY3QiLCJraWQiOiIxIiwiayI6ImFhYWEiLCJhbGciOiJIUzI1NiJ9XX0=' },
    },
    Issuer: 'https://issuer.example',
    Audiences: ['mesh'],
    Forwarding: { HeaderName: 'x-claims' },
  },
  {
    Kind: 'service-intentions',
    Name: 'stream',
    JWT: { Providers: [{ Name: 'issuer' }] },
    Sources: [
      {
        Name: 'web',
        Permissions: [
          {
            Action: 'allow',
            HTTP: { PathPrefix: '/' },
            JWT: { Providers: [{ Name: 'issuer', VerifyClaims: [{ Path: ['perms', 'role'], Value: 'admin' }] }] },
          },
        ],
      },
    ],
  },
];

const UPSTREAMS: readonly object[] = [
  {
    DestinationName: 'api',
    LocalBindPort: 29_101,
    Config: {
      passive_health_check: {
        interval: '10s',
        max_failures: 5,
        enforcing_consecutive_5xx: 90,
        max_ejection_percent: 40,
        base_ejection_time: '20s',
      },
      limits: { max_connections: 11, max_pending_requests: 12, max_concurrent_requests: 13 },
      connect_timeout_ms: 1234,
    },
  },
  { DestinationName: 'db', LocalBindPort: 29_102 },
  { DestinationName: 'rpc', LocalBindPort: 29_103 },
  { DestinationName: 'stream', LocalBindPort: 29_104 },
  { DestinationName: 'socket', LocalBindSocketPath: '/run/db.sock' },
  { DestinationName: 'other', LocalBindPort: 29_106, MeshGateway: { Mode: 'local' } },
  { DestinationType: 'prepared_query', DestinationName: 'nearest', LocalBindPort: 29_107 },
];

interface Instance {
  readonly service: string;
  readonly version?: string;
  readonly port: number;
  readonly proxy?: object;
  readonly socketPath?: string;
}

const INSTANCES: readonly Instance[] = [
  { service: 'api', version: 'v1', port: 29_001 },
  { service: 'other', port: 29_005 },
  { service: 'fallback', port: 29_006 },
  { service: 'db', port: 29_003 },
  { service: 'rpc', port: 29_004, proxy: { Config: { max_inbound_connections: 7 } } },
  { service: 'stream', port: 29_007 },
  { service: 'socket', port: 0, socketPath: '/run/app.sock' },
  {
    service: 'web',
    port: 29_002,
    proxy: {
      Upstreams: UPSTREAMS,
      Expose: { Paths: [{ Path: '/metrics', LocalPathPort: 29_002, ListenerPort: 21_502, Protocol: 'http2' }] },
    },
  },
  {
    service: 'transparent',
    port: 29_009,
    proxy: { Mode: 'transparent', TransparentProxy: { OutboundListenerPort: 15_001 } },
  },
];

/** The sidecars of that world, by node id. */
export const CONSUL_WORLD_PROXIES: readonly string[] = INSTANCES.map(({ service }) => `${service}-1-sidecar-proxy`);

/** Writes it all into a fresh agent. Nothing of it listens: it is there to be asked about. */
export async function fillConsul(consul: ConsulAgent): Promise<void> {
  for (const entry of CONFIG_ENTRIES) await consulPut(consul, '/v1/config', entry);
  // Without it Consul never says a word about the endpoints of the upstream that names it.
  await consulSend(consul, 'POST', '/v1/query', { Name: 'nearest', Service: { Service: 'other', Connect: true } });
  for (const { service, version, port, proxy = {}, socketPath } of INSTANCES) {
    await consulPut(consul, '/v1/agent/service/register', {
      Name: service,
      ID: `${service}-1`,
      Address: '127.0.0.1',
      ...(socketPath === undefined ? { Port: port } : { SocketPath: socketPath }),
      Meta: version === undefined ? {} : { version },
      Connect: { SidecarService: { Port: 21_000 + (port % 100), Proxy: proxy, Checks: [] } },
    });
  }
}

export function consulPut(consul: ConsulAgent, path: string, body: object, token = ''): Promise<void> {
  return consulSend(consul, 'PUT', path, body, token);
}

async function consulSend(consul: ConsulAgent, method: string, path: string, body: object, token = ''): Promise<void> {
  const url = `${consul.httpAddress}${path}`;
  const response = await fetch(url, {
    method,
    headers: { 'x-consul-token': token },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(10_000),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${path} ${JSON.stringify(body)}: ${response.status} ${text}`);
}
