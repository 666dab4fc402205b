import type { ConfigEntryKind } from './config-entries.ts';

/**
 * Every field that Consul 1.22 takes in the entries that this control server reads and in the proxy block of a registration,
 * and what becomes of it. One table: what is named as not obeyed, the page docs/consul-fields.md and its test are made of it.
 * `[]` is any item of a list, `*` any key of a map.
 */
export type FieldHolder = ConfigEntryKind | 'registration';

export type FieldRow =
  | { readonly standing: 'obeyed'; readonly does: string }
  | {
      readonly standing: 'notObeyed';
      readonly why: string;
      /** Values that ask for nothing but what is done anyway. */
      readonly harmless: readonly string[];
      /** By this table, or by whatever meets it in translation. */
      readonly namedBy: 'table' | 'translation';
    };

export type FieldRows = Readonly<Record<string, FieldRow>>;

const obeyed = (does: string): FieldRow => ({ standing: 'obeyed', does });
const notObeyed = (why: string, harmless: readonly string[] = []): FieldRow => {
  return { standing: 'notObeyed', why, harmless, namedBy: 'table' };
};
const refused = (why: string): FieldRow => ({ standing: 'notObeyed', why, harmless: [], namedBy: 'translation' });

function under(prefix: string, rows: FieldRows): FieldRows {
  return Object.fromEntries(Object.entries(rows).map(([field, row]) => [`${prefix}.${field}`, row]));
}

const KIND: FieldRows = { Kind: obeyed('which entry this is') };

/** Of every entry but `mesh`, of which there is one. */
const HEAD: FieldRows = {
  ...KIND,
  Name: obeyed('which entry this is'),
  Meta: obeyed('free text; keys of Weft in a `service-resolver`, nothing anywhere else'),
};

const ENTERPRISE = 'needs Consul Enterprise; the default one is asked';
const NAMESPACE = notObeyed(ENTERPRISE, ['default']);
const PEERING = 'cluster peering is not supported';
const TRANSPARENT = 'only upstreams with a local_bind_port or socket are listened for';
const GATEWAY = 'instances of another datacenter are called at their WAN addresses, without a gateway';
const EXTENSIONS = notObeyed("they change Envoy's configuration as Consul writes it, and this is not it");

const MUTUAL_TLS_MODE = obeyed('`strict` or `permissive`, under `weft control --mtls`');

const MESH_GATEWAY: FieldRows = { 'MeshGateway.Mode': notObeyed(GATEWAY, ['none']) };

const TRANSPARENT_PROXY: FieldRows = {
  Mode: notObeyed(TRANSPARENT, ['direct']),
  'TransparentProxy.OutboundListenerPort': notObeyed(TRANSPARENT),
  'TransparentProxy.DialedDirectly': notObeyed(TRANSPARENT),
};

const EXPOSE: FieldRows = under('Expose', {
  Checks: obeyed("the agent asks the service's HTTP and gRPC checks through the sidecar"),
  'Paths[].Path': obeyed('the one path that is let through, without the rules of the mesh'),
  'Paths[].LocalPathPort': obeyed('the port of the application'),
  'Paths[].ListenerPort': obeyed('the port of the sidecar'),
  'Paths[].Protocol': obeyed('`http` or `http2`'),
  'Paths[].ParsedFromCheck': notObeyed("Consul's own mark"),
});

const ACCESS_LOGS: FieldRows = under('AccessLogs', {
  Enabled: obeyed('whether lines are written'),
  DisableListenerLogs: obeyed('connections that no filter chain took are not told'),
  Type: obeyed('`stdout`, `stderr` or `file`'),
  Path: obeyed('of the file'),
  JSONFormat: obeyed('the line as a JSON object'),
  TextFormat: obeyed('the line as text'),
});

const HEADER_MODIFIERS: FieldRows = {
  Add: obeyed('appended'),
  Set: obeyed('set'),
  Remove: obeyed('taken away'),
};

const LIMITS: FieldRows = {
  'Limits.MaxConnections': obeyed('circuit breaker'),
  'Limits.MaxPendingRequests': obeyed('circuit breaker'),
  'Limits.MaxConcurrentRequests': obeyed('circuit breaker'),
  'PassiveHealthCheck.Interval': obeyed('outlier detection'),
  'PassiveHealthCheck.MaxFailures': obeyed('outlier detection'),
  'PassiveHealthCheck.EnforcingConsecutive5xx': obeyed('outlier detection'),
  'PassiveHealthCheck.MaxEjectionPercent': obeyed('outlier detection'),
  'PassiveHealthCheck.BaseEjectionTime': obeyed('outlier detection'),
};

