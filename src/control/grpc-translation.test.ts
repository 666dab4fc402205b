import { describe, expect, test } from 'vitest';
import { ResourceEncoder } from './snapshot/resource-encoder.ts';
import type { Json } from './snapshot/resource-literal.ts';
import { type Entry, entries, HTTP_MESH, TRUST_DOMAIN } from './testing/catalog-fixtures.ts';
import { datacenter } from './translate/catalog.ts';
import {
  type GrpcScope,
  type GrpcService,
  grpcCluster,
  grpcEndpointGroup,
  isServiceName,
  targetNamed,
  translateGrpcService,
} from './translate/grpc-service.ts';

const API = `api.default.dc1.internal.${TRUST_DOMAIN}`;
const api = (kind: Entry['Kind'], fields: Json): Entry => ({ Kind: kind, Name: 'api', ...fields });

const scope = (...written: readonly Entry[]): GrpcScope => ({
  entries: entries(HTTP_MESH, ...written),
  trustDomain: TRUST_DOMAIN,
  datacenter: datacenter('dc1'),
});

function routes({ routeConfiguration }: GrpcService): readonly Json[] {
  const [virtualHost] = (routeConfiguration?.json['virtualHosts'] ?? []) as readonly Json[];
  return (virtualHost?.['routes'] ?? []) as readonly Json[];
}

/** The cluster of a policy as clients read it. */
function cluster(LoadBalancer: Json): Json {
  const [name, target] = translateGrpcService('api', scope(api('service-resolver', { LoadBalancer }))).targets[0] ?? [];
  if (name === undefined || target === undefined) throw new Error('no target');
  const literal = grpcCluster(name, target);
  expect(new ResourceEncoder().encode(literal)).toMatchObject({ ok: true });
  return literal.json;
}

