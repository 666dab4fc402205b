import type { ChainCase, WrittenEntry } from './chain-case.ts';

/**
 * The shapes that Consul's documentation of service-router, service-splitter, service-resolver, service-defaults and
 * proxy-defaults shows, one case each, and beside them what the text forbids.
 */

const HTTP: WrittenEntry = { Kind: 'proxy-defaults', Name: 'global', Config: { protocol: 'http' } };
const VERSIONS = {
  v1: { Filter: 'Service.Meta.version == v1' },
  v2: { Filter: 'Service.Meta.version == v2' },
  canary: { Filter: 'Service.Meta.version contains "canary"', OnlyPassing: true },
};

const resolver = (fields: object, Name = 'web'): WrittenEntry => ({ Kind: 'service-resolver', Name, ...fields });
const splitter = (Splits: readonly object[], Name = 'web'): WrittenEntry => ({
  Kind: 'service-splitter',
  Name,
  Splits,
});
const router = (Routes: readonly object[], Name = 'web'): WrittenEntry => ({ Kind: 'service-router', Name, Routes });
const defaults = (fields: object, Name = 'web'): WrittenEntry => ({ Kind: 'service-defaults', Name, ...fields });
const toWeb = [{ service: 'web' }];

function of(name: string, ...entries: readonly WrittenEntry[]): ChainCase {
  return { name: `documented: ${name}`, entries, questions: toWeb };
}

const balancer = (LoadBalancer: object): WrittenEntry => resolver({ LoadBalancer });
const route = (http: object, Destination: object = { Service: 'admin' }): WrittenEntry =>
  router([{ Match: { HTTP: http }, Destination }]);