const UPSTREAM_CONFIG: FieldRows = {
  Protocol: obeyed('what the caller speaks to the upstream'),
  ConnectTimeoutMs: obeyed('time to connect'),
  ...LIMITS,
  BalanceOutboundConnections: obeyed("`exact_balance`: of the upstream's listener"),
  ...MESH_GATEWAY,
  EnvoyListenerJSON: notObeyed("it replaces Consul's own Envoy configuration"),
  EnvoyClusterJSON: notObeyed("it replaces Consul's own Envoy configuration"),
  Namespace: NAMESPACE,
  Partition: NAMESPACE,
  Peer: notObeyed(PEERING),
};

const SERVICE_DEFAULTS: FieldRows = {
  ...HEAD,
  Protocol: obeyed('what the service speaks'),
  ...TRANSPARENT_PROXY,
  MutualTLSMode: MUTUAL_TLS_MODE,
  ...MESH_GATEWAY,
  ...EXPOSE,
  ExternalSNI: notObeyed('services outside the mesh are called in plaintext'),
  ...under('UpstreamConfig.Overrides[]', {
    Name: obeyed('the upstream that the override is about'),
    ...UPSTREAM_CONFIG,
  }),
  ...under('UpstreamConfig.Defaults', UPSTREAM_CONFIG),
  'Destination.Addresses': notObeyed('there is no terminating gateway; register the service where it is'),
  'Destination.Port': notObeyed('there is no terminating gateway; register the service where it is'),
  MaxInboundConnections: obeyed('further ones are closed'),
  LocalConnectTimeoutMs: obeyed('time to connect to the application'),
  LocalRequestTimeoutMs: obeyed('time for a whole answer of the application'),
  BalanceInboundConnections: obeyed('`exact_balance`: of the public listener'),
  MaxRequestHeadersKB: obeyed('largest head of a request'),
  ...under('RateLimits.InstanceLevel', {
    RequestsPerSecond: obeyed('of one instance'),
    RequestsMaxBurst: obeyed('of one instance'),
    'Routes[].PathExact': obeyed('the requests that are counted'),
    'Routes[].PathPrefix': obeyed('the requests that are counted'),
    'Routes[].PathRegex': obeyed('the requests that are counted'),
    'Routes[].RequestsPerSecond': obeyed('of these requests'),
    'Routes[].RequestsMaxBurst': obeyed('of these requests'),
  }),
  EnvoyExtensions: EXTENSIONS,
};

const PROXY_DEFAULTS: FieldRows = {
  ...HEAD,
  Config: obeyed('the keys of a registration’s `Config`, where it does not set them'),
  ...TRANSPARENT_PROXY,
  MutualTLSMode: MUTUAL_TLS_MODE,
  ...MESH_GATEWAY,
  ...EXPOSE,
  ...ACCESS_LOGS,
  EnvoyExtensions: EXTENSIONS,
  'FailoverPolicy.Mode': notObeyed('ordering failover by locality needs Consul Enterprise', ['sequential']),
  'FailoverPolicy.Regions': notObeyed('ordering failover by locality needs Consul Enterprise'),
  'PrioritizeByLocality.Mode': notObeyed('preferring near instances needs Consul Enterprise', ['none']),
};

