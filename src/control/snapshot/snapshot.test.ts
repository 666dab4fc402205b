import { describe, expect, test, vi } from 'vitest';
import {
  CLUSTER_LOAD_ASSIGNMENT_TYPE,
  CLUSTER_TYPE,
  LISTENER_TYPE,
  ROUTE_CONFIGURATION_TYPE,
} from '../../resource/type-url.ts';
import type { NodeIdentity, NodeRefusal, Snapshot } from '../../xds/server/server.ts';
import type { Json, ResourceLiteral } from './resource-literal.ts';
import { type ProxyParts, SnapshotStore } from './snapshot.ts';

const ROUTER = {
  name: 'r',
  typedConfig: { '@type': 'type.googleapis.com/envoy.extensions.filters.http.router.v3.Router' },
};

function listener(name: string, routeConfigName: string): ResourceLiteral {
  const typedConfig = {
    '@type': 'type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager',
    statPrefix: 'x',
    rds: { routeConfigName, configSource: { ads: {} } },
    httpFilters: [ROUTER],
  };
  return { typeUrl: LISTENER_TYPE, name, json: { name, filterChains: [{ filters: [{ name: 'hcm', typedConfig }] }] } };
}

function routes(name: string, ...clusters: readonly string[]): ResourceLiteral {
  const list = clusters.map((cluster) => ({ match: { prefix: '/' }, route: { cluster } }));
  const json = { name, virtualHosts: [{ name, domains: ['*'], routes: list }] };
  return { typeUrl: ROUTE_CONFIGURATION_TYPE, name, json };
}

const cluster = (name: string, extra: Json = {}): ResourceLiteral => ({
  typeUrl: CLUSTER_TYPE,
  name,
  json: { name, type: 'EDS', edsClusterConfig: { edsConfig: { ads: {} } }, ...extra },
});

function assignment(name: string, port: number): ResourceLiteral {
  const address = { socketAddress: { address: '127.0.0.1', portValue: port } };
  const json = { clusterName: name, endpoints: [{ lbEndpoints: [{ endpoint: { address } }] }] };
  return { typeUrl: CLUSTER_LOAD_ASSIGNMENT_TYPE, name, json };
}

const WHOLE: ProxyParts = { resources: [listener('l', 'r'), routes('r', 'c'), cluster('c')], assignments: ['c'] };

const identity = (id: string): NodeIdentity => ({
  id,
  cluster: '',
  locality: { region: '', zone: '', subZone: '' },
  metadata: {},
  userAgentName: '',
  userAgentVersion: '',
  clientFeatures: [],
  peer: '',
  certifiedUris: [],
});

function storeWithNode(id = 'p') {
  const wanted: string[] = [];
  const store = new SnapshotStore({
    nowMs: () => performance.now(),
    onWanted: (nodeId) => wanted.push(`+${nodeId}`),
    onUnwanted: (nodeId) => wanted.push(`-${nodeId}`),
  });
  const snapshots: Snapshot[] = [];
  const refusals: NodeRefusal[] = [];
  const open = (nodeId: string) =>
    store.open(identity(nodeId), { onSnapshot: (s) => snapshots.push(s), onRefused: (r) => refusals.push(r) });
  return { store, wanted, snapshots, refusals, open, subscription: open(id) };
}

const bytesOf = (snapshot: Snapshot | undefined, typeUrl: string, name: string): Buffer | undefined =>
  snapshot?.types.get(typeUrl)?.resources.get(name)?.any;

