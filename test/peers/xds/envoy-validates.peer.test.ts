import { expect, test } from 'vitest';
import { mergedParts } from '../../../src/control/held-units.ts';
import type { Json } from '../../../src/control/snapshot/snapshot.ts';
import {
  type Entry,
  HTTP_MESH,
  health,
  registration,
  translated,
} from '../../../src/control/testing/catalog-fixtures.ts';
import { loadAssignment, type ProxyRegistration } from '../../../src/control/translate/translate.ts';
import { describeWithPeer } from '../support/peer.ts';
import { complaints } from './support/envoy-admin.ts';
import { staticBootstrap, validate } from './support/static-rendering.ts';

interface Case {
  readonly title: string;
  readonly proxy?: ProxyRegistration;
  readonly entries?: readonly Entry[];
}

const api = (kind: Entry['Kind'], fields: Json): Entry => ({ Kind: kind, Name: 'api', ...fields });
const protocol = (word: string): Entry => ({ Kind: 'proxy-defaults', Name: 'global', Config: { protocol: word } });
const upstream = (Config: Json): ProxyRegistration =>
  registration({ Upstreams: [{ DestinationName: 'api', LocalBindPort: 9191, Config }] });
const resolver = (fields: Json): readonly Entry[] => [HTTP_MESH, api('service-resolver', fields)];

const ROUTES = [
  { Match: { HTTP: { PathExact: '/exact', Methods: ['GET', 'HEAD'], CaseInsensitive: true } } },
  { Match: { HTTP: { PathRegex: '/items/[0-9]+', QueryParam: [{ Name: 'q', Present: true }] } } },
  {
    Match: {
      HTTP: {
        PathPrefix: '/v2/',
        Header: [
          { Name: 'x-a', Exact: 'A', IgnoreCase: true },
          { Name: 'x-b', Regex: 'b+', IgnoreCase: true },
          { Name: 'x-c', Present: true, Invert: true },
          { Name: 'x-d', Prefix: 'd' },
          { Name: 'x-e', Suffix: 'e' },
          { Name: 'x-f', Contains: 'f' },
        ],
        QueryParam: [
          { Name: 'page', Exact: '2' },
          { Name: 'sort', Regex: 'up|down' },
        ],
      },
    },
    Destination: {
      PrefixRewrite: '/',
      RequestTimeout: '3s',
      IdleTimeout: '1m',
      NumRetries: 4,
      RetryOn: ['5xx', 'gateway-error', 'reset', 'retriable-4xx'],
      RetryOnStatusCodes: [429, 503],
      RequestHeaders: { Add: { 'x-caller': '%DOWNSTREAM_REMOTE_ADDRESS%' }, Set: { 'x-set': '1' }, Remove: ['x-gone'] },
      ResponseHeaders: { Add: { 'x-served': 'yes' }, Set: { 'x-zone': 'z' }, Remove: ['x-internal'] },
    },
  },
  { Match: { HTTP: { PathRegex: '/old/.*' } }, Destination: { PrefixRewrite: '/new' } },
  { Match: { HTTP: { PathPrefix: '/admin', CaseInsensitive: true } }, Destination: { PrefixRewrite: '/' } },
];

const SPLITS = [
  { Weight: 89.99, ServiceSubset: 'v1', RequestHeaders: { Set: { 'x-version': '1' } } },
  { Weight: 10, ServiceSubset: 'v2', ResponseHeaders: { Remove: ['x-debug'] } },
  { Weight: 0.01, Service: 'canary' },
];

const SUBSETS = { v1: { Filter: 'Service.Meta.v == 1' }, v2: { Filter: 'Service.Meta.v == 2', OnlyPassing: true } };

const ring = (RingHashConfig: Json): Json => ({ LoadBalancer: { Policy: 'ring_hash', RingHashConfig } });

