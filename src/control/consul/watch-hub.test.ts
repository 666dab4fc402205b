import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { systemClock } from '../../base/clock.ts';
import { seededRandom } from '../../base/random.ts';
import { ConnectionBudget } from './connection-budget.ts';
import { ConsulHttp } from './consul-http.ts';
import { locateProxy } from './locate-proxy.ts';
import { FakeConsul } from './testing/fake-consul.ts';
import { WatchHub, type WatchSpec } from './watch-hub.ts';

const spec = (name: string): WatchSpec<unknown> => ({
  key: name,
  path: `/v1/${name}`,
  query: {},
  parse: (body) => body,
});
const until = (check: () => void): Promise<void> => vi.waitFor(check, { timeout: 10_000, interval: 5 });

let fake: FakeConsul;
let http: ConsulHttp;

beforeEach(async () => {
  fake = await FakeConsul.start();
  http = new ConsulHttp({ addresses: [fake.address] });
});

afterEach(async () => {
  await http.close();
  await fake.stop();
});

describe('watch hub', () => {
  const hubWith = (lingerMs: number): WatchHub =>
    new WatchHub({ consul: http, clock: systemClock, random: seededRandom(1), lingerMs });

  test('asks once for what many subscribe to, and tells all of them', async () => {
    fake.set('/v1/a', 1);
    const hub = hubWith(1_000);
    const heard: unknown[] = [];
    const first = hub.subscribe(spec('a'), ({ kind }) => heard.push(['first', kind]));
    const second = hub.subscribe(spec('a'), ({ kind }) => heard.push(['second', kind]));
    await until(() => expect(fake.held).toBe(1));
    expect(heard).toEqual([
      ['first', 'current'],
      ['second', 'current'],
    ]);
    expect(second.state).toMatchObject({ kind: 'current', value: 1 });
    expect(fake.questions.filter((question) => question === '/v1/a')).toHaveLength(1);
    first.release();
    expect(hub.reports()).toMatchObject([{ key: 'a', subscribers: 1, state: 'current' }]);
    hub.stop();
  });

  test('goes on when a subscriber throws, and says so', async () => {
    fake.set('/v1/a', 1);
    const faults: unknown[] = [];
    const hub = new WatchHub({
      consul: http,
      clock: systemClock,
      random: seededRandom(1),
      onSubscriberFault: (error) => faults.push(error),
    });
    const broken = new Error('broken');
    hub.subscribe(spec('a'), () => {
      throw broken;
    });
    const heard: unknown[] = [];
    hub.subscribe(spec('a'), (state) => heard.push(state.kind));
    await until(() => expect(heard).toEqual(['current']));
    expect(faults).toEqual([broken]);
    expect(hub.reports()).toMatchObject([{ state: 'current' }]);
    hub.stop();
  });

  test('asks for everything anew when one watch notices that an older snapshot was restored', async () => {
    fake.set('/v1/a', 'newer');
    fake.set('/v1/b', 'newer');
    const hub = hubWith(1_000);
    const [first, second] = ['a', 'b'].map((name) => hub.subscribe(spec(name), () => {}));
    await until(() => expect(fake.held).toBe(2));
    // Only whoever waits for the first hears of it.
    fake.restore({ '/v1/a': 'older', '/v1/b': 'older' }, '/v1/a');
    await until(() => expect([first?.state, second?.state]).toMatchObject([{ value: 'older' }, { value: 'older' }]));
    hub.stop();
  });

  test('lets go of a watch a while after the last one left', async () => {
    fake.set('/v1/a', 1);
    const hub = hubWith(20);
    const watched = hub.subscribe(spec('a'), () => {});
    await until(() => expect(fake.held).toBe(1));
    watched.release();
    await until(() => expect(hub.reports()).toEqual([]));
    await until(() => expect(fake.held).toBe(0));
    hub.stop();
  });

  test('finds a lingering watch warm', async () => {
    fake.set('/v1/a', 1);
    const hub = hubWith(60_000);
    const watched = hub.subscribe(spec('a'), () => {});
    await until(() => expect(fake.held).toBe(1));
    watched.release();
    expect(hub.subscribe(spec('a'), () => {}).state).toMatchObject({ kind: 'current', value: 1 });
    hub.stop();
  });
});

