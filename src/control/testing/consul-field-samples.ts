import type { FieldHolder } from '../translate/consul-fields.ts';
import type { Entry } from './catalog-fixtures.ts';

/** One value of one field that must make a difference: what it is set to, and what must stand beside it for that. */
export interface FieldSample {
  readonly value: unknown;
  readonly beside?: Readonly<Record<string, unknown>>;
  /** A field beside it that it cannot stand together with. */
  readonly insteadOf?: string;
  /** It counts where the mesh speaks mutual TLS. */
  readonly isOfMutualTls?: true;
  /** Further entries, in both worlds. */
  readonly entries?: readonly Entry[];
}

type Samples = Readonly<Record<string, FieldSample>>;

const OTHER_SUBSETS: Entry = {
  Kind: 'service-resolver',
  Name: 'other',
  Subsets: { v1: { Filter: 'Service.Meta.v == 1' } },
};

const under = (prefix: string, samples: Samples, beside: Readonly<Record<string, unknown>>): Samples =>
  Object.fromEntries(Object.entries(samples).map(([field, sample]) => [`${prefix}.${field}`, { beside, ...sample }]));

const UPSTREAMS = { Upstreams: [{ DestinationName: 'api', LocalBindPort: 9191 }] };

const MUTUAL_TLS_MODE: FieldSample = { value: 'permissive', isOfMutualTls: true };

const EXPOSE: Samples = {
  'Expose.Checks': { value: true },
  ...under(
    'Expose.Paths[]',
    {
      Path: { value: '/b' },
      LocalPathPort: { value: 8 },
      ListenerPort: { value: 9 },
      Protocol: { value: 'http2' },
      ParsedFromCheck: { value: true },
    },
    { Expose: { Paths: [{ Path: '/a', LocalPathPort: 1, ListenerPort: 2 }] } },
  ),
};

const ACCESS_LOGS: Samples = under(
  'AccessLogs',
  {
    Enabled: { value: true, beside: {} },
    DisableListenerLogs: { value: true },
    Type: { value: 'stderr' },
    Path: { value: '/b', beside: { AccessLogs: { Enabled: true, Type: 'file', Path: '/a' } } },
    JSONFormat: { value: '{"a":"%PROTOCOL%"}' },
    TextFormat: { value: '%PROTOCOL%' },
  },
  { AccessLogs: { Enabled: true } },
);

const UPSTREAM: Samples = {
  Protocol: { value: 'tcp' },
  ConnectTimeoutMs: { value: 77 },
  'Limits.MaxConnections': { value: 5 },
  'Limits.MaxPendingRequests': { value: 5 },
  'Limits.MaxConcurrentRequests': { value: 5 },
  'PassiveHealthCheck.Interval': { value: 7_000_000_000 },
  'PassiveHealthCheck.MaxFailures': { value: 3 },
  'PassiveHealthCheck.EnforcingConsecutive5xx': { value: 50 },
  'PassiveHealthCheck.MaxEjectionPercent': { value: 50 },
  'PassiveHealthCheck.BaseEjectionTime': { value: 7_000_000_000 },
  BalanceOutboundConnections: { value: 'exact_balance' },
};

const SERVICE_DEFAULTS: Samples = {
  Protocol: { value: 'grpc' },
  MutualTLSMode: MUTUAL_TLS_MODE,
  ...EXPOSE,
  ...under('UpstreamConfig.Defaults', UPSTREAM, {}),
  ...under('UpstreamConfig.Overrides[]', UPSTREAM, { UpstreamConfig: { Overrides: [{ Name: 'api' }] } }),
  'UpstreamConfig.Overrides[].Name': {
    value: 'api',
    beside: { UpstreamConfig: { Overrides: [{ Name: 'other', ConnectTimeoutMs: 77 }] } },
  },
  MaxInboundConnections: { value: 5 },
  LocalConnectTimeoutMs: { value: 77 },
  LocalRequestTimeoutMs: { value: 77 },
  BalanceInboundConnections: { value: 'exact_balance' },
  MaxRequestHeadersKB: { value: 90 },
  ...under(
    'RateLimits.InstanceLevel',
    {
      RequestsPerSecond: { value: 6 },
      RequestsMaxBurst: { value: 9 },
      'Routes[].PathExact': { value: '/y', insteadOf: 'PathPrefix' },
      'Routes[].PathPrefix': { value: '/y' },
      'Routes[].PathRegex': { value: '/y', insteadOf: 'PathPrefix' },
      'Routes[].RequestsPerSecond': { value: 8 },
      'Routes[].RequestsMaxBurst': { value: 8 },
    },
    { RateLimits: { InstanceLevel: { RequestsPerSecond: 5, Routes: [{ PathPrefix: '/x', RequestsPerSecond: 7 }] } } },
  ),
};

