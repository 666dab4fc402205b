import { describe, expect, test } from 'vitest';
import { serviceId } from '../translate/catalog.ts';
import { parseExecution, parseHealth, parseNodeServices } from './parse-catalog.ts';

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

  test('with parts that are not obeyed are in force, and each of them is named', () => {
    const { proxies, problems } = parseNodeServices(
      node(
        sidecar(
          {},
          {
            Mode: 'transparent',
            MeshGateway: { Mode: 'remote' },
            MutualTLSMode: 'permissive',
            Expose: { Checks: true },
            EnvoyExtensions: [{ Name: 'builtin/lua' }],
            Upstreams: [
              {
                DestinationName: 'api',
                LocalBindPort: 1,
                MeshGateway: { Mode: 'local' },
                DestinationNamespace: 'team',
              },
            ],
          },
        ),
      ),
      undefined,
    );
    expect(proxies.has(ID)).toBe(true);
    expect(problems.get(ID)?.map(({ message }) => /^"([^"]*)"/.exec(message)?.[1])).toEqual([
      'proxy.mode = transparent',
      'upstream api: destination_namespace = team',
      'upstream api: mesh_gateway.mode = local',
      'proxy.mesh_gateway.mode = remote',
      'proxy.envoy_extensions',
    ]);
  });

  test("need no warning for what Consul's defaults are", () => {
    const proxy = { Mode: 'direct', MeshGateway: { Mode: 'none' }, Expose: {}, TransparentProxy: {} };
    expect(parseNodeServices(node(sidecar({}, proxy)), undefined).problems.size).toBe(0);
  });

  test('have sockets with modes in octal, and exposed paths', () => {
    const Expose = { Paths: [{ Path: '/health', LocalPathPort: 8080, ListenerPort: 21_500 }] };
    const Upstreams = [{ DestinationName: 'api', LocalBindSocketPath: '/run/api.sock', LocalBindSocketMode: '0640' }];
    const { proxies } = parseNodeServices(node(sidecar({}, { Expose, Upstreams })), undefined);
    expect(proxies.get(ID)).toMatchObject({
      upstreams: [{ localBindSocketPath: '/run/api.sock', localBindSocketMode: 0o640 }],
      expose: {
        checks: false,
        paths: [{ path: '/health', localPathPort: 8080, listenerPort: 21_500, protocol: 'http' }],
      },
    });
    const wrong = parseNodeServices(
      node(sidecar({}, { Upstreams: [{ ...Upstreams[0], LocalBindSocketMode: '888' }] })),
      undefined,
    );
    expect(wrong.problems.get(ID)?.[0]?.message).toContain('no octal mode');
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

  test.each([
    [
      'its own WAN address and port',
      { TaggedAddresses: { wan: { Address: '203.0.113.1', Port: 99 } } },
      '203.0.113.1:99',
    ],
    ['its own address before any of its node', { Address: '10.0.0.7' }, '10.0.0.7:1'],
    ["its node's WAN address", {}, '203.0.113.9:1'],
  ])('is reached from another datacenter, also by a prepared query, at %s', (_what, service, wanted) => {
    const Node = { Node: 'n1', Address: '10.0.0.1', Datacenter: 'dc2', TaggedAddresses: { wan: '203.0.113.9' } };
    const addressFrom = (local: string): string => {
      const [instance] = parseHealth('api', [row(service, Node)], local).instances;
      expect(parseExecution('api', { Nodes: [row(service, Node)] }, local).instances).toEqual([instance]);
      return `${instance?.address}:${instance?.port}`;
    };
    expect(addressFrom('dc1')).toBe(wanted);
    expect(addressFrom('dc2')).toBe(`${'Address' in service ? '10.0.0.7' : '10.0.0.1'}:1`);
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
