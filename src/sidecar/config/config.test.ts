import { describe, expect, it } from 'vitest';
import { httpFilter } from '../../../test/support/extensions.ts';
import { plainRequest } from '../../../test/support/plain-fields.ts';
import {
  assignment,
  cluster,
  endpoint,
  httpConnectionManager,
  httpListener,
  routeConfiguration,
} from '../../../test/support/resources.ts';
import { systemClock } from '../../base/clock.ts';
import { seededRandom } from '../../base/random.ts';
import { EMPTY_TLS_CONTEXT } from '../../resource/transport-socket.ts';
import { ClusterSet } from '../cluster/cluster-set.ts';
import { createSharedCounterMemory, SharedCounters } from '../cluster/shared-counters.ts';
import { activate, NOTHING_ACTIVE, nextDeadlineMs } from './activation.ts';
import { ResourceStore } from './resource-store.ts';
import { RuntimeConfigBuilder } from './runtime-config-builder.ts';
import { SlotAllocator } from './slot-allocator.ts';
import { UpdateMaker } from './update-maker.ts';

const FETCH_TIMEOUT_MS = 15_000;
const rdsListener = (name: string, routeConfigName = 'web') =>
  httpListener(name, { routes: { kind: 'rds', routeConfigName } });

function filledStore(): ResourceStore {
  const store = new ResourceStore();
  store.apply({ kind: 'clusters', changed: [cluster('web')], removed: [] });
  store.apply({ kind: 'assignments', changed: [assignment('web', [endpoint(1)])], removed: [] });
  store.apply({ kind: 'listeners', changed: [rdsListener('out')], removed: [] });
  store.apply({ kind: 'routeConfigurations', changed: [routeConfiguration()], removed: [] });
  return store;
}

