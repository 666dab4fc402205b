import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { systemClock } from '../../base/clock.ts';
import { seededRandom } from '../../base/random.ts';
import { datacenter, serviceName } from '../translate/catalog.ts';
import { Consul, type ConsulOptions, isConnectDisabled, knownValue } from './consul.ts';
import { FakeConsul } from './testing/fake-consul.ts';

const KINDS = ['proxy-defaults', 'service-defaults', 'service-router', 'service-splitter', 'service-resolver'];
const API = { service: serviceName('api'), datacenter: datacenter('dc1'), filter: '' };
const until = (check: () => void): Promise<void> => vi.waitFor(check, { timeout: 15_000, interval: 10 });

let fakes: FakeConsul[];
let consul: Consul;

function fill(fake: FakeConsul): void {
  fake.set('/v1/status/leader', '127.0.0.1:8300');
  fake.set('/v1/connect/ca/roots', { TrustDomain: 'mesh.consul' });
  for (const kind of KINDS) fake.set(`/v1/config/${kind}`, []);
  fake.set('/v1/health/connect/api', []);
}

function rows(port: number): unknown {
  const Service = { ID: 'a', Service: 'api', Address: '10.0.0.1', Port: port };
  return [{ Node: { Node: 'n1', Address: '10.0.0.1' }, Service, Checks: [] }];
}

function connect(options: Partial<ConsulOptions> = {}): Consul {
  const addresses = fakes.map(({ address }) => address);
  consul = new Consul({ addresses, clock: systemClock, random: seededRandom(1), probeIntervalMs: 50, ...options });
  consul.start();
  return consul;
}

beforeEach(async () => {
  fakes = [await FakeConsul.start(), await FakeConsul.start()];
  for (const fake of fakes) fill(fake);
});

afterEach(async () => {
  await consul.stop();
  await Promise.all(fakes.map((fake) => fake.stop()));
});