describe('snapshot store', () => {
  test.each<[string, ProxyParts, string]>([
    [
      'a route to a cluster that is not there',
      { ...WHOLE, resources: [listener('l', 'r'), routes('r', 'c', 'd'), cluster('c')] },
      'cluster "d" is named and not there',
    ],
    [
      'a listener whose routes are not there',
      { resources: [listener('l', 'r')], assignments: [] },
      'route configuration "r" is named and not there',
    ],
    ['a cluster without its assignment', { ...WHOLE, assignments: [] }, 'assignment "c" is named and not there'],
    [
      'an assignment that was never published',
      { ...WHOLE, assignments: ['c', 'x'] },
      'assignment "x" has not been published',
    ],
    [
      'routes that no listener names',
      { ...WHOLE, resources: [...WHOLE.resources, routes('s', 'c')] },
      'route configuration "s" is there and nothing names it',
    ],
    [
      'a cluster that no route names',
      { resources: [...WHOLE.resources, cluster('d')], assignments: ['c', 'd'] },
      'cluster "d" is there and nothing names it',
    ],
    [
      'a field that does not exist',
      { ...WHOLE, resources: [listener('l', 'r'), routes('r', 'c'), cluster('c', { lbPolcy: 'RANDOM' })] },
      'lbPolcy',
    ],
  ])('never shows %s', (_what, parts, fault) => {
    const { store, snapshots } = storeWithNode();
    store.publishAssignment(assignment('c', 1));
    store.publishAssignment(assignment('d', 1));
    expect(store.publish('p', WHOLE)).toEqual([]);
    expect(store.publish('p', parts).join('\n')).toContain(fault);
    expect(snapshots).toHaveLength(1);
  });

  test('shows nothing new where nothing changed', () => {
    const { store, snapshots } = storeWithNode();
    store.publishAssignment(assignment('c', 1));
    store.publish('p', WHOLE);
    store.publish('p', { resources: [...WHOLE.resources].reverse(), assignments: ['c'] });
    expect(snapshots).toHaveLength(1);
    expect(store.counters.unchanged).toBe(1);
  });

  test('encodes a resource once for all proxies that hold it', () => {
    const { store, open } = storeWithNode();
    open('q');
    store.publishAssignment(assignment('c', 1));
    store.publish('p', WHOLE);
    store.publish('q', WHOLE);
    const one = bytesOf(store.snapshotOf('p'), CLUSTER_TYPE, 'c');
    expect(one).toBeDefined();
    expect(bytesOf(store.snapshotOf('q'), CLUSTER_TYPE, 'c')).toBe(one);
  });

  test('an endpoint change touches one type of the proxies that hold it, and a burst is one', async () => {
    const { store, snapshots, open } = storeWithNode();
    open('q');
    store.publishAssignment(assignment('c', 1));
    store.publishAssignment(assignment('d', 1));
    store.publish('p', WHOLE);
    store.publish('q', { resources: [listener('l', 'r'), routes('r', 'd'), cluster('d')], assignments: ['d'] });
    const [p, q] = [store.snapshotOf('p'), store.snapshotOf('q')];
    await new Promise(setImmediate);
    snapshots.length = 0;
    for (let port = 2; port < 20; port += 1) store.publishAssignment(assignment('c', port));
    await vi.waitFor(() => expect(snapshots).toHaveLength(1));
    expect(store.snapshotOf('q')).toBe(q);
    const now = store.snapshotOf('p');
    expect(now?.types.get(CLUSTER_TYPE)).toBe(p?.types.get(CLUSTER_TYPE));
    expect(now?.types.get(LISTENER_TYPE)).toBe(p?.types.get(LISTENER_TYPE));
    expect(now?.types.get(CLUSTER_LOAD_ASSIGNMENT_TYPE)).not.toBe(p?.types.get(CLUSTER_LOAD_ASSIGNMENT_TYPE));
    store.stop();
  });

  test('tells when a node is wanted and when it no longer is, however many streams it has', () => {
    const { wanted, open, subscription } = storeWithNode();
    const second = open('p');
    subscription.close();
    subscription.close();
    expect(wanted).toEqual(['+p']);
    second.close();
    expect(wanted).toEqual(['+p', '-p']);
  });

  test('gives a stream that comes later the snapshot of now', () => {
    const { store, snapshots, open } = storeWithNode();
    store.publishAssignment(assignment('c', 1));
    store.publish('p', WHOLE);
    open('p');
    expect(snapshots).toHaveLength(2);
    expect(snapshots[1]).toBe(snapshots[0]);
  });

  test('refuses a node until it has something, and never one that is served', () => {
    const { store, refusals, snapshots, open } = storeWithNode();
    const refusal: NodeRefusal = { kind: 'not-found', message: 'who?' };
    store.refuse('p', refusal);
    open('p');
    expect(refusals).toEqual([refusal, refusal]);
    store.publishAssignment(assignment('c', 1));
    store.publish('p', WHOLE);
    store.refuse('p', refusal);
    expect(refusals).toHaveLength(2);
    expect(snapshots.length).toBeGreaterThan(0);
  });
});