export const DOCUMENTED_SHAPES: readonly ChainCase[] = [
  of('nothing at all'),
  of('service-defaults alone', defaults({ Protocol: 'http', Meta: { team: 'storefront' } })),
  of('service-defaults without a protocol under proxy-defaults with one', HTTP, defaults({ MaxInboundConnections: 5 })),
  of('router: path prefix', HTTP, route({ PathPrefix: '/admin' })),
  of('router: gRPC method', HTTP, route({ PathExact: '/pay.Billing/Invoice' })),
  of('router: regular expression', HTTP, route({ PathRegex: '/v[0-9]+/.*' })),
  of(
    'router: a header chooses a subset',
    HTTP,
    resolver({ Subsets: VERSIONS }),
    route({ Header: [{ Name: 'x-debug', Exact: '1' }] }, { Service: 'web', ServiceSubset: 'canary' }),
  ),
  of(
    'router: a query parameter chooses a subset',
    HTTP,
    resolver({ Subsets: VERSIONS }),
    route({ QueryParam: [{ Name: 'x-debug', Exact: '1' }] }, { ServiceSubset: 'canary' }),
  ),
  of(
    'router: every way to match',
    HTTP,
    route({
      PathPrefix: '/',
      CaseInsensitive: true,
      Header: [
        { Name: 'a', Present: true },
        { Name: 'b', Prefix: 'x', Invert: true },
        { Name: 'c', Suffix: 'y' },
        { Name: 'd', Regex: '[a-z]+' },
      ],
      QueryParam: [
        { Name: 'q', Present: true },
        { Name: 'r', Regex: '^[0-9]$' },
      ],
      Methods: ['get', 'POST'],
    }),
  ),
  of(
    'router: everything a destination can say',
    HTTP,
    route(
      { PathPrefix: '/old' },
      {
        Service: 'admin',
        PrefixRewrite: '/new',
        RequestTimeout: '30s',
        IdleTimeout: '1m30s',
        NumRetries: 3,
        RetryOnConnectFailure: true,
        RetryOn: ['reset', '5xx'],
        RetryOnStatusCodes: [502, 503],
        RequestHeaders: { Add: { 'x-add': '1' }, Set: { 'x-set': '2' }, Remove: ['x-gone'] },
        ResponseHeaders: { Add: { 'y-add': '1' }, Set: { 'y-set': '2' }, Remove: ['y-gone'] },
      },
    ),
  ),
  of(
    'router: timeouts switched off',
    HTTP,
    route({ PathExact: '/stream' }, { RequestTimeout: '-1s', IdleTimeout: '-1ns' }),
  ),
  of('router: a header that contains', HTTP, route({ Header: [{ Name: 'a', Contains: 'b' }] })),
  of('router: a header of any case', HTTP, route({ Header: [{ Name: 'a', Exact: 'b', IgnoreCase: true }] })),
  of('router: retries before the request', HTTP, route({ PathPrefix: '/' }, { RetryOn: ['reset-before-request'] })),
  of('router: two ways for one path', HTTP, route({ PathPrefix: '/', PathExact: '/' })),
  of('router: a rewrite without a prefix', HTTP, route({ PathRegex: '/.*' }, { PrefixRewrite: '/x' })),
  of('router: a path from nowhere', HTTP, route({ PathPrefix: 'admin' })),
  of('router: a method nobody knows', HTTP, route({ Methods: ['FETCH'] })),
  of('router: no match and no destination', HTTP, router([{}])),
  of('router: no routes', HTTP, router([])),
  of(
    'router: the namespace everybody is in',
    HTTP,
    route({ PathPrefix: '/a' }, { Service: 'admin', Namespace: 'default' }),
  ),
  of(
    'splitter: two subsets',
    HTTP,
    resolver({ Subsets: VERSIONS }),
    splitter([
      { Weight: 90, ServiceSubset: 'v1' },
      { Weight: 10, ServiceSubset: 'v2' },
    ]),
  ),
  of('splitter: two services', HTTP, splitter([{ Weight: 50 }, { Weight: 50, Service: 'web-rewrite' }])),
  of(
    'splitter: headers of each split',
    HTTP,
    resolver({ Subsets: VERSIONS }),
    splitter([
      {
        Weight: 90,
        ServiceSubset: 'v1',
        RequestHeaders: { Set: { 'x-version': 'v1' } },
        ResponseHeaders: { Set: { 'x-version': 'v1' } },
      },
      { Weight: 10, ServiceSubset: 'v2', ResponseHeaders: { Add: { 'x-version': 'v2' }, Remove: ['server'] } },
    ]),
  ),
  of(
    'splitter: a splitter behind it',
    HTTP,
    splitter([
      { Weight: 40, Service: 'blue' },
      { Weight: 60, Service: 'green' },
    ]),
    splitter([{ Weight: 25 }, { Weight: 75, Service: 'cyan' }], 'blue'),
  ),
  of(
    'splitter: what nested headers come to',
    HTTP,
    splitter([
      {
        Weight: 100,
        Service: 'blue',
        RequestHeaders: { Add: { a: 'outer', b: 'outer' }, Set: { c: 'outer', d: 'outer' }, Remove: ['e', 'f'] },
        ResponseHeaders: { Add: { a: 'outer', b: 'outer' }, Set: { c: 'outer', d: 'outer' }, Remove: ['e', 'f'] },
      },
    ]),
    splitter(
      [
        {
          Weight: 100,
          RequestHeaders: { Add: { a: 'inner' }, Set: { c: 'inner' }, Remove: ['f', 'g'] },
          ResponseHeaders: { Add: { a: 'inner' }, Set: { c: 'inner' }, Remove: ['f', 'g'] },
        },
      ],
      'blue',
    ),
  ),
  of('splitter: hundredths of a percent', HTTP, splitter([{ Weight: 99.99 }, { Weight: 0.01, Service: 'rare' }])),
  of('splitter: weights that do not add up', HTTP, splitter([{ Weight: 90 }, { Weight: 9, Service: 'b' }])),
  of('splitter: the same destination twice', HTTP, splitter([{ Weight: 50 }, { Weight: 50 }])),
  of('splitter: of a tcp service', splitter([{ Weight: 100 }])),
  of(
    'splitter: in a circle',
    HTTP,
    splitter([{ Weight: 100, Service: 'b' }]),
    splitter([{ Weight: 100, Service: 'web' }], 'b'),
  ),
  of('splitter: a subset nobody has', HTTP, splitter([{ Weight: 100, ServiceSubset: 'v9' }])),
  of('resolver: subsets and a default', resolver({ DefaultSubset: 'v1', Subsets: VERSIONS })),
  of(
    'resolver: another datacenter as a service of its own',
    resolver({ Redirect: { Service: 'shop', Datacenter: 'dc2' } }),
  ),
  of(
    'resolver: redirect to a subset',
    resolver({ Subsets: VERSIONS }, 'shop'),
    resolver({ Redirect: { Service: 'shop', ServiceSubset: 'v2' } }),
  ),
  of('resolver: redirect to a peer', resolver({ Redirect: { Service: 'shop', Peer: 'partner' } })),
  of('resolver: the same service in another datacenter', resolver({ Redirect: { Datacenter: 'dc2' } })),
  of(
    'resolver: failover to datacenters',
    resolver({ ConnectTimeout: '15s', Failover: { '*': { Datacenters: ['dc3', 'dc4'] } } }),
  ),
  of('resolver: failover to a service', resolver({ Failover: { '*': { Service: 'backup' } } })),
  of(
    'resolver: failover of one subset to another',
    resolver({
      DefaultSubset: 'v2',
      Subsets: VERSIONS,
      Failover: { v2: { ServiceSubset: 'v1' } },
    }),
  ),
  of('resolver: failover of one subset only', resolver({ Subsets: VERSIONS, Failover: { v2: { Service: 'backup' } } })),
  of(
    'resolver: failover of a service elsewhere',
    resolver({ Failover: { '*': { Service: 'backup', Datacenters: ['dc1', 'dc2'] } } }),
  ),
  of(
    'resolver: failover to targets of all kinds',
    resolver({ Subsets: VERSIONS }, 'backup'),
    resolver({
      Subsets: VERSIONS,
      Failover: {
        '*': {
          Targets: [
            { Service: 'backup' },
            { Service: 'backup', ServiceSubset: 'v1' },
            { ServiceSubset: 'v1' },
            { Datacenter: 'dc2' },
            { Peer: 'partner' },
            { Service: 'backup', Peer: 'partner' },
            { Service: 'web' },
          ],
        },
      },
    }),
  ),
  of(
    'resolver: a failover that redirects',
    resolver({ Redirect: { Service: 'spare', Datacenter: 'dc2' } }, 'backup'),
    resolver({
      Failover: { '*': { Service: 'backup' } },
    }),
  ),
  of(
    'resolver: a failover with a failover',
    resolver({ Failover: { '*': { Datacenters: ['dc9'] } } }, 'backup'),
    resolver({
      Failover: { '*': { Service: 'backup' } },
    }),
  ),
  of('resolver: failover to itself alone', resolver({ Failover: { '*': { Datacenters: ['dc1'] } } })),
  of(
    'resolver: maglev by a header',
    balancer({ Policy: 'maglev', HashPolicies: [{ Field: 'header', FieldValue: 'x-user-id' }] }),
  ),
  of(
    'resolver: ring hash by everything',
    balancer({
      Policy: 'ring_hash',
      RingHashConfig: { MinimumRingSize: 2048, MaximumRingSize: 4096 },
      HashPolicies: [
        { Field: 'header', FieldValue: 'x-user-id', Terminal: true },
        { Field: 'cookie', FieldValue: 'session', CookieConfig: { TTL: '1h', Path: '/shop' } },
        { Field: 'cookie', FieldValue: 'visit', CookieConfig: { Session: true } },
        { Field: 'query_parameter', FieldValue: 'user' },
        { SourceIP: true, Terminal: true },
      ],
    }),
  ),
  of('resolver: least request', balancer({ Policy: 'least_request', LeastRequestConfig: { ChoiceCount: 5 } })),
  of('resolver: random', balancer({ Policy: 'random' })),
  of('resolver: round robin', balancer({ Policy: 'round_robin' })),
  of('resolver: a policy of no name', balancer({ Policy: 'fastest' })),
  of('resolver: hashes without a hashing policy', balancer({ Policy: 'random', HashPolicies: [{ SourceIP: true }] })),
  of('resolver: a ring for another policy', balancer({ Policy: 'maglev', RingHashConfig: { MinimumRingSize: 8 } })),
  of('resolver: timeouts', resolver({ ConnectTimeout: '250ms', RequestTimeout: '2s' })),
  of('resolver: a negative timeout', resolver({ ConnectTimeout: '-1s' })),
  of(
    'resolver: redirect and failover together',
    resolver({ Redirect: { Service: 'a' }, Failover: { '*': { Service: 'b' } } }),
  ),
  of('resolver: an empty redirect', resolver({ Redirect: {} })),
  of(
    'resolver: redirects in a circle',
    resolver({ Redirect: { Service: 'b' } }),
    resolver({ Redirect: { Service: 'web' } }, 'b'),
  ),
  of('resolver: a filter that is none', resolver({ Subsets: { v1: { Filter: 'Service.Meta ==' } } })),
  of('resolver: an upper-case subset', resolver({ Subsets: { V1: {} } })),
  of('resolver: a default subset that is not there', resolver({ DefaultSubset: 'v1' })),
  of('resolver: failover of a subset that is not there', resolver({ Failover: { v1: { Service: 'b' } } })),
  of('resolver: failover to nothing', resolver({ Failover: { '*': {} } })),
  of('resolver: failover to an empty datacenter', resolver({ Failover: { '*': { Datacenters: [''] } } })),
  of(
    'resolver: targets and a service at once',
    resolver({ Failover: { '*': { Service: 'b', Targets: [{ Service: 'c' }] } } }),
  ),
  of(
    'resolver: a target with peer and datacenter',
    resolver({ Failover: { '*': { Targets: [{ Peer: 'p', Datacenter: 'd' }] } } }),
  ),
  of(
    'resolver: a redirect with peer and subset',
    resolver({ Redirect: { Service: 'b', ServiceSubset: 'v1', Peer: 'p' } }),
  ),
  of('resolver: a redirect to a namespace', resolver({ Redirect: { Service: 'b', Namespace: 'other' } })),
  of('resolver: a failover to a namespace', resolver({ Failover: { '*': { Service: 'b', Namespace: 'other' } } })),
  of('resolver: locality', resolver({ PrioritizeByLocality: { Mode: 'failover' } })),
  of('resolver: a failover policy', resolver({ Failover: { '*': { Service: 'b', Policy: { Mode: 'sequential' } } } })),
  of(
    'defaults: how failover is done, for all',
    { ...HTTP, FailoverPolicy: { Mode: 'sequential' } },
    resolver({ Failover: { '*': { Service: 'backup' } } }),
  ),
  of('defaults: a failover policy of no name', { ...HTTP, FailoverPolicy: { Mode: 'random' } }),
  of('defaults: locality', { ...HTTP, PrioritizeByLocality: { Mode: 'failover' } }),
  of('defaults: mesh gateways', HTTP, defaults({ Protocol: 'http', MeshGateway: { Mode: 'local' } })),
  of('defaults: dialed directly', HTTP, defaults({ Protocol: 'http', TransparentProxy: { DialedDirectly: true } })),
  of('defaults: outside the mesh', defaults({ ExternalSNI: 'shop.example.com' })),
  of(
    'defaults: outside the mesh, redirected',
    defaults({ ExternalSNI: 'shop.example.com' }),
    resolver({ Redirect: { Service: 'b' } }),
  ),
  of(
    'defaults: outside the mesh, with subsets',
    resolver({ Subsets: VERSIONS }),
    defaults({ ExternalSNI: 'shop.example.com' }),
  ),
  of(
    'the mesh speaks grpc, one service does not',
    { ...HTTP, Config: { protocol: 'grpc' } },
    defaults({ Protocol: 'http' }, 'b'),
    splitter([{ Weight: 50 }, { Weight: 50, Service: 'b' }]),
  ),
  of('a protocol that is taken away from a router', HTTP, route({ PathPrefix: '/' }), {
    ...HTTP,
    Config: { protocol: 'tcp' },
  }),
  of(
    'protocols are words of any case',
    { ...HTTP, Config: { protocol: 'HTTP2' } },
    defaults({ Protocol: 'HTTP2' }, 'b'),
    splitter([{ Weight: 50 }, { Weight: 50, Service: 'b' }]),
  ),
  {
    name: 'documented: what a question can override',
    entries: [HTTP, resolver({ ConnectTimeout: '3s' }), route({ PathPrefix: '/admin' })],
    questions: [
      { service: 'web', overrides: {} },
      { service: 'web', overrides: { OverrideProtocol: 'tcp' } },
      { service: 'web', overrides: { OverrideProtocol: 'grpc' } },
      { service: 'web', overrides: { OverrideProtocol: 'http' } },
      { service: 'web', overrides: { OverrideConnectTimeout: '12s' } },
      { service: 'web', overrides: { OverrideConnectTimeout: '3s' } },
      { service: 'web', overrides: { OverrideConnectTimeout: 7_000_000_000 } },
      { service: 'web', overrides: { override_connect_timeout: '2s', override_protocol: 'http2' } },
      { service: 'web', overrides: { OverrideMeshGateway: { Mode: 'remote' } } },
      { service: 'web', overrides: { OverrideMeshGateway: { Mode: 'sideways' } } },
      { service: 'web', overrides: { OverrideConnectTimeout: 'soon' } },
      {
        service: 'web',
        overrides: { OverrideMeshGateway: { Mode: 'local' }, OverrideProtocol: 'tcp', OverrideConnectTimeout: '1s' },
      },
      { service: 'web', datacenter: 'dc7' },
      { service: 'never-heard-of' },
    ],
  },
];
