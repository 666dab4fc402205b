import { describe, expect, test } from 'vitest';
import { ResourceEncoder } from './snapshot/resource-encoder.ts';
import type { Json } from './snapshot/resource-literal.ts';
import { health, type InstanceOptions } from './testing/catalog-fixtures.ts';
import { datacenter, type EndpointGroup, loadAssignment, serviceName } from './translate/translate.ts';

const GROUP: EndpointGroup = {
  name: 'api.default.dc1.internal.mesh.consul',
  query: { service: serviceName('api'), datacenter: datacenter('dc1'), filter: '' },
  onlyPassing: false,
};

interface LocalityJson {
  readonly locality: Json;
  readonly loadBalancingWeight: number;
  readonly lbEndpoints: readonly (Json & {
    readonly endpoint: { readonly address: { readonly socketAddress: Json } };
  })[];
}

function localities(group: EndpointGroup, ...instances: readonly InstanceOptions[]): readonly LocalityJson[] {
  const { resource } = loadAssignment(group, health(...instances));
  expect(new ResourceEncoder().encode(resource)).toMatchObject({ ok: true });
  return (resource.json['endpoints'] ?? []) as readonly LocalityJson[];
}

function state(group: EndpointGroup, instance: InstanceOptions): string {
  const endpoint = localities(group, instance)[0]?.lbEndpoints[0];
  return `${String(endpoint?.['healthStatus'])} ${String(endpoint?.['loadBalancingWeight'])}`;
}

describe('endpoints', () => {
  test.each([
    [['passing'], 'HEALTHY 5', 'HEALTHY 5'],
    [[], 'HEALTHY 5', 'HEALTHY 5'],
    [['passing', 'warning'], 'HEALTHY 2', 'UNHEALTHY 2'],
    [['warning', 'critical'], 'UNHEALTHY 2', 'UNHEALTHY 2'],
    [['critical'], 'UNHEALTHY 5', 'UNHEALTHY 5'],
    [['maintenance'], 'UNHEALTHY 5', 'UNHEALTHY 5'],
    [['something new'], 'UNHEALTHY 5', 'UNHEALTHY 5'],
  ])('checks %j are %s, and %s where only passing instances count', (checks, usual, onlyPassing) => {
    const instance = { checks, weights: { Passing: 5, Warning: 2 } };
    expect(state(GROUP, instance)).toBe(usual);
    expect(state({ ...GROUP, onlyPassing: true }, instance)).toBe(onlyPassing);
  });

  test.each([
    [0, 'UNHEALTHY 1'],
    [128, 'HEALTHY 128'],
    [65_535, 'HEALTHY 128'],
  ])('a weight of %i is %s', (weight, expected) => {
    expect(state(GROUP, { weights: { Passing: weight, Warning: 1 } })).toBe(expected);
  });

  test('are grouped by locality, with the sum of their weights, in a stable order', () => {
    const a = { address: '10.0.0.3:1', zone: 'b' };
    const b = { address: '10.0.0.2:2', zone: 'a' };
    const c = { address: '10.0.0.2:1', zone: 'a', weights: { Passing: 3, Warning: 1 } };
    const grouped = localities(GROUP, a, b, c);
    expect(grouped.map(({ locality, loadBalancingWeight }) => [locality, loadBalancingWeight])).toEqual([
      [{ region: 'r1', zone: 'a' }, 4],
      [{ region: 'r1', zone: 'b' }, 1],
    ]);
    const ports = grouped.flatMap(({ lbEndpoints }) =>
      lbEndpoints.map(({ endpoint }) => endpoint.address.socketAddress['portValue']),
    );
    expect(ports).toEqual([1, 2, 1]);
  });

  test('of none is an empty assignment', () => {
    expect(loadAssignment(GROUP, health()).resource.json).toEqual({ clusterName: GROUP.name });
  });

  test('with one address twice are one endpoint', () => {
    expect(localities(GROUP, {}, {})[0]?.lbEndpoints).toHaveLength(1);
  });

  test('without an IP address are left out and named', () => {
    const { problems, resource } = loadAssignment(GROUP, health({ address: 'db.example:5432' }, {}));
    expect(problems).toEqual([
      {
        severity: 'warning',
        where: 'instance api-0-sidecar-proxy of api on node n0',
        message: 'left out: "db.example:5432" is no IP address with a port; register one',
      },
    ]);
    expect(JSON.stringify(resource.json)).not.toContain('db.example');
  });
});

describe('endpoints with failover', () => {
  const backup = { query: { ...GROUP.query, service: serviceName('backup') }, onlyPassing: true };
  const far = { query: { ...GROUP.query, datacenter: datacenter('dc2') }, onlyPassing: false };
  const group: EndpointGroup = { ...GROUP, name: `failover~${GROUP.name}`, failover: [backup, far] };
  const at = (port: number, checks: readonly string[] = ['passing']): InstanceOptions => ({
    address: `10.0.0.2:${port}`,
    checks,
  });
  const told = (...failover: Parameters<typeof loadAssignment>[2] & object): readonly string[] => {
    const { resource } = loadAssignment(group, health(at(1, ['critical'])), failover);
    expect(new ResourceEncoder().encode(resource)).toMatchObject({ ok: true });
    const levels = (resource.json['endpoints'] ?? []) as readonly (LocalityJson & { readonly priority?: number })[];
    return levels.flatMap(({ priority = 0, lbEndpoints }) =>
      lbEndpoints.map(
        (endpoint) =>
          `${priority} ${String(endpoint.endpoint.address.socketAddress['portValue'])} ${String(endpoint['healthStatus'])}`,
      ),
    );
  };

  test('stand at lower priorities in their order, each by its own rules, without gaps', () => {
    expect(told(health(at(2, ['warning'])), health(at(3)))).toEqual(['0 1 UNHEALTHY', '1 2 UNHEALTHY', '2 3 HEALTHY']);
    expect(told(health(), health(at(3)))).toEqual(['0 1 UNHEALTHY', '1 3 HEALTHY']);
  });

  test('an address that is there already is not there twice', () => {
    expect(told(health(at(1)), health(at(3)))).toEqual(['0 1 UNHEALTHY', '1 3 HEALTHY']);
  });

  test('a target that was never read keeps nobody from the others', () => {
    expect(told(undefined, health(at(3)))).toEqual(['0 1 UNHEALTHY', '1 3 HEALTHY']);
  });

  test('nothing spills over while one host of the higher priority is healthy', () => {
    const { json } = loadAssignment(group, health(at(1)), [health(at(2))]).resource;
    expect(json['policy']).toEqual({ overprovisioningFactor: 100_000 });
    expect(loadAssignment(GROUP, health(at(1))).resource.json).not.toHaveProperty('policy');
  });
});
