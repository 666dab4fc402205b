import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { decodeStaticJson, isResourceType } from './decode.ts';
import type { Json } from './testing/valid-resources.ts';
import { CLUSTER_TYPE, LISTENER_TYPE, ROUTE_CONFIGURATION_TYPE, type TypeUrl } from './type-url.ts';

/**
 * All that the control plane of Consul 1.22.3 had to say to the sidecars of one world, which uses every config entry it
 * takes without a licence. Recorded by test/peers/xds/foreign/consul-resources.peer.test.ts with WEFT_RECORD=1.
 */
const RECORDING = new URL('./testing/consul-resources.jsonl', import.meta.url);

interface Recorded {
  readonly proxy: string;
  readonly typeUrl: TypeUrl;
  readonly resource: Json;
}

const recorded: readonly Recorded[] = readFileSync(RECORDING, 'utf8')
  .trimEnd()
  .split('\n')
  .map((line) => {
    const { proxy, typeUrl, resource } = JSON.parse(line) as { proxy: string; typeUrl: string; resource: Json };
    if (!isResourceType(typeUrl)) throw new Error(`${typeUrl} is no resource type`);
    return { proxy, typeUrl, resource };
  });

function nameOf({ resource }: Recorded): string {
  return String(resource['name'] ?? resource['clusterName']);
}

test.each(recorded.map((one) => [`${one.proxy} ${nameOf(one)}`, one] as const))('%s is understood', (_title, one) => {
  const decoded = decodeStaticJson(one.typeUrl, one.resource);
  const faults = decoded.ok ? [] : decoded.faults.map(({ message }) => message);
  expect(faults).toEqual([]);
});

describe('what it means', () => {
  const find = (proxy: string, typeUrl: TypeUrl, name: string): unknown => {
    const one = recorded.find(
      (candidate) =>
        candidate.proxy === proxy &&
        nameOf(candidate).match(`^${name}(?:$|[.:])`) !== null &&
        candidate.typeUrl === typeUrl,
    );
    if (one === undefined) throw new Error(`${proxy} has no ${name}`);
    const decoded = decodeStaticJson(one.typeUrl, one.resource);
    if (!decoded.ok) throw new Error(JSON.stringify(decoded.faults));
    return decoded.value;
  };
  const web = 'web-1-sidecar-proxy';

  test('an upstream shows its identity and asks for the one it wants', () => {
    expect(find(web, CLUSTER_TYPE, 'db.default')).toMatchObject({
      discovery: { kind: 'eds' },
      healthyPanicThresholdPercent: 0,
      transportSocket: {
        kind: 'upstreamTls',
        sni: 'db.default.dc1.internal.11111111-2222-3333-4444-555555555555.consul',
      },
    });
  });

  test("failover is an aggregate of a target's cluster and those behind it", () => {
    const aggregates = recorded.filter(({ proxy, resource }) => proxy === web && 'clusterType' in resource);
    expect(aggregates).not.toEqual([]);
    for (const one of aggregates) {
      const names = recorded.filter(({ proxy }) => proxy === web).map(nameOf);
      const { discovery } = find(web, CLUSTER_TYPE, nameOf(one)) as {
        readonly discovery: { readonly kind: string; readonly clusters: readonly string[] };
      };
      expect(discovery.kind).toBe('aggregate');
      expect(discovery.clusters.length).toBeGreaterThan(1);
      for (const name of discovery.clusters) expect(names).toContain(name);
    }
  });

  test('router, splitter and resolver arrive in one table of routes', () => {
    const { virtualHosts } = find(web, ROUTE_CONFIGURATION_TYPE, 'api') as {
      readonly virtualHosts: readonly { readonly routes: readonly Json[] }[];
    };
    const routes = virtualHosts[0]?.routes ?? [];
    expect(routes).toHaveLength(4);
    const lengths = (
      routes as readonly { readonly match: { readonly headers: object[]; readonly queryParameters: object[] } }[]
    ).map(({ match }) => [match.headers.length, match.queryParameters.length]);
    expect(lengths).toEqual([
      [1, 0],
      [6, 0],
      [0, 3],
      [0, 0],
    ]);
    expect(routes[1]).toMatchObject({ match: { path: { kind: 'safeRegex' } } });
    expect(routes[2]).toMatchObject({
      match: { path: { kind: 'prefix', prefix: '/pre/' }, caseSensitive: false },
      action: {
        timeoutMs: 9_000,
        idleTimeoutMs: 11_000,
        regexRewrite: { substitution: '/\\2' },
        retryPolicy: { numRetries: 4 },
      },
    });
    expect(routes[3]).toMatchObject({
      action: {
        cluster: { kind: 'weightedClusters', totalWeight: 10_000 },
        hashPolicy: [{ terminal: true }, {}, {}],
      },
    });
  });

  test('a TCP service lets through whom its intentions name, and no more connections than it is said to take', () => {
    const listener = find('db-1-sidecar-proxy', LISTENER_TYPE, 'public_listener') as {
      readonly filterChains: readonly { readonly filters: readonly Json[]; readonly transportSocket: Json }[];
    };
    const [chain] = listener.filterChains;
    expect(chain?.filters.map(({ name }) => name)).toEqual([
      'envoy.filters.network.rbac',
      'envoy.filters.network.connection_limit',
      'envoy.filters.network.tcp_proxy',
    ]);
    expect(chain?.transportSocket).toMatchObject({ kind: 'downstreamTls', requireClientCertificate: true });
  });
});