const CASES: readonly Case[] = [
  { title: 'HTTP/1.1', entries: [HTTP_MESH] },
  { title: 'HTTP/2', entries: [protocol('http2')] },
  { title: 'gRPC', entries: [protocol('grpc')] },
  { title: 'bytes', entries: [protocol('tcp')] },
  {
    title: 'every way to match and to act of a router',
    entries: [HTTP_MESH, api('service-router', { Routes: ROUTES })],
  },
  {
    title: 'a splitter over subsets',
    entries: [...resolver({ Subsets: SUBSETS }), api('service-splitter', { Splits: SPLITS })],
  },
  ...['round_robin', 'random', 'least_request', 'maglev'].map(
    (Policy): Case => ({ title: `the policy ${Policy}`, entries: resolver({ LoadBalancer: { Policy } }) }),
  ),
  {
    title: 'every hash policy on a ring of given sizes',
    entries: resolver({
      ConnectTimeout: '250ms',
      RequestTimeout: '9s',
      LoadBalancer: {
        Policy: 'ring_hash',
        RingHashConfig: { MinimumRingSize: 2048, MaximumRingSize: 4096 },
        HashPolicies: [
          { Field: 'header', FieldValue: 'x-user', Terminal: true },
          { Field: 'query_parameter', FieldValue: 'user' },
          { Field: 'cookie', FieldValue: 'session', CookieConfig: { TTL: '1h', Path: '/' } },
          { Field: 'cookie', FieldValue: 'tab', CookieConfig: { Session: true } },
          { SourceIP: true },
        ],
      },
    }),
  },
  { title: 'a ring smaller than the least by default', entries: resolver(ring({ MaximumRingSize: 512 })) },
  { title: 'a connect timeout of nothing', entries: resolver({ ConnectTimeout: '0s', RequestTimeout: '0s' }) },
  {
    title: 'every option of an upstream',
    entries: [HTTP_MESH],
    proxy: upstream({
      connect_timeout_ms: 1,
      limits: { max_connections: 0, max_pending_requests: 0, max_concurrent_requests: 0 },
      passive_health_check: {
        interval: '0s',
        max_failures: 5,
        enforcing_consecutive_5xx: 100,
        max_ejection_percent: 100,
        base_ejection_time: '0s',
      },
      weft_num_retries: 0,
      weft_retry_budget_percent: 12.5,
      weft_lb_policy: 'least_request',
      weft_slow_start_ms: 1,
    }),
  },
  {
    title: 'every option of a sidecar',
    entries: [HTTP_MESH],
    proxy: registration({
      Config: {
        local_connect_timeout_ms: 1,
        local_request_timeout_ms: 0,
        local_idle_timeout_ms: 0,
        max_inbound_connections: 1,
        weft_local_keepalive_ms: 1,
        weft_trace_sampling_percent: 0.01,
      },
    }),
  },
  {
    title: 'failover to services, subsets and datacenters',
    entries: resolver({
      Subsets: SUBSETS,
      Failover: { '*': { Targets: [{ ServiceSubset: 'v2' }, { Service: 'spare' }, { Datacenter: 'dc2' }] } },
    }),
  },
  {
    title: 'every setting of a service and of the mesh',
    entries: [
      { ...HTTP_MESH, AccessLogs: { Enabled: true, Type: 'file', Path: '/tmp/weft-access.log' } },
      {
        Kind: 'service-defaults',
        Name: 'web',
        Protocol: 'http',
        BalanceInboundConnections: 'exact_balance',
        RateLimits: {
          InstanceLevel: {
            RequestsPerSecond: 9,
            Routes: [{ PathRegex: '/a+', RequestsPerSecond: 1, RequestsMaxBurst: 3 }],
          },
        },
      },
      {
        Kind: 'mesh',
        Name: 'mesh',
        HTTP: {
          Incoming: {
            RequestNormalization: {
              MergeSlashes: true,
              PathWithEscapedSlashesAction: 'REJECT_REQUEST',
              HeadersWithUnderscoresAction: 'DROP_HEADER',
            },
          },
        },
      },
    ],
    proxy: registration({ Config: { max_request_headers_kb: 96 } }),
  },
  {
    title: 'access logs of bytes as text',
    entries: [
      {
        Kind: 'proxy-defaults',
        Name: 'global',
        AccessLogs: { Enabled: true, Type: 'stderr', TextFormat: '%BYTES_SENT% %DURATION%' },
      },
    ],
  },
  {
    title: 'Unix sockets',
    entries: [HTTP_MESH],
    proxy: registration(
      {
        LocalServicePort: 0,
        LocalServiceSocketPath: '/tmp/weft-app.sock',
        Upstreams: [{ DestinationName: 'api', LocalBindSocketPath: '/tmp/weft-up.sock' }],
      },
      { Port: 0, SocketPath: '/tmp/weft-in.sock' },
    ),
  },
];

/** Everything one proxy is sent, as Envoy would find it in a file. */
function rendered({ proxy = registration(), entries = [] }: Case): Json {
  const { units, problems } = translated(proxy, ...entries);
  if (units.length < 2) throw new Error(`nothing to validate: ${JSON.stringify(problems)}`);
  const instances = health(
    { zone: 'a' },
    { address: '[::1]:21000'.replace(/[[\]]/g, ''), checks: ['critical'] },
    { address: '10.0.0.3:21000', checks: ['warning'], weights: { Passing: 10, Warning: 0 }, zone: 'b' },
  );
  const assignments = units.flatMap(({ endpointGroups }) =>
    endpointGroups.map((group) => {
      const others = (group.failover ?? []).map((_, at) => health({ address: `10.0.1.${at + 1}:21000` }));
      return loadAssignment(group, instances, others).resource;
    }),
  );
  return staticBootstrap([...mergedParts(units).resources, ...assignments]);
}

describeWithPeer('envoy', 'envoy --mode validate', () => {
  test('refuses what is wrong', async () => {
    const wrong = { name: 'wrong', type: 'STATIC', connectTimeout: '-1s' };
    expect(await validate({ staticResources: { clusters: [wrong] } })).toMatchObject({ isValid: false });
  });

  test.concurrent.each(CASES)('accepts $title', async (given) => {
    const { isValid, output } = await validate(rendered(given));
    expect(isValid, output.slice(-1_000)).toBe(true);
    expect(complaints(output)).toEqual([]);
  });
});