describe('warming', () => {
  it('runs nothing before what it needs is there', () => {
    const store = new ResourceStore();
    store.apply({ kind: 'clusters', changed: [cluster('web')], removed: [] });
    store.apply({ kind: 'listeners', changed: [rdsListener('out')], removed: [] });
    let active = activate(store, NOTHING_ACTIVE, 0, FETCH_TIMEOUT_MS);
    expect([active.clusters.size, active.listeners.size]).toEqual([0, 0]);
    store.apply({ kind: 'routeConfigurations', changed: [routeConfiguration()], removed: [] });
    active = activate(store, active, 1, FETCH_TIMEOUT_MS);
    expect(active.listeners.size).toBe(0);
    store.apply({ kind: 'assignments', changed: [assignment('web', [endpoint(1)])], removed: [] });
    active = activate(store, active, 2, FETCH_TIMEOUT_MS);
    expect([active.clusters.size, active.listeners.size, active.warmingSince.size]).toEqual([1, 1, 0]);
  });

  it('waits for the secrets and files of TLS contexts, and keeps a secret that what runs still needs', () => {
    const store = filledStore();
    const trustedCa = { kind: 'file', path: '/tls/ca.pem' } as const;
    const common = { ...EMPTY_TLS_CONTEXT, validationSecretName: 'roots' };
    const secured = cluster('web', { transportSocket: { kind: 'upstreamTls', common, sni: '' } });
    store.apply({ kind: 'clusters', changed: [secured], removed: [] });
    let active = activate(store, NOTHING_ACTIVE, 0, FETCH_TIMEOUT_MS);
    expect(active.clusters.size).toBe(0);
    const validation = { trustedCa, matchSubjectAltNames: [] };
    store.apply({ kind: 'secrets', changed: [{ kind: 'validationContext', name: 'roots', validation }], removed: [] });
    active = activate(store, active, 1, FETCH_TIMEOUT_MS);
    expect(active.clusters.size).toBe(0);
    store.apply({ kind: 'files', changed: new Map([['/tls/ca.pem', 'CA']]), removed: [] });
    active = activate(store, active, 2, FETCH_TIMEOUT_MS);
    expect([active.clusters.size, active.secrets.size, active.files.size]).toEqual([1, 1, 1]);
    const updates = new UpdateMaker(() => undefined);
    expect(updates.whole(active, 2)).toMatchObject({ secrets: [{ name: 'roots' }], files: [{ text: 'CA' }] });
    store.apply({ kind: 'secrets', changed: [], removed: ['roots'] });
    expect(activate(store, active, 3, FETCH_TIMEOUT_MS).secrets.has('roots')).toBe(true);
    store.apply({ kind: 'clusters', changed: [cluster('web')], removed: [] });
    const after = activate(store, active, 4, FETCH_TIMEOUT_MS);
    expect([after.secrets.size, after.files.size]).toEqual([0, 0]);
    expect(updates.difference(active, after, 4)).toMatchObject({ removedSecrets: ['roots'] });
  });

  it('waits for the key files of JWT providers, and has no listener made anew when they change', () => {
    const store = new ResourceStore();
    const json = { providers: { p: { localJwks: { filename: '/keys' } } } };
    const jwt = httpFilter('jwt', 'envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication', json);
    const listener = httpListener('in', { httpFilters: [jwt, ...httpConnectionManager().httpFilters] });
    store.apply({ kind: 'listeners', changed: [listener], removed: [] });
    const waiting = activate(store, NOTHING_ACTIVE, 0, FETCH_TIMEOUT_MS);
    expect([waiting.listeners.size, waiting.warmingSince.has('listener/in')]).toEqual([0, true]);
    store.apply({ kind: 'files', changed: new Map([['/keys', 'first']]), removed: [] });
    const active = activate(store, waiting, 1, FETCH_TIMEOUT_MS);
    expect([active.listeners.size, active.files.get('/keys')]).toEqual([1, 'first']);
    store.apply({ kind: 'files', changed: new Map([['/keys', 'second']]), removed: [] });
    const updates = new UpdateMaker(() => undefined);
    const renewed = updates.difference(active, activate(store, active, 2, FETCH_TIMEOUT_MS), 2);
    expect(renewed).toMatchObject({ files: [{ path: '/keys', text: 'second' }], listeners: [] });
  });

  it('ends after the initial fetch timeout, and says when that will be', () => {
    const store = new ResourceStore();
    store.apply({ kind: 'clusters', changed: [cluster('web')], removed: [] });
    store.apply({ kind: 'listeners', changed: [rdsListener('out')], removed: [] });
    const waiting = activate(store, NOTHING_ACTIVE, 100, FETCH_TIMEOUT_MS);
    expect(nextDeadlineMs(waiting, 1100)).toBe(14_000);
    const late = activate(store, waiting, 15_100, FETCH_TIMEOUT_MS);
    expect([late.clusters.size, late.listeners.size]).toEqual([1, 1]);
  });

  it('waits as long as a source says, and without end where it says 0', () => {
    const store = new ResourceStore();
    const eds = (name: string, initialFetchTimeoutMs: number) =>
      cluster(name, { discovery: { kind: 'eds', serviceName: name, initialFetchTimeoutMs } });
    store.apply({ kind: 'clusters', changed: [eds('soon', 100), eds('patient', 0)], removed: [] });
    const routes = { kind: 'rds', routeConfigName: 'web', initialFetchTimeoutMs: 200 } as const;
    store.apply({ kind: 'listeners', changed: [httpListener('out', { routes })], removed: [] });
    const waiting = activate(store, NOTHING_ACTIVE, 0, FETCH_TIMEOUT_MS);
    expect(nextDeadlineMs(waiting, 0)).toBe(100);
    const later = activate(store, waiting, 100, FETCH_TIMEOUT_MS);
    expect([[...later.clusters.keys()], later.listeners.size, nextDeadlineMs(later, 100)]).toEqual([['soon'], 0, 100]);
    const late = activate(store, later, 1_000_000, FETCH_TIMEOUT_MS);
    expect([[...late.clusters.keys()], late.listeners.size]).toEqual([['soon'], 1]);
    expect(nextDeadlineMs(late, 1_000_000)).toBeUndefined();
  });

  it('keeps the old listener running until the new one has its routes', () => {
    const store = filledStore();
    const before = activate(store, NOTHING_ACTIVE, 0, FETCH_TIMEOUT_MS);
    store.apply({ kind: 'listeners', changed: [rdsListener('out', 'web-v2')], removed: [] });
    const during = activate(store, before, 1, FETCH_TIMEOUT_MS);
    expect(during.listeners.get('out')).toBe(before.listeners.get('out'));
    expect(during.routeConfigurations.has('web')).toBe(true);
    store.apply({ kind: 'routeConfigurations', changed: [routeConfiguration({ name: 'web-v2' })], removed: [] });
    const after = activate(store, during, 2, FETCH_TIMEOUT_MS);
    expect(after.listeners.get('out')).toBe(store.listeners.get('out'));
    expect([...after.routeConfigurations.keys()]).toEqual(['web-v2']);
  });

  it('holds an aggregate back until those of its clusters that exist are warm', () => {
    const store = new ResourceStore();
    const aggregate = cluster('all', { discovery: { kind: 'aggregate', clusters: ['web', 'missing'] } });
    store.apply({ kind: 'clusters', changed: [aggregate, cluster('web')], removed: [] });
    const waiting = activate(store, NOTHING_ACTIVE, 0, FETCH_TIMEOUT_MS);
    expect([...waiting.clusters.keys()]).toEqual([]);
    store.apply({ kind: 'assignments', changed: [assignment('web', [endpoint(1)])], removed: [] });
    const warm = activate(store, waiting, 1, FETCH_TIMEOUT_MS);
    expect([...warm.clusters.keys()]).toEqual(['all', 'web']);
  });

  it('aggregates that name each other and themselves, many times over, wait for nobody but real clusters', () => {
    const store = new ResourceStore();
    const names = Array.from({ length: 50 }, (_, index) => `all-${index}`);
    const aggregates = names.map((name) =>
      cluster(name, { discovery: { kind: 'aggregate', clusters: [...names, 'web'] } }),
    );
    store.apply({ kind: 'clusters', changed: [...aggregates, cluster('web')], removed: [] });
    const waiting = activate(store, NOTHING_ACTIVE, 0, FETCH_TIMEOUT_MS);
    expect(waiting.clusters.size).toBe(0);
    store.apply({ kind: 'assignments', changed: [assignment('web', [endpoint(1)])], removed: [] });
    expect(activate(store, waiting, 1, FETCH_TIMEOUT_MS).clusters.size).toBe(51);
  });

  it('what never comes holds up only who asked for it, and those no longer than their own time', () => {
    const store = filledStore();
    const discovery = { kind: 'eds', serviceName: 'never', initialFetchTimeoutMs: 0 } as const;
    store.apply({ kind: 'clusters', changed: [cluster('never', { discovery })], removed: [] });
    const routes = { ...routeConfiguration({ name: 'to-never' }) };
    const virtualHosts = JSON.parse(JSON.stringify(routes.virtualHosts).replaceAll('"web"', '"never"'));
    store.apply({ kind: 'routeConfigurations', changed: [{ ...routes, virtualHosts }], removed: [] });
    const changed = [rdsListener('no-endpoints', 'to-never'), rdsListener('no-routes', 'nowhere')];
    store.apply({ kind: 'listeners', changed, removed: [] });
    const first = activate(store, NOTHING_ACTIVE, 0, FETCH_TIMEOUT_MS);
    expect([[...first.listeners.keys()], [...first.clusters.keys()]]).toEqual([['out'], ['web']]);
    store.apply({ kind: 'assignments', changed: [assignment('web', [endpoint(1), endpoint(2)])], removed: [] });
    const meanwhile = activate(store, first, 1, FETCH_TIMEOUT_MS);
    expect(meanwhile.assignments.get('web')).not.toBe(first.assignments.get('web'));
    const late = activate(store, meanwhile, FETCH_TIMEOUT_MS, FETCH_TIMEOUT_MS);
    expect([...late.listeners.keys()].sort()).toEqual(['no-endpoints', 'no-routes', 'out']);
    expect(late.clusters.has('never')).toBe(false);
  });

  it('keeps the endpoints of a cluster whose assignment was taken away', () => {
    const store = filledStore();
    const before = activate(store, NOTHING_ACTIVE, 0, FETCH_TIMEOUT_MS);
    store.apply({ kind: 'assignments', changed: [], removed: ['web'] });
    expect(activate(store, before, 1, FETCH_TIMEOUT_MS).assignments.get('web')).toBe(before.assignments.get('web'));
  });
});