describe('a service for gRPC clients', () => {
  test('golden: it is a listener that leads to routes, and both have its name', () => {
    const { listener, routeConfiguration, targets, problems } = translateGrpcService('api', scope());
    expect(listener).toEqual({
      typeUrl: 'type.googleapis.com/envoy.config.listener.v3.Listener',
      name: 'api',
      json: {
        name: 'api',
        apiListener: {
          apiListener: {
            '@type':
              'type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager',
            statPrefix: 'api',
            rds: { routeConfigName: 'api', configSource: { ads: {}, resourceApiVersion: 'V3' } },
            httpFilters: [
              {
                name: 'envoy.filters.http.router',
                typedConfig: { '@type': 'type.googleapis.com/envoy.extensions.filters.http.router.v3.Router' },
              },
            ],
          },
        },
      },
    });
    const encoder = new ResourceEncoder();
    expect(encoder.encode(listener)).toMatchObject({ ok: true });
    expect(routeConfiguration?.json).toEqual({
      name: 'api',
      virtualHosts: [{ name: 'api', domains: ['*'], routes: [{ match: { prefix: '' }, route: { cluster: API } }] }],
    });
    expect(targets.map(([name]) => name)).toEqual([API]);
    expect(problems).toEqual([]);
  });

  test('routes keep what clients obey, in the fields that all of them take', () => {
    const Routes = [
      { Match: { HTTP: { PathExact: '/a.B/C', Methods: ['GET'] } } },
      { Match: { HTTP: { PathPrefix: '/', QueryParam: [{ Name: 'q', Present: true }] } } },
      {
        Match: {
          HTTP: {
            PathExact: '/a.B/C',
            Methods: ['POST'],
            Header: [
              { Name: 'a', Contains: '1+1' },
              { Name: 'b', Prefix: 'x', Invert: true },
              { Name: 'c', Suffix: 'y', IgnoreCase: true },
            ],
          },
        },
        Destination: { RequestTimeout: '3s', RetryOn: ['5xx', 'unavailable'], NumRetries: 4, PrefixRewrite: '/z' },
      },
    ];
    const translated = translateGrpcService('api', scope(api('service-router', { Routes })));
    expect(routes(translated)).toEqual([
      {
        match: {
          path: '/a.B/C',
          headers: [
            { name: 'a', safeRegexMatch: { regex: String.raw`.*1\+1.*` } },
            { name: 'b', prefixMatch: 'x', invertMatch: true },
            { name: 'c', safeRegexMatch: { regex: '(?i).*y' } },
          ],
        },
        route: {
          cluster: API,
          maxStreamDuration: { maxStreamDuration: '3s' },
          retryPolicy: { retryOn: 'unavailable', numRetries: 4 },
        },
      },
      { match: { prefix: '' }, route: { cluster: API } },
    ]);
    expect(translated.problems.map(({ message }) => message)).toEqual([
      'gRPC clients of "api" do without PrefixRewrite; sidecars obey',
    ]);
  });

  test('policies are those that no client refuses; a list holds what was asked for where some have it', () => {
    expect(cluster({ Policy: 'random' })).toMatchObject({ lbPolicy: 'ROUND_ROBIN' });
    expect(cluster({ Policy: 'maglev' })).toMatchObject({ lbPolicy: 'RING_HASH' });
    const ring = { Policy: 'ring_hash', RingHashConfig: { MaximumRingSize: 64 } };
    expect(cluster(ring)).toMatchObject({
      lbPolicy: 'RING_HASH',
      ringHashLbConfig: { minimumRingSize: 64, maximumRingSize: 64 },
    });
    const least = cluster({ Policy: 'least_request', LeastRequestConfig: { ChoiceCount: 3 } });
    expect(least).toMatchObject({ lbPolicy: 'ROUND_ROBIN' });
    expect(JSON.stringify(least)).toMatch(/LeastRequest.*"choiceCount":3.*WrrLocality.*RoundRobin/);
  });

  test('entries in a circle leave the listener, and name the fault', () => {
    const circle = api('service-resolver', { Redirect: { Service: 'b' } });
    const back: Entry = { Kind: 'service-resolver', Name: 'b', Redirect: { Service: 'api' } };
    const { routeConfiguration, problems, listener } = translateGrpcService('api', scope(circle, back));
    expect(routeConfiguration).toBeUndefined();
    expect(listener.name).toBe('api');
    expect(problems[0]?.message).toContain('detected circular resolver redirect');
  });

  test('a failover is lower priorities of one assignment, for gRPC clients as for sidecars', () => {
    const { targets } = translateGrpcService(
      'api',
      scope(api('service-resolver', { Failover: { '*': { Service: 'spare' } } })),
    );
    const [only] = targets;
    if (only === undefined) throw new Error('no target');
    const [name, target] = only;
    expect(name).toBe(API);
    expect(grpcCluster(name, target).json['edsClusterConfig']).toMatchObject({ serviceName: `failover~${API}` });
    expect(grpcEndpointGroup(name, target)).toMatchObject({
      name: `failover~${API}`,
      query: { service: 'api' },
      failover: [{ query: { service: 'spare' } }],
    });
  });

  test('a cluster asked for by name is the one the routes name, with its subset', () => {
    const given = scope(
      api('service-resolver', { DefaultSubset: 'v1', Subsets: { v1: { Filter: 'Service.Meta.v == 1' } } }),
    );
    const [only] = translateGrpcService('api', given).targets;
    if (only === undefined) throw new Error('no target');
    const [name, target] = only;
    expect(name).toBe(`v1.${API}`);
    const named = targetNamed(name, given);
    expect(named).toEqual(target);
    expect(grpcEndpointGroup(name, target).query).toEqual({
      service: 'api',
      datacenter: 'dc1',
      filter: 'Service.Meta.v == 1',
    });
    expect(targetNamed(API, given)).toMatchObject({ service: 'api', subset: '', filter: '' });
    expect(targetNamed(`x.y.default.dc2.internal.${TRUST_DOMAIN}`, given)).toMatchObject({
      service: 'x.y',
      datacenter: 'dc2',
    });
    expect(targetNamed('api.default.dc1.internal.another', given)).toBeUndefined();
    expect(targetNamed('local_app', given)).toBeUndefined();
  });

  test.each([
    'grpc/server?xds.resource.listening_address=0.0.0.0:1',
    'xdstp://a/b',
    'a b',
    '',
    'x'.repeat(129),
    'a\nb',
  ])('%j is no service', (name) => {
    expect(isServiceName(name)).toBe(false);
  });
});