const ROUTER: Samples = {
  ...under(
    'Routes[].Match.HTTP',
    {
      PathExact: { value: '/y', insteadOf: 'PathPrefix' },
      PathPrefix: { value: '/y' },
      PathRegex: { value: '/y.*', insteadOf: 'PathPrefix' },
      CaseInsensitive: { value: true },
      'Header[].Name': { value: 'b' },
      'Header[].Present': { value: true, insteadOf: 'Exact' },
      'Header[].Exact': { value: 'y' },
      'Header[].Prefix': { value: 'y', insteadOf: 'Exact' },
      'Header[].Suffix': { value: 'y', insteadOf: 'Exact' },
      'Header[].Regex': { value: 'y', insteadOf: 'Exact' },
      'Header[].Invert': { value: true },
      'QueryParam[].Name': { value: 'b' },
      'QueryParam[].Present': { value: true, insteadOf: 'Exact' },
      'QueryParam[].Exact': { value: 'y' },
      'QueryParam[].Regex': { value: 'y', insteadOf: 'Exact' },
      Methods: { value: ['PUT'] },
    },
    {
      Routes: [
        {
          Match: {
            HTTP: { PathPrefix: '/x', Header: [{ Name: 'a', Exact: 'x' }], QueryParam: [{ Name: 'a', Exact: 'x' }] },
          },
          Destination: { Service: 'other' },
        },
      ],
    },
  ),
  ...under(
    'Routes[].Destination',
    {
      Service: { value: 'third' },
      ServiceSubset: { value: 'v1', entries: [OTHER_SUBSETS] },
      PrefixRewrite: { value: '/y' },
      RequestTimeout: { value: '3s' },
      IdleTimeout: { value: '3s' },
      NumRetries: { value: 7 },
      RetryOnConnectFailure: { value: true },
      RetryOn: { value: ['5xx'] },
      RetryOnStatusCodes: { value: [503] },
      'RequestHeaders.Add': { value: { a: 'b' } },
      'RequestHeaders.Set': { value: { a: 'b' } },
      'RequestHeaders.Remove': { value: ['a'] },
      'ResponseHeaders.Add': { value: { a: 'b' } },
      'ResponseHeaders.Set': { value: { a: 'b' } },
      'ResponseHeaders.Remove': { value: ['a'] },
    },
    { Routes: [{ Match: { HTTP: { PathPrefix: '/x' } }, Destination: { Service: 'other' } }] },
  ),
};

const SPLITTER: Samples = under(
  'Splits[]',
  {
    // Within Consul's tolerance of 100 and still another.
    Weight: { value: 50.005 },
    Service: { value: 'third' },
    ServiceSubset: { value: 'v1', entries: [OTHER_SUBSETS] },
    'RequestHeaders.Add': { value: { a: 'b' } },
    'RequestHeaders.Set': { value: { a: 'b' } },
    'RequestHeaders.Remove': { value: ['a'] },
    'ResponseHeaders.Add': { value: { a: 'b' } },
    'ResponseHeaders.Set': { value: { a: 'b' } },
    'ResponseHeaders.Remove': { value: ['a'] },
  },
  { Splits: [{ Weight: 50, Service: 'other' }, { Weight: 50 }] },
);