describe('consul', () => {
  test('has no config entries until every kind was read, and says which was not', async () => {
    const [fake] = fakes;
    fake?.set('/v1/config/service-router', { no: 'list' });
    connect();
    await until(() => expect(consul.entries.state.problems).toHaveLength(1));
    expect(consul.entries.state.problems[0]?.where).toBe('config entries service-router');
    await until(() => expect(fake?.questions).toContain('/v1/config/service-resolver'));
    expect(consul.entries.state.entries).toBeUndefined();
    fake?.set('/v1/config/service-router', []);
    await until(() => expect(consul.entries.state.entries).toBeDefined());
  });

  test('tells whose entries changed, and nothing where nothing did', async () => {
    const [fake] = fakes;
    connect();
    const changes: unknown[] = [];
    consul.entries.subscribe((change) => changes.push(change === 'everything' ? change : [...change]));
    await until(() => expect(changes).toEqual(['everything']));
    const defaults = (Name: string, Protocol: string): object => ({ Kind: 'service-defaults', Name, Protocol });
    fake?.set('/v1/config/service-defaults', [defaults('a', 'http'), defaults('b', 'http')]);
    await until(() => expect(changes).toEqual(['everything', ['a', 'b']]));
    fake?.touch('/v1/config/service-defaults');
    fake?.set('/v1/config/service-defaults', [{ ...defaults('a', 'http'), Note: 'unread' }, defaults('b', 'tcp')]);
    await until(() => expect(changes.at(-1)).toEqual(['b']));
    fake?.set('/v1/config/proxy-defaults', [{ Kind: 'proxy-defaults', Name: 'global', Config: {} }]);
    await until(() => expect(changes).toEqual(['everything', ['a', 'b'], ['b'], 'everything']));
  });

  test('notices that the server it asks hangs, goes over to another, and asks everything again there', async () => {
    connect();
    const watched = consul.watchHealth(API, 'dc1', () => {});
    await until(() => expect(watched.state.kind).toBe('current'));
    fakes[0]?.fail({ kind: 'hang' });
    fakes[1]?.set('/v1/health/connect/api', rows(7));
    await until(() => expect(knownValue(watched.state)?.instances.map(({ port }) => port)).toEqual([7]));
    expect(consul.status.address).toBe(fakes[1]?.address);
    expect(watched.state.kind).toBe('current');
  });

  test('calls every watch stale while the only server hangs, and none when it is back', async () => {
    const [fake] = fakes;
    connect({ addresses: [fake?.address ?? ''] });
    const watched = consul.watchHealth(API, 'dc1', () => {});
    await until(() => expect(watched.state.kind).toBe('current'));
    const states = (): readonly string[] => [...new Set(consul.status.watches.map(({ state }) => state))];
    await until(() => expect(states()).toEqual(['current']));
    fake?.fail({ kind: 'hang' });
    await until(() => expect(states()).toEqual(['stale']));
    expect(consul.status.watches[0]?.error).toContain('no answer within');
    fake?.fail({ kind: 'none' });
    await until(() => expect(states()).toEqual(['current']));
  });

  test('goes back to the server it is told to prefer, once that one has answered for a while', async () => {
    const [first, second] = fakes;
    connect();
    await until(() => expect(consul.status.link.kind).toBe('up'));
    first?.fail({ kind: 'status', status: 500, body: '' });
    await until(() => expect(consul.status.address).toBe(second?.address));
    first?.fail({ kind: 'none' });
    const before = first?.questions.length ?? 0;
    await until(() => expect(consul.status.address).toBe(first?.address));
    expect((first?.questions.length ?? 0) - before).toBeGreaterThanOrEqual(3);
    expect(consul.status.link.kind).toBe('up');
  });

  test('asks another datacenter for its instances there, and the local one without saying so', async () => {
    connect();
    consul.watchHealth(API, 'dc1', () => {});
    consul.watchHealth({ ...API, datacenter: datacenter('dc2'), filter: 'Service.Meta.v == 1' }, 'dc1', () => {});
    const asked = (): readonly string[] =>
      fakes[0]?.questions.filter((question) => question.includes('/health/')) ?? [];
    await until(() => {
      expect(asked()).toContain('/v1/health/connect/api');
      expect(asked()).toContain('/v1/health/connect/api?dc=dc2&filter=Service.Meta.v+%3D%3D+1');
    });
  });

  test('tells once when Consul goes and once when it is back', async () => {
    const told: string[] = [];
    connect({ onLink: ({ kind }) => told.push(kind), addresses: [fakes[0]?.address ?? ''] });
    await until(() => expect(told).toEqual(['up']));
    fakes[0]?.fail({ kind: 'status', status: 500, body: '' });
    await until(() => expect(consul.status.link).toMatchObject({ kind: 'down' }));
    fakes[0]?.fail({ kind: 'none' });
    await until(() => expect(told).toEqual(['up', 'down', 'up']));
  });

  test('reads services through their health, for the console', async () => {
    fakes[0]?.set('/v1/catalog/services', { api: ['v1'], db: [] });
    fakes[0]?.set('/v1/health/service/api', rows(1));
    fakes[0]?.set('/v1/health/service/db', []);
    connect();
    // The fake gives the least that Consul may give: no kind.
    await expect(consul.services()).resolves.toMatchObject([
      { name: 'api', tags: ['v1'], instances: [{ id: 'a', port: 1, health: 'passing', kind: '' }] },
      { name: 'db', instances: [] },
    ]);
  });

  test('demands a leader of whichever address answers', async () => {
    await fakes[0]?.stop();
    connect();
    await expect(consul.requireLeader()).resolves.toBeUndefined();
    await fakes[1]?.stop();
    fakes = [];
    await expect(consul.requireLeader()).rejects.toThrow('is a Consul agent running there?');
  });

  test.each(['127.0.0.1:8500', 'http://127.0.0.1:8500/v1', 'ftp://a'])('refuses the address %s', (address) => {
    connect();
    expect(() => new Consul({ addresses: [address], clock: systemClock, random: seededRandom(1) })).toThrow(
      `Consul address "${address}" is no base URL; write it like http://127.0.0.1:8500`,
    );
  });
});

test("knows Consul's word for a mesh without a CA", () => {
  expect(isConnectDisabled('HTTP 500 (Connect must be enabled in order to use this endpoint)')).toBe(true);
  expect(isConnectDisabled('HTTP 500 (rpc error)')).toBe(false);
});
