import { describe, expect, test } from 'vitest';
import { serviceId } from '../translate/catalog.ts';
import { parseHealth, parseNodeServices } from './parse-catalog.ts';

const ID = serviceId('web-1-sidecar-proxy');

const node = (...Services: readonly object[]): unknown => ({
  Node: { Node: 'n1', Address: '10.0.0.1', Datacenter: 'dc1' },
  Services,
});

const sidecar = (fields: object = {}, proxy: object = {}): object => ({
  ID,
  Kind: 'connect-proxy',
  Port: 21_000,
  ModifyIndex: 9,
  Proxy: { DestinationServiceName: 'web', Upstreams: null, ...proxy },
  ...fields,
});

describe('registrations', () => {
  test('that are sidecars are read, the others are not looked at', () => {
    const { proxies, problems } = parseNodeServices(node(sidecar(), { ID: 'web-1', Kind: '', Port: 'odd' }), undefined);
    expect([...proxies.keys()]).toEqual([ID]);
    expect(proxies.get(ID)).toMatchObject({
      destinationService: 'web',
      port: 21_000,
      upstreams: [],
      datacenter: 'dc1',
    });
    expect(problems.size).toBe(0);
  });

  test('of a node that is gone are none', () => {
    expect(parseNodeServices(null, undefined).proxies.size).toBe(0);
  });

  test('that went bad keep their last good form, and are named with every fault', () => {
    const good = parseNodeServices(node(sidecar()), undefined);
    const bad = sidecar(
      { ModifyIndex: 10 },
      { Upstreams: [{ DestinationName: '' }, { DestinationName: 'a', LocalBindPort: 70_000 }] },
    );
    const next = parseNodeServices(node(bad), good);
    expect(next.proxies.get(ID)).toEqual(good.proxies.get(ID));
    const [problem] = next.problems.get(ID) ?? [];
    expect(problem?.where).toBe('registration web-1-sidecar-proxy on node n1 (ModifyIndex 10)');
    expect(problem?.message).toContain('Proxy.Upstreams[0].DestinationName');
    expect(problem?.message).toContain('Proxy.Upstreams[1].LocalBindPort');
  });

  test('with parts that are not obeyed yet are in force, with a warning', () => {
    const { proxies, problems } = parseNodeServices(
      node(sidecar({}, { Mode: 'transparent', MeshGateway: {} })),
      undefined,
    );
    expect(proxies.has(ID)).toBe(true);
    expect(problems.get(ID)?.map(({ message }) => message)).toEqual(['"Mode" is set and not obeyed yet; the rest is']);
  });

  test('throw where the body has the wrong shape, so that the watch keeps what it has', () => {
    expect(() => parseNodeServices({ Services: 3 }, undefined)).toThrow();
    expect(() => parseNodeServices('text', undefined)).toThrow();
  });
});

describe('health', () => {
  const row = (service: object, Node: object = { Node: 'n1', Address: '10.0.0.1' }): object => ({
    Node,
    Service: { ID: 'a', Service: 'api', Address: '', Port: 1, ...service },
    Checks: [{ Status: 'passing' }, { Status: 'critical' }],
  });

  test("takes the node's address and locality where an instance has none of its own", () => {
    const Locality = { Region: 'r', Zone: 'z' };
    const { instances } = parseHealth('api', [row({}, { Node: 'n1', Address: '10.0.0.1', Locality })]);
    expect(instances[0]).toMatchObject({ address: '10.0.0.1', locality: { region: 'r', zone: 'z' } });
    expect(instances[0]?.weights).toEqual({ passing: 1, warning: 1 });
    expect(instances[0]?.checks).toEqual(['passing', 'critical']);
  });

  test('lists instances in one order, whatever order Consul has them in', () => {
    const rows = [row({ ID: 'b' }), row({ ID: 'a' }, { Node: 'n0', Address: '10.0.0.2' }), row({ ID: 'a' })];
    const order = (body: readonly object[]): readonly string[] =>
      parseHealth('api', body).instances.map(({ node, id }) => `${node}/${id}`);
    expect(order(rows)).toEqual(['n0/a', 'n1/a', 'n1/b']);
    expect(order([...rows].reverse())).toEqual(order(rows));
  });

  test('names a row it cannot read and takes the others', () => {
    const { instances, problems } = parseHealth('api', [row({ Port: 'x' }), row({})]);
    expect(instances).toHaveLength(1);
    expect(problems[0]).toMatchObject({
      where: 'health of api',
      message: expect.stringContaining('Service.Port') as string,
    });
  });
});
