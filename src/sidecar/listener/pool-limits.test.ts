import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { cluster, route, routeAction, routeConfiguration, virtualHost } from '../../../test/support/resources.ts';
import { type Clock, systemClock } from '../../base/clock.ts';
import type { Cluster } from '../../resource/cluster.ts';
import type { HttpConnectionManager } from '../../resource/http-connection-manager.ts';
import { LONGEST_SAFE_IDLE_MS, PENDING_TIMEOUT_MS } from '../pool/pool-limits.ts';
import { DataPath, RawPeer, RawUpstream } from './data-path-fixture.ts';

/** How HTTP/1.1 connections to hosts are limited in number, in age and in rest. */

const GET = 'GET / HTTP/1.1\r\nhost: web\r\n\r\n';
const OK = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok';
/** Deadlines are looked at so often. */
const TICK_MS = 20;

/** Stands still but for what a test lets pass. */
let passedMs = 0;
const startedAtMs = systemClock.nowMs();
const clock: Clock = { ...systemClock, nowMs: () => startedAtMs + passedMs };

let path: DataPath;
let upstream: RawUpstream;
let second: RawUpstream;
const peers: RawPeer[] = [];

beforeEach(async () => {
  passedMs = 0;
  path = new DataPath({ clock });
  upstream = await RawUpstream.listen();
  second = await RawUpstream.listen();
});

afterEach(() => {
  for (const peer of peers.splice(0)) peer.destroy();
  upstream.close();
  second.close();
  path.close();
  expect(path.clusters.get('web')?.breakers.active('connections')).toBe(0);
  expect(path.clusters.get('web')?.breakers.active('pendingRequests')).toBe(0);
});

function pass(ms: number): void {
  passedMs += ms;
  path.turn.advance();
}

async function connect(port: number): Promise<RawPeer> {
  const peer = await RawPeer.connect(port);
  peers.push(peer);
  return peer;
}

function limited(limits: Partial<Cluster['circuitBreakers']>): Partial<Cluster> {
  return { circuitBreakers: { ...cluster('web').circuitBreakers, ...limits } };
}

/** No time but the pool's own. */
function patient(): Pick<HttpConnectionManager, 'routes' | 'streamIdleTimeoutMs'> {
  const routes = [route({ action: routeAction({ timeoutMs: 0 }) })];
  const table = routeConfiguration({ virtualHosts: [virtualHost({ routes })] });
  return { routes: { kind: 'inline', routeConfiguration: table }, streamIdleTimeoutMs: 0 };
}

const webCounter = (name: string): number => path.counter('cluster', 'web', name);
const webGauge = (name: string): number => path.gauge('cluster', 'web', name);
const all = (): RawPeer[] => [...upstream.connections, ...second.connections];

/** The `count`th request of this client, answered over the first connection that its host has. */
async function answered(client: RawPeer, count: number, answer = OK): Promise<RawPeer> {
  client.send(GET);
  const host = await upstream.connection(0);
  await host.until(() => host.received.split('GET').length === count + 1, 'the request');
  host.send(answer);
  await client.until(() => client.received.split('ok').length === count + 1, 'the answer');
  return host;
}