describe('updates for workers', () => {
  const maker = () => new UpdateMaker(() => {});

  it('an endpoint change carries one assignment and nothing else', () => {
    const store = filledStore();
    const updates = maker();
    const before = activate(store, NOTHING_ACTIVE, 0, FETCH_TIMEOUT_MS);
    updates.difference(NOTHING_ACTIVE, before, 0);
    store.apply({ kind: 'assignments', changed: [assignment('web', [endpoint(1), endpoint(2)])], removed: [] });
    const update = updates.difference(before, activate(store, before, 1, FETCH_TIMEOUT_MS), 1);
    expect(update).toMatchObject({
      version: 2,
      clusters: [],
      routeConfigurations: [],
      listeners: [],
      removedListeners: [],
      removedClusters: [],
      secrets: [],
      removedSecrets: [],
      files: [],
      removedFiles: [],
    });
    expect(update?.assignments).toHaveLength(1);
    expect(new Set(update?.assignments[0]?.slots.values()).size).toBe(2);
  });

  it('the hosts of an ORIGINAL_DST cluster count in one slot, which is theirs for as long as it is there', () => {
    const store = filledStore();
    const freed: string[] = [];
    const updates = new UpdateMaker((kind, slot) => freed.push(`${kind} ${slot}`));
    const discovery = {
      kind: 'originalDst',
      httpHeaderName: undefined,
      metadataKey: undefined,
      upstreamPortOverride: undefined,
      cleanupIntervalMs: 5_000,
    } as const;
    store.apply({ kind: 'clusters', changed: [cluster('dst', { discovery })], removed: [] });
    const first = activate(store, NOTHING_ACTIVE, 0, FETCH_TIMEOUT_MS);
    const hostSlot = updates
      .difference(NOTHING_ACTIVE, first, 0)
      ?.clusters.find((one) => one.hostSlot !== undefined)?.hostSlot;
    expect(hostSlot).toBeTypeOf('number');
    store.apply({ kind: 'clusters', changed: [cluster('dst', { discovery, connectTimeoutMs: 1 })], removed: [] });
    const second = activate(store, first, 1, FETCH_TIMEOUT_MS);
    expect(updates.difference(first, second, 1)?.clusters).toMatchObject([{ hostSlot }]);
    expect(freed).toEqual([]);
    store.apply({ kind: 'clusters', changed: [], removed: ['dst'] });
    updates.difference(second, activate(store, second, 2, FETCH_TIMEOUT_MS), 2);
    expect(freed).toContain(`host ${hostSlot}`);
  });

  it('no change makes no update', () => {
    const store = filledStore();
    const updates = maker();
    const active = activate(store, NOTHING_ACTIVE, 0, FETCH_TIMEOUT_MS);
    expect(updates.difference(NOTHING_ACTIVE, active, 0)).toBeDefined();
    expect(updates.difference(active, activate(store, active, 1, FETCH_TIMEOUT_MS), 1)).toBeUndefined();
  });

  it('can be cloned to a thread', () => {
    const updates = maker();
    const update = updates.difference(NOTHING_ACTIVE, activate(filledStore(), NOTHING_ACTIVE, 0, FETCH_TIMEOUT_MS), 0);
    expect(structuredClone(update)).toEqual(update);
  });

  it('lets a freed slot rest before another key gets it, and says no when full', () => {
    const slots = new SlotAllocator(2, 1000);
    expect([slots.slotFor('a', 0), slots.slotFor('b', 0), slots.slotFor('a', 0), slots.slotFor('c', 0)]).toEqual([
      0,
      1,
      0,
      undefined,
    ]);
    expect(slots.retain(new Set(['b']), 0)).toEqual([0]);
    expect(slots.slotFor('c', 999)).toBeUndefined();
    expect(slots.slotFor('c', 1000)).toBe(0);
  });
});