const V1 = { Subsets: { '*': { Filter: 'Service.Meta.v == 1' } }, DefaultSubset: '*' };
const HASHING = { LoadBalancer: { Policy: 'maglev', HashPolicies: [{ Field: 'header', FieldValue: 'a' }] } };
const COOKIE = {
  LoadBalancer: {
    Policy: 'maglev',
    HashPolicies: [{ Field: 'cookie', FieldValue: 'a', CookieConfig: { TTL: '9s' } }],
  },
};

const RESOLVER: Samples = {
  Meta: { value: { weft_lb_policy: 'random' } },
  DefaultSubset: { value: 'v1', beside: { Subsets: { v1: { Filter: 'Service.Meta.v == 1' } } } },
  'Subsets.*.Filter': { value: 'Service.Meta.v == 2', beside: V1 },
  'Subsets.*.OnlyPassing': { value: true, beside: V1 },
  'Redirect.Service': { value: 'other' },
  'Redirect.ServiceSubset': { value: 'v1', beside: { Redirect: { Service: 'other' } }, entries: [OTHER_SUBSETS] },
  'Redirect.Datacenter': { value: 'dc2' },
  'Redirect.Peer': { value: 'east' },
  'Failover.*.Service': { value: 'other' },
  'Failover.*.ServiceSubset': {
    value: 'v1',
    beside: { Failover: { '*': { Service: 'other' } } },
    entries: [OTHER_SUBSETS],
  },
  'Failover.*.Datacenters': { value: ['dc2'] },
  ...under(
    'Failover.*.Targets[]',
    {
      Service: { value: 'third' },
      ServiceSubset: { value: 'v1', entries: [OTHER_SUBSETS] },
      Datacenter: { value: 'dc2' },
      Peer: { value: 'east' },
    },
    { Failover: { '*': { Targets: [{ Service: 'other' }] } } },
  ),
  ConnectTimeout: { value: '7s' },
  RequestTimeout: { value: '7s' },
  'LoadBalancer.Policy': { value: 'random' },
  'LoadBalancer.RingHashConfig.MinimumRingSize': { value: 2048, beside: { LoadBalancer: { Policy: 'ring_hash' } } },
  'LoadBalancer.RingHashConfig.MaximumRingSize': { value: 4096, beside: { LoadBalancer: { Policy: 'ring_hash' } } },
  'LoadBalancer.LeastRequestConfig.ChoiceCount': { value: 4, beside: { LoadBalancer: { Policy: 'least_request' } } },
  'LoadBalancer.HashPolicies[].Field': { value: 'query_parameter', beside: HASHING },
  'LoadBalancer.HashPolicies[].FieldValue': { value: 'b', beside: HASHING },
  'LoadBalancer.HashPolicies[].SourceIP': { value: true, beside: HASHING },
  'LoadBalancer.HashPolicies[].Terminal': { value: true, beside: HASHING },
  'LoadBalancer.HashPolicies[].CookieConfig.Session': { value: true, beside: COOKIE },
  'LoadBalancer.HashPolicies[].CookieConfig.TTL': { value: '3s', beside: COOKIE },
  'LoadBalancer.HashPolicies[].CookieConfig.Path': { value: '/y', beside: COOKIE },
};

