/**
 * Cost of choosing where a request goes: the route by its head, the host by load, and the limits that it passes.
 * `node bench/micro/routing.bench.ts [--json]`.
 */
import { systemClock } from '../../src/base/clock.ts';
import { seededRandom } from '../../src/base/random.ts';
import {
  ClusterSet,
  createSharedCounterMemory,
  PLAIN_PICK,
  type RuntimeCluster,
  SharedCounters,
} from '../../src/sidecar/cluster/cluster.ts';
import { RouteTable } from '../../src/sidecar/route/route.ts';
import { plainRequest } from '../../test/support/plain-fields.ts';
import {
  assignment,
  cluster,
  endpoint,
  route,
  routeConfiguration,
  routeMatch,
  virtualHost,
} from '../../test/support/resources.ts';
import { measure, report } from './measure.ts';

const OPERATIONS = 100_000;
const random = seededRandom(7);

function routesOf(count: number): RouteTable {
  const routes = Array.from({ length: count }, (_, index) =>
    route({ match: routeMatch({ path: { kind: 'prefix', prefix: `/service-${index}/` } }) }),
  );
  return new RouteTable(routeConfiguration({ virtualHosts: [virtualHost({ routes: [...routes, route()] })] }), random);
}

function clusterOf(hosts: number): RuntimeCluster {
  const counters = new SharedCounters(createSharedCounterMemory(), createSharedCounterMemory());
  const clusters = new ClusterSet(counters, { clock: systemClock, random, hash64: (text) => BigInt(text.length) });
  const policy = { kind: 'leastRequest', choiceCount: 2, activeRequestBias: 1, selection: 'nChoices' } as const;
  clusters.upsert({ cluster: cluster('web', { loadBalancing: { ...policy, slowStart: undefined } }), slot: 1 });
  const ports = Array.from({ length: hosts }, (_, index) => 1_000 + index);
  clusters.assign({
    clusterName: 'web',
    assignment: assignment(
      'web',
      ports.map((port) => endpoint(port)),
    ),
    slots: new Map(ports.map((port, index) => [`127.0.0.1:${port}`, index + 1])),
  });
  const made = clusters.get('web');
  if (made?.pick(PLAIN_PICK) === undefined) throw new Error('the cluster has no host to pick');
  return made;
}

const request = plainRequest('/orders/17?page=2');

function matching(count: number): { name: string; run: () => void } {
  const table = routesOf(count);
  return { name: `route: the last of ${count + 1} prefixes`, run: () => void table.match(request) };
}

function picking(count: number): { name: string; run: () => void } {
  const picked = clusterOf(count);
  return { name: `pick: least request among ${count} hosts`, run: () => void picked.pick(PLAIN_PICK) };
}

const limited = clusterOf(1);
const cases = [
  matching(3),
  matching(100),
  picking(3),
  picking(1_000),
  {
    name: 'circuit breaker: acquire and release, exact over workers',
    run: (): void => {
      if (limited.breakers.tryAcquire('requests')) limited.breakers.release('requests');
    },
  },
];

report(
  'routing',
  cases.map(({ name, run }) => ({
    name,
    ...measure(() => {
      for (let index = 0; index < OPERATIONS; index++) run();
    }, OPERATIONS),
  })),
);