const SERVICE_ROUTER: FieldRows = {
  ...HEAD,
  ...under('Routes[].Match.HTTP', {
    PathExact: obeyed('match'),
    PathPrefix: obeyed('match'),
    PathRegex: obeyed('match'),
    CaseInsensitive: obeyed('match'),
    'Header[].Name': obeyed('match'),
    'Header[].Present': obeyed('match'),
    'Header[].Exact': obeyed('match'),
    'Header[].Prefix': obeyed('match'),
    'Header[].Suffix': obeyed('match'),
    'Header[].Regex': obeyed('match'),
    'Header[].Invert': obeyed('match'),
    'QueryParam[].Name': obeyed('match'),
    'QueryParam[].Present': obeyed('match'),
    'QueryParam[].Exact': obeyed('match'),
    'QueryParam[].Regex': obeyed('match'),
    Methods: obeyed('match'),
  }),
  ...under('Routes[].Destination', {
    Service: obeyed('where to'),
    ServiceSubset: obeyed('where to'),
    Namespace: NAMESPACE,
    Partition: NAMESPACE,
    PrefixRewrite: obeyed('the matched prefix, replaced'),
    RequestTimeout: obeyed('a negative one is none'),
    IdleTimeout: obeyed('a negative one is none'),
    NumRetries: obeyed('retries'),
    RetryOnConnectFailure: obeyed('retries'),
    RetryOn: obeyed('retries'),
    RetryOnStatusCodes: obeyed('retries'),
    ...under('RequestHeaders', HEADER_MODIFIERS),
    ...under('ResponseHeaders', HEADER_MODIFIERS),
  }),
};

const SERVICE_SPLITTER: FieldRows = {
  ...HEAD,
  ...under('Splits[]', {
    Weight: obeyed('percent, two decimals'),
    Service: obeyed('where to'),
    ServiceSubset: obeyed('where to'),
    Namespace: NAMESPACE,
    Partition: NAMESPACE,
    ...under('RequestHeaders', HEADER_MODIFIERS),
    ...under('ResponseHeaders', HEADER_MODIFIERS),
  }),
};

const SERVICE_RESOLVER: FieldRows = {
  ...HEAD,
  DefaultSubset: obeyed('the subset where none is named'),
  'Subsets.*.Filter': obeyed('the instances of a subset'),
  'Subsets.*.OnlyPassing': obeyed('instances with a warning get nothing'),
  ...under('Redirect', {
    Service: obeyed('where to instead'),
    ServiceSubset: obeyed('where to instead'),
    Namespace: NAMESPACE,
    Partition: NAMESPACE,
    Datacenter: obeyed('where to instead'),
    Peer: refused(PEERING),
    SamenessGroup: notObeyed('sameness groups need Consul Enterprise'),
  }),
  ...under('Failover.*', {
    Service: obeyed('where to turn to'),
    ServiceSubset: obeyed('where to turn to'),
    Namespace: NAMESPACE,
    Datacenters: obeyed('where to turn to, in this order'),
    'Targets[].Service': obeyed('where to turn to, in this order'),
    'Targets[].ServiceSubset': obeyed('where to turn to, in this order'),
    'Targets[].Partition': NAMESPACE,
    'Targets[].Namespace': NAMESPACE,
    'Targets[].Datacenter': obeyed('where to turn to, in this order'),
    'Targets[].Peer': refused(PEERING),
    'Policy.Mode': notObeyed('ordering failover by locality needs Consul Enterprise', ['sequential']),
    'Policy.Regions': notObeyed('ordering failover by locality needs Consul Enterprise'),
    SamenessGroup: notObeyed('sameness groups need Consul Enterprise'),
  }),
  'PrioritizeByLocality.Mode': notObeyed('preferring near instances needs Consul Enterprise', ['none']),
  ConnectTimeout: obeyed('time to connect'),
  RequestTimeout: obeyed('time for a whole answer, where no router stands before the resolver'),
  ...under('LoadBalancer', {
    Policy: obeyed('`random`, `round_robin`, `least_request`, `ring_hash`, `maglev`'),
    'RingHashConfig.MinimumRingSize': obeyed('of `ring_hash`'),
    'RingHashConfig.MaximumRingSize': obeyed('of `ring_hash`'),
    'LeastRequestConfig.ChoiceCount': obeyed('of `least_request`'),
    'HashPolicies[].Field': obeyed('what is hashed'),
    'HashPolicies[].FieldValue': obeyed('what is hashed'),
    'HashPolicies[].CookieConfig.Session': obeyed('the cookie that is set'),
    'HashPolicies[].CookieConfig.TTL': obeyed('the cookie that is set'),
    'HashPolicies[].CookieConfig.Path': obeyed('the cookie that is set'),
    'HashPolicies[].SourceIP': obeyed('what is hashed'),
    'HashPolicies[].Terminal': obeyed('later policies do not count where this one gave a hash'),
  }),
};

const TLS_DIRECTION: FieldRows = {
  TLSMinVersion: obeyed('under `weft control --mtls`'),
  TLSMaxVersion: obeyed('under `weft control --mtls`'),
  CipherSuites: obeyed('under `weft control --mtls`'),
};