const REGISTRATION: Samples = {
  DestinationServiceName: {
    value: 'shop',
    entries: [{ Kind: 'service-defaults', Name: 'shop', Protocol: 'grpc' }],
  },
  DestinationServiceID: { value: 'web-2', beside: { Expose: { Checks: true } } },
  LocalServiceAddress: { value: '10.1.2.3' },
  LocalServicePort: { value: 8081 },
  LocalServiceSocketPath: { value: '/run/web.sock' },
  MutualTLSMode: MUTUAL_TLS_MODE,
  ...under(
    'Config',
    {
      protocol: { value: 'grpc' },
      bind_address: { value: '10.1.2.3' },
      bind_port: { value: 8081 },
      local_connect_timeout_ms: { value: 77 },
      local_request_timeout_ms: { value: 77 },
      local_idle_timeout_ms: { value: 77 },
      max_inbound_connections: { value: 5 },
      balance_inbound_connections: { value: 'exact_balance' },
      max_request_headers_kb: { value: 90 },
      xds_fetch_timeout_ms: { value: 5 },
      envoy_public_listener_json: { value: '{}' },
    },
    {},
  ),
  ...under(
    'Upstreams[]',
    {
      DestinationType: { value: 'prepared_query' },
      DestinationPeer: { value: 'east' },
      DestinationName: { value: 'other' },
      Datacenter: { value: 'dc2' },
      LocalBindAddress: { value: '127.0.0.2' },
      LocalBindPort: { value: 9292 },
      LocalBindSocketPath: { value: '/run/api.sock' },
      LocalBindSocketMode: {
        value: '0600',
        beside: { Upstreams: [{ DestinationName: 'api', LocalBindSocketPath: '/run/api.sock' }] },
      },
      'Config.protocol': { value: 'tcp' },
      'Config.connect_timeout_ms': { value: 77 },
      'Config.limits': { value: { max_connections: 5 } },
      'Config.passive_health_check': { value: { max_failures: 5 } },
      'Config.balance_outbound_connections': { value: 'exact_balance' },
      'Config.envoy_cluster_json': { value: '{}' },
    },
    UPSTREAMS,
  ),
  ...EXPOSE,
  ...ACCESS_LOGS,
};

const TLS_DIRECTIONS: Samples = Object.fromEntries(
  ['TLS.Incoming', 'TLS.Outgoing'].flatMap((direction) => [
    [`${direction}.TLSMinVersion`, { value: 'TLSv1_3', isOfMutualTls: true }],
    [`${direction}.TLSMaxVersion`, { value: 'TLSv1_2', isOfMutualTls: true }],
    [`${direction}.CipherSuites`, { value: ['TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256'], isOfMutualTls: true }],
  ]),
);

const NORMALIZATION = 'HTTP.Incoming.RequestNormalization';

export const FIELD_SAMPLES: Readonly<Record<FieldHolder, Samples>> = {
  'proxy-defaults': {
    Config: { value: { protocol: 'http', local_connect_timeout_ms: 77 } },
    MutualTLSMode: MUTUAL_TLS_MODE,
    ...EXPOSE,
    ...ACCESS_LOGS,
  },
  'service-defaults': SERVICE_DEFAULTS,
  'service-router': ROUTER,
  'service-splitter': SPLITTER,
  'service-resolver': RESOLVER,
  mesh: {
    ...TLS_DIRECTIONS,
    [`${NORMALIZATION}.InsecureDisablePathNormalization`]: { value: true },
    [`${NORMALIZATION}.MergeSlashes`]: { value: true },
    [`${NORMALIZATION}.PathWithEscapedSlashesAction`]: { value: 'REJECT_REQUEST' },
    [`${NORMALIZATION}.HeadersWithUnderscoresAction`]: { value: 'DROP_HEADER' },
  },
  registration: REGISTRATION,
};

/** What must stand beside a field that is not obeyed, for the whole to be an entry or a registration. */
export function contextOf(holder: FieldHolder, path: string): Readonly<Record<string, unknown>> {
  switch (holder) {
    case 'service-defaults':
      return { UpstreamConfig: { Overrides: [{ Name: 'api' }] } };
    case 'service-router':
      return { Routes: [{ Match: { HTTP: { PathPrefix: '/x' } }, Destination: { Service: 'other' } }] };
    case 'service-splitter':
      return { Splits: [{ Weight: 100, Service: 'other' }] };
    case 'service-resolver':
      if (path.startsWith('Redirect')) return { Redirect: { Service: 'other' } };
      return path.startsWith('Failover.') ? { Failover: { '*': { Targets: [{ Service: 'other' }] } } } : {};
    case 'registration':
      return UPSTREAMS;
    default:
      return {};
  }
}