describe('who waits for a connection', () => {
  it('is told after the deadline of the line, not before, and leaves it', async () => {
    path.addCluster('web', [upstream.port], limited({ maxConnections: 1 }));
    const port = await path.serve(patient());
    const [busy, early, late] = [await connect(port), await connect(port), await connect(port)];
    busy.send(GET);
    const host = await upstream.connection(0);
    await host.receives('GET');
    early.send(GET);
    await expect.poll(() => webGauge('upstream_rq_pending_active')).toBe(1);
    pass(PENDING_TIMEOUT_MS / 2);
    late.send(GET);
    await expect.poll(() => webGauge('upstream_rq_pending_active')).toBe(2);
    pass(PENDING_TIMEOUT_MS / 2 - 2 * TICK_MS);
    expect(webCounter('upstream_rq_pending_timeout')).toBe(0);
    pass(4 * TICK_MS);
    expect(await early.receives('\r\n\r\n')).toMatch(/^HTTP\/1\.1 503 /);
    expect(await path.recordsReach(1)).toMatchObject({
      responseFlags: 'UO',
      responseCodeDetails: 'upstream_reset_before_response_started{pending_timeout}',
    });
    expect([webCounter('upstream_rq_pending_timeout'), webGauge('upstream_rq_pending_active')]).toEqual([1, 1]);
    pass(PENDING_TIMEOUT_MS / 2);
    expect(await late.receives('\r\n\r\n')).toMatch(/^HTTP\/1\.1 503 /);
    host.send(OK);
    await busy.receives('ok');
    expect(host.received.split('GET').length).toBe(2);
  });

  it('is told at once where the line is full', async () => {
    path.addCluster('web', [upstream.port], limited({ maxConnections: 1, maxPendingRequests: 1 }));
    const port = await path.serve(patient());
    const [busy, waiting, surplus] = [await connect(port), await connect(port), await connect(port)];
    busy.send(GET);
    await (await upstream.connection(0)).receives('GET');
    waiting.send(GET);
    await expect.poll(() => webGauge('upstream_rq_pending_active')).toBe(1);
    surplus.send(GET);
    expect(await surplus.receives('\r\n\r\n')).toMatch(/^HTTP\/1\.1 503 /);
    expect(await path.recordsReach(1)).toMatchObject({
      responseFlags: 'UO',
      responseCodeDetails: 'upstream_reset_before_response_started{overflow}',
    });
    expect(webCounter('upstream_rq_pending_overflow')).toBe(1);
  });

  it('leaves the line with its client', async () => {
    path.addCluster('web', [upstream.port], limited({ maxConnections: 1 }));
    const port = await path.serve(patient());
    const [busy, leaving] = [await connect(port), await connect(port)];
    busy.send(GET);
    await (await upstream.connection(0)).receives('GET');
    leaving.send(GET);
    await expect.poll(() => webGauge('upstream_rq_pending_active')).toBe(1);
    leaving.destroy();
    await expect.poll(() => webGauge('upstream_rq_pending_active')).toBe(0);
    expect(path.clusters.get('web')?.breakers.active('pendingRequests')).toBe(0);
  });

  it('is told when its host leaves the cluster', async () => {
    path.addCluster('web', [upstream.port], limited({ maxConnections: 1 }));
    const port = await path.serve(patient());
    const [busy, waiting] = [await connect(port), await connect(port)];
    busy.send(GET);
    const host = await upstream.connection(0);
    await host.receives('GET');
    waiting.send(GET);
    await expect.poll(() => webGauge('upstream_rq_pending_active')).toBe(1);
    path.assign('web', []);
    expect(await waiting.receives('\r\n\r\n')).toMatch(/^HTTP\/1\.1 503 /);
    host.send(OK);
    await busy.receives('ok');
    await host.ends();
  });
});

describe('connections are as many as', () => {
  async function fourAtOnce(limits: Partial<Cluster['circuitBreakers']>): Promise<void> {
    path.addCluster('web', [upstream.port, second.port], limited(limits));
    const port = await path.serve(patient());
    for (let index = 0; index < 4; index++) (await connect(port)).send(GET);
  }

  it('each host may have', async () => {
    await fourAtOnce({ maxConnectionsPerHost: 1 });
    await expect.poll(() => webGauge('upstream_rq_pending_active')).toBe(2);
    expect([upstream.connections.length, second.connections.length]).toEqual([1, 1]);
    expect(webCounter('upstream_cx_overflow')).toBe(0);
  });

  it('the cluster may have, but that every host has its first', async () => {
    await fourAtOnce({ maxConnections: 1 });
    await expect.poll(() => webGauge('upstream_rq_pending_active')).toBe(2);
    expect([upstream.connections.length, second.connections.length]).toEqual([1, 1]);
    expect(webCounter('upstream_cx_overflow')).toBeGreaterThan(0);
  });

  it('requests need where there is no limit', async () => {
    await fourAtOnce({});
    await expect.poll(() => all().filter(({ received }) => received.includes('GET')).length).toBe(4);
    expect(webGauge('upstream_rq_pending_active')).toBe(0);
  });
});