const MESH: FieldRows = {
  ...KIND,
  Meta: obeyed('free text'),
  'TransparentProxy.MeshDestinationsOnly': notObeyed(TRANSPARENT),
  AllowEnablingPermissiveMutualTLS: obeyed('by Consul: without it, entries that say `permissive` are refused'),
  ValidateClusters: notObeyed('whole snapshots are checked before they are sent, always'),
  ...under('TLS.Incoming', TLS_DIRECTION),
  ...under('TLS.Outgoing', TLS_DIRECTION),
  'HTTP.SanitizeXForwardedClientCert': obeyed('always: what a caller wrote there is never passed on'),
  ...under('HTTP.Incoming.RequestNormalization', {
    InsecureDisablePathNormalization: obeyed('paths are judged and passed on as they came'),
    MergeSlashes: obeyed('`//` becomes `/`'),
    PathWithEscapedSlashesAction: obeyed('what becomes of `%2F` and `%5C`'),
    HeadersWithUnderscoresAction: obeyed('what becomes of such headers'),
  }),
  'Peering.PeerThroughMeshGateways': notObeyed(PEERING),
};

/** What a registration's `Proxy` says; `Config` keys of Weft's own stand in docs/configuration.md. */
const REGISTRATION: FieldRows = {
  DestinationServiceName: obeyed('the service behind the sidecar'),
  DestinationServiceID: obeyed('the instance behind the sidecar, whose checks are exposed'),
  LocalServiceAddress: obeyed('where the application listens'),
  LocalServicePort: obeyed('where the application listens'),
  LocalServiceSocketPath: obeyed('where the application listens'),
  ...TRANSPARENT_PROXY,
  MutualTLSMode: MUTUAL_TLS_MODE,
  ...under('Config', {
    protocol: obeyed('what the service speaks'),
    bind_address: obeyed('of the public listener'),
    bind_port: obeyed('of the public listener'),
    local_connect_timeout_ms: obeyed('time to connect to the application'),
    local_request_timeout_ms: obeyed('time for a whole answer of the application'),
    local_idle_timeout_ms: obeyed('time without a byte of an answer'),
    max_inbound_connections: obeyed('further ones are closed'),
    balance_inbound_connections: obeyed('`exact_balance`'),
    max_request_headers_kb: obeyed('largest head of a request'),
    xds_fetch_timeout_ms: refused("for Consul's own Envoy configuration"),
    envoy_public_listener_json: refused("for Consul's own Envoy configuration, as all keys that begin with `envoy_`"),
  }),
  ...under('Upstreams[]', {
    DestinationType: obeyed('`service` or `prepared_query`'),
    DestinationNamespace: NAMESPACE,
    DestinationPartition: NAMESPACE,
    DestinationPeer: refused(PEERING),
    DestinationName: obeyed('what is called'),
    Datacenter: obeyed('where it is called'),
    LocalBindAddress: obeyed('where the application calls it'),
    LocalBindPort: obeyed('where the application calls it'),
    LocalBindSocketPath: obeyed('where the application calls it'),
    LocalBindSocketMode: obeyed('permissions of that socket'),
    'Config.protocol': obeyed('what the caller speaks to the upstream'),
    'Config.connect_timeout_ms': obeyed('time to connect'),
    'Config.limits': obeyed('circuit breakers'),
    'Config.passive_health_check': obeyed('outlier detection'),
    'Config.balance_outbound_connections': obeyed('`exact_balance`'),
    'Config.envoy_cluster_json': refused("for Consul's own Envoy configuration, as all keys that begin with `envoy_`"),
    ...MESH_GATEWAY,
  }),
  ...MESH_GATEWAY,
  ...EXPOSE,
  ...ACCESS_LOGS,
  EnvoyExtensions: EXTENSIONS,
};

export const CONSUL_FIELDS: Readonly<Record<FieldHolder, FieldRows>> = {
  'proxy-defaults': PROXY_DEFAULTS,
  'service-defaults': SERVICE_DEFAULTS,
  'service-router': SERVICE_ROUTER,
  'service-splitter': SERVICE_SPLITTER,
  'service-resolver': SERVICE_RESOLVER,
  mesh: MESH,
  registration: REGISTRATION,
};