describe('runtime config in a worker', () => {
  function worker() {
    const random = seededRandom(1);
    const clusters = new ClusterSet(new SharedCounters(createSharedCounterMemory(), createSharedCounterMemory()), {
      clock: systemClock,
      random,
      hash64: () => 0n,
    });
    return { clusters, builder: new RuntimeConfigBuilder(clusters, random) };
  }

  it('compiles what changed and shares the rest', () => {
    const store = filledStore();
    store.apply({ kind: 'listeners', changed: [httpListener('inline')], removed: [] });
    const updates = new UpdateMaker(() => {});
    const first = activate(store, NOTHING_ACTIVE, 0, FETCH_TIMEOUT_MS);
    const { builder, clusters } = worker();
    const firstUpdate = updates.difference(NOTHING_ACTIVE, first, 0);
    const before = firstUpdate === undefined ? undefined : builder.apply(firstUpdate);
    store.apply({ kind: 'routeConfigurations', changed: [routeConfiguration({ virtualHosts: [] })], removed: [] });
    const second = updates.difference(first, activate(store, first, 1, FETCH_TIMEOUT_MS), 1);
    const after = second === undefined ? undefined : builder.apply(second);
    expect(after?.listeners.get('inline')).toBe(before?.listeners.get('inline'));
    expect(after?.listeners.get('out')).not.toBe(before?.listeners.get('out'));
    const chain = after?.listeners.get('out')?.chains[0];
    expect(chain?.kind === 'http' ? chain.routes.match(plainRequest('/')) : 'no chain').toBeUndefined();
    expect(clusters.get('web')?.hosts).toHaveLength(1);
  });

  it('an endpoint update makes no new config', () => {
    const store = filledStore();
    const updates = new UpdateMaker(() => {});
    const first = activate(store, NOTHING_ACTIVE, 0, FETCH_TIMEOUT_MS);
    const { builder, clusters } = worker();
    const whole = updates.difference(NOTHING_ACTIVE, first, 0);
    if (whole !== undefined) builder.apply(whole);
    store.apply({ kind: 'assignments', changed: [assignment('web', [endpoint(1), endpoint(2)])], removed: [] });
    const update = updates.difference(first, activate(store, first, 1, FETCH_TIMEOUT_MS), 1);
    expect(update === undefined ? 'none' : builder.apply(update)).toBeUndefined();
    expect(clusters.get('web')?.hosts).toHaveLength(2);
  });
});