describe('a connection that rests is closed', () => {
  it('before hosts that say nothing close theirs', async () => {
    path.addCluster('web', [upstream.port]);
    const host = await answered(await connect(await path.serve()), 1);
    pass(LONGEST_SAFE_IDLE_MS - 2 * TICK_MS);
    expect(webGauge('upstream_cx_active')).toBe(1);
    pass(4 * TICK_MS);
    await host.ends();
    expect(webCounter('upstream_cx_idle_timeout')).toBe(1);
    expect(LONGEST_SAFE_IDLE_MS).toBeLessThan(5_000);
  });

  it('a second before the time that its host has said', async () => {
    path.addCluster('web', [upstream.port]);
    const said = 'HTTP/1.1 200 OK\r\nkeep-alive: timeout=60\r\ncontent-length: 2\r\n\r\nok';
    const host = await answered(await connect(await path.serve()), 1, said);
    pass(59_000 - 2 * TICK_MS);
    expect(webGauge('upstream_cx_active')).toBe(1);
    pass(4 * TICK_MS);
    await host.ends();
    expect(webCounter('upstream_cx_idle_timeout')).toBe(1);
  });

  it('at the idle timeout of its cluster, where that is sooner', async () => {
    path.addCluster('web', [upstream.port], { idleTimeoutMs: 1_000 });
    const host = await answered(await connect(await path.serve()), 1);
    pass(1_000 - 2 * TICK_MS);
    expect(webGauge('upstream_cx_active')).toBe(1);
    pass(4 * TICK_MS);
    await host.ends();
    expect(webCounter('upstream_cx_idle_timeout')).toBe(1);
  });

  it('with its host, before anybody asks for it', async () => {
    path.addCluster('web', [upstream.port]);
    const host = await answered(await connect(await path.serve()), 1);
    host.socket.end();
    await host.ends();
    expect(webGauge('upstream_cx_active')).toBe(0);
  });

  it('counted from its last answer', async () => {
    path.addCluster('web', [upstream.port]);
    const client = await connect(await path.serve());
    await answered(client, 1);
    pass(LONGEST_SAFE_IDLE_MS - 500);
    await answered(client, 2);
    pass(LONGEST_SAFE_IDLE_MS - 500);
    await answered(client, 3);
    expect(upstream.connections.length).toBe(1);
  });

  it('never while its host makes an answer', async () => {
    path.addCluster('web', [upstream.port], { idleTimeoutMs: 1_000 });
    const client = await connect(await path.serve(patient()));
    const host = await answered(client, 1);
    client.send(GET);
    await host.until(() => host.received.split('GET').length === 3, 'the second request');
    pass(60_000);
    host.send(OK);
    await client.until(() => client.received.split('ok').length === 3, 'the second answer');
  });
});

it('a connection that is older than max_connection_duration carries no other request', async () => {
  path.addCluster('web', [upstream.port], { maxConnectionDurationMs: 1_000 });
  const client = await connect(await path.serve());
  await answered(client, 1);
  pass(900);
  const host = await answered(client, 2);
  pass(200);
  client.send(GET);
  const next = await upstream.connection(1);
  await next.receives('GET');
  await host.ends();
  expect(host.received.split('GET').length).toBe(3);
  expect(webCounter('upstream_cx_max_duration_reached')).toBe(1);
});

it('the connection that was used last is lent first, so that what is not needed grows old', async () => {
  path.addCluster('web', [upstream.port]);
  const port = await path.serve();
  const [first, other] = [await connect(port), await connect(port)];
  first.send(GET);
  const older = await upstream.connection(0);
  await older.receives('GET');
  other.send(GET);
  const newer = await upstream.connection(1);
  await newer.receives('GET');
  older.send(OK);
  await first.receives('ok');
  newer.send(OK);
  await other.receives('ok');
  first.send(GET);
  await newer.until(() => newer.received.split('GET').length === 3, 'the next request');
  expect(older.received.split('GET').length).toBe(2);
});
