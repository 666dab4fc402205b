import { expect, test } from 'vitest';
import { type Entry, HTTP_MESH, registration, TRUST_DOMAIN, translated } from './testing/catalog-fixtures.ts';

/** Whatever entries contradict each other, one upstream is held, the other moves, and the entry is named with its index. */

const UPSTREAMS = [
  { DestinationName: 'api', LocalBindPort: 9191 },
  { DestinationName: 'db', LocalBindPort: 9192 },
];
const of = (Kind: Entry['Kind'], Name: string, fields: object): Entry => ({ Kind, Name, ...fields });
const resolver = (Name: string, fields: object): Entry => of('service-resolver', Name, fields);
const splitter = (Name: string, Service: string, ServiceSubset = ''): Entry =>
  of('service-splitter', Name, { Splits: [{ Weight: 100, Service, ServiceSubset }] });
const router = (Name: string, Destination: object): Entry => of('service-router', Name, { Routes: [{ Destination }] });
const speaks = (Name: string, Protocol: string): Entry => of('service-defaults', Name, { Protocol });

test.each<readonly [title: string, where: string, entries: readonly Entry[]]>([
  ['splitters in a circle', 'service-splitter/api', [splitter('api', 'b'), splitter('b', 'api')]],
  [
    'redirects in a circle',
    'service-resolver/api',
    [resolver('api', { Redirect: { Service: 'b' } }), resolver('b', { Redirect: { Service: 'api' } })],
  ],
  ['a split to a subset nobody has', 'service-splitter/api', [splitter('api', 'b', 'v9')]],
  ['a route to a subset nobody has', 'service-router/api', [router('api', { Service: 'b', ServiceSubset: 'v9' })]],
  [
    'a failover to a subset nobody has',
    'service-resolver/api',
    [resolver('api', { Failover: { '*': { Service: 'b', ServiceSubset: 'v9' } } })],
  ],
  ['a default subset nobody has', 'service-resolver/api', [resolver('api', { DefaultSubset: 'v9' })]],
  [
    'a redirect to a subset nobody has',
    'service-resolver/api',
    [resolver('api', { Redirect: { Service: 'b', ServiceSubset: 'v9' } })],
  ],
  ['a redirect to a peer', 'discovery chain api', [resolver('api', { Redirect: { Service: 'b', Peer: 'partner' } })]],
  ['a route of another protocol', 'service-defaults/b', [router('api', { Service: 'b' }), speaks('b', 'grpc')]],
  [
    'a failover of another protocol',
    'service-defaults/b',
    [resolver('api', { Failover: { '*': { Targets: [{ Service: 'b' }] } } }), speaks('b', 'tcp')],
  ],
  ['a router over bytes', 'service-defaults/api', [router('api', {}), speaks('api', 'tcp')]],
])('%s', (_, where, entries) => {
  const before = translated(registration({ Upstreams: UPSTREAMS }), HTTP_MESH);
  const proxy = translated(registration({ Upstreams: UPSTREAMS }), HTTP_MESH, ...entries);
  expect(proxy.faultyUnits).toEqual(['upstream api']);
  expect(proxy.problems.map((problem) => problem.where)).toContain(
    where.startsWith('discovery') ? where : `${where} (ModifyIndex 7)`,
  );
  const db = (units: typeof proxy.units) => units.find(({ key }) => key === 'upstream db');
  expect(db(proxy.units)).toEqual(db(before.units));
});

test('a failover to a peer is left out by name, and the rest of it stands', () => {
  const Targets = [{ Peer: 'partner' }, { Datacenter: 'dc2' }];
  const proxy = translated(
    registration({ Upstreams: UPSTREAMS }),
    HTTP_MESH,
    resolver('api', { Failover: { '*': { Targets } } }),
  );
  expect(proxy.faultyUnits).toEqual([]);
  expect(proxy.problems).toEqual([
    {
      severity: 'warning',
      where: 'service-resolver/api (ModifyIndex 7)',
      message: 'Failover to cluster peer "partner" is left out: cluster peering is not supported',
    },
  ]);
  const groups = proxy.units.flatMap(({ endpointGroups }) => endpointGroups);
  expect(groups[0]).toMatchObject({
    name: `failover~api.default.dc1.internal.${TRUST_DOMAIN}`,
    failover: [{ query: { service: 'api', datacenter: 'dc2' } }],
  });
});