describe('connection budget', () => {
  test('beyond the budget watches take turns, and each still sees every change', async () => {
    const names = ['a', 'b', 'c', 'd', 'e'];
    for (const name of names) fake.set(`/v1/${name}`, 'old');
    const budget = new ConnectionBudget(http, () => performance.now(), 2);
    const hub = new WatchHub({ consul: budget, clock: systemClock, random: seededRandom(1) });
    const watches = names.map((name) => hub.subscribe(spec(name), () => {}));
    await until(() => expect(watches.map(({ state }) => state.kind)).toEqual(names.map(() => 'current')));
    expect(fake.held).toBeLessThanOrEqual(2);
    for (const name of names) fake.set(`/v1/${name}`, 'new');
    await until(() => {
      for (const { state } of watches) expect(state).toMatchObject({ kind: 'current', value: 'new' });
    });
    expect(budget.usage.inUse).toBeLessThanOrEqual(2);
    // Only the first two were asked for a long wait and had to make room; later turns end by themselves.
    expect(budget.usage.turnsTaken).toBeLessThanOrEqual(2);
    expect(hub.reports().every(({ error }) => error === undefined)).toBe(true);
    hub.stop();
  });
});

describe('locating a proxy', () => {
  const nodeServices = (kind: string): unknown => ({
    Node: { Node: 'n2', Address: '10.0.0.2', Datacenter: 'dc1' },
    Services: [{ ID: 'web-1-sidecar-proxy', Kind: kind, Port: 1, Proxy: { DestinationServiceName: 'web' } }],
  });
  const agentNode = (): Promise<string> => Promise.resolve('n1');
  const locate = (id = 'web-1-sidecar-proxy') => locateProxy(http, id, agentNode);

  beforeEach(() => {
    fake.set('/v1/health/state/any', []);
    fake.set('/v1/catalog/nodes', [{ Node: 'n1' }, { Node: 'n2' }]);
    fake.set('/v1/catalog/node-services/n1', null);
    fake.set('/v1/catalog/node-services/n2', nodeServices('connect-proxy'));
  });

  test('asks the agent first', async () => {
    fake.set('/v1/agent/service/web-1-sidecar-proxy', { ID: 'web-1-sidecar-proxy', Kind: 'connect-proxy' });
    expect(await locate()).toEqual({ kind: 'found', node: 'n1' });
    expect(fake.questions).toHaveLength(1);
  });

  test('finds it by its checks on any node', async () => {
    fake.set('/v1/health/state/any', [{ Node: 'n2', ServiceID: 'web-1-sidecar-proxy' }]);
    expect(await locate()).toEqual({ kind: 'found', node: 'n2' });
    expect(fake.questions).not.toContain('/v1/catalog/nodes');
  });

  test('finds one without checks node by node', async () => {
    expect(await locate()).toEqual({ kind: 'found', node: 'n2' });
  });

  test('says when there is none, and when it is no proxy', async () => {
    expect(await locate('nobody')).toEqual({ kind: 'unknown' });
    fake.set('/v1/agent/service/web-1', { ID: 'web-1', Kind: '' });
    expect(await locate('web-1')).toEqual({ kind: 'notAProxy', serviceKind: '' });
  });

  test('never puts an id that could end the quotes into a filter', async () => {
    expect(await locate('x" or ServiceID != "')).toEqual({ kind: 'unknown' });
    expect(fake.questions).toEqual([]);
  });

  test('rejects when Consul cannot be asked: that is no "unknown"', async () => {
    fake.fail({ kind: 'status', status: 500, body: '' });
    await expect(locate()).rejects.toThrow('HTTP 500');
  });
});
