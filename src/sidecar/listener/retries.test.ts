import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  assignment,
  cluster,
  endpoint,
  retryPolicy,
  route,
  routeAction,
  routeConfiguration,
  virtualHost,
} from '../../../test/support/resources.ts';
import type { HttpConnectionManager } from '../../resource/http-connection-manager.ts';
import type { RetryPolicy } from '../../resource/route-configuration.ts';
import { DataPath, RawPeer, RawUpstream, unusedPort } from './data-path-fixture.ts';

let path: DataPath;
let first: RawUpstream;
let second: RawUpstream;
const peers: RawPeer[] = [];
const GET = 'GET / HTTP/1.1\r\nhost: web\r\n\r\n';
const POST = 'POST / HTTP/1.1\r\nhost: web\r\ncontent-length: 4\r\n\r\nbody';
const OK = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok';
const UNAVAILABLE = 'HTTP/1.1 503 No\r\ncontent-length: 2\r\n\r\nno';

async function connect(port: number): Promise<RawPeer> {
  const peer = await RawPeer.connect(port);
  peers.push(peer);
  return peer;
}

function retrying(policy: Partial<RetryPolicy>): Pick<HttpConnectionManager, 'routes'> {
  const backOff = { baseIntervalMs: 5, maxIntervalMs: 10 };
  const action = routeAction({ retryPolicy: retryPolicy({ backOff, ...policy }) });
  const table = routeConfiguration({ virtualHosts: [virtualHost({ routes: [route({ action })] })] });
  return { routes: { kind: 'inline', routeConfiguration: table } };
}

beforeEach(async () => {
  path = new DataPath();
  first = await RawUpstream.listen();
  second = await RawUpstream.listen();
  path.addCluster('web', [first.port]);
});

afterEach(() => {
  for (const peer of peers.splice(0)) peer.destroy();
  first.close();
  second.close();
  path.close();
  // Whatever happened, nothing stays taken.
  expect(path.clusters.get('web')?.breakers.active('retries')).toBe(0);
  expect(path.clusters.get('web')?.breakers.active('requests')).toBe(0);
  expect(path.clusters.get('web')?.breakers.active('pendingRequests')).toBe(0);
  expect(path.clusters.get('web')?.breakers.active('connections')).toBe(0);
  expect(path.clusters.get('web')?.hosts.map((host) => host.inFlight())).not.toContain(1);
});

describe('additional_addresses', () => {
  it('the next one is dialled where one cannot be reached, without a retry', async () => {
    const ip = (port: number) => ({ kind: 'ip', host: '127.0.0.1', port }) as const;
    const additionalAddresses = [ip(await unusedPort()), ip(second.port)];
    path.addCluster('web', [endpoint(await unusedPort(), { additionalAddresses })]);
    const client = await connect(await path.serve());
    client.send(GET);
    const host = await second.connection(0);
    await host.receives('GET / HTTP/1.1');
    host.send(OK);
    await client.receives('ok');
    expect((await path.recordsReach(1)).attempt).toBe(1);
    expect(path.counter('cluster', 'web', 'upstream_cx_connect_fail')).toBe(0);
  });

  it('fails once none of them can be reached', async () => {
    const additionalAddresses = [{ kind: 'ip', host: '127.0.0.1', port: await unusedPort() } as const];
    path.addCluster('web', [endpoint(await unusedPort(), { additionalAddresses })]);
    const client = await connect(await path.serve());
    client.send(GET);
    expect(await client.receives('\r\n\r\n')).toMatch(/^HTTP\/1\.1 503 /);
    expect(path.counter('cluster', 'web', 'upstream_cx_connect_fail')).toBe(1);
  });
});

describe('retry policy', () => {
  it('previous_priorities: the retry goes to the next priority, although the first counts as healthy', async () => {
    const level = (priority: number, port: number) => ({
      locality: { region: '', zone: '', subZone: '' },
      priority,
      loadBalancingWeight: 1,
      endpoints: [endpoint(port)],
    });
    const localities = [level(0, first.port), level(1, second.port)];
    const slots = new Map([
      [`127.0.0.1:${first.port}`, 50],
      [`127.0.0.1:${second.port}`, 51],
    ]);
    path.clusters.assign({ clusterName: 'web', assignment: { ...assignment('web', []), localities }, slots });
    const client = await connect(
      await path.serve(retrying({ retryOn: ['5xx'], previousPrioritiesUpdateFrequency: 1 })),
    );
    client.send(GET);
    const failing = await first.connection(0);
    await failing.receives('GET');
    failing.send(UNAVAILABLE);
    const host = await second.connection(0);
    await host.receives('GET');
    host.send(OK);
    await client.receives('ok');
  });

  it('connect-failure: goes to another host, not to one that was tried', async () => {
    path.addCluster('web', [await unusedPort(), first.port]);
    const port = await path.serve(retrying({ retryOn: ['connect-failure'], previousHosts: true }));
    const client = await connect(port);
    for (let index = 0; index < 4; index++) {
      client.send(POST);
      const host = await first.connection(0);
      await host.until(() => host.received.split('body').length === index + 2, 'the request');
      host.send(OK);
      await client.until(() => client.received.split('ok').length === index + 2, 'the answer');
    }
    expect(path.records.map((record) => record.status)).toEqual([200, 200, 200, 200]);
    const retries = path.counter('cluster', 'web', 'upstream_rq_retry');
    expect(retries).toBeGreaterThanOrEqual(2);
    expect(path.counter('cluster', 'web', 'upstream_rq_retry_success')).toBe(retries);
  });

  it('5xx: sends the buffered body again, and keeps the connection whose short answer it dropped', async () => {
    const client = await connect(await path.serve(retrying({ retryOn: ['5xx'] })));
    client.send(POST);
    const host = await first.connection(0);
    await host.receives('\r\n\r\nbody');
    host.send(UNAVAILABLE);
    await host.until(() => host.received.split('body').length === 3, 'the body again');
    host.send(OK);
    expect(await client.receives('ok')).not.toContain('503');
    expect((await path.recordsReach(1)).attempt).toBe(2);
    expect(first.connections.length).toBe(1);
  });

  it('gives the last answer when the number is used up', async () => {
    const client = await connect(await path.serve(retrying({ retryOn: ['5xx'], numRetries: 2 })));
    client.send(GET);
    const host = await first.connection(0);
    for (let attempt = 1; attempt <= 3; attempt++) {
      await host.until(() => host.received.split('GET').length === attempt + 1, `attempt ${attempt}`);
      host.send(UNAVAILABLE);
    }
    expect(await client.receives('no')).toMatch(/^HTTP\/1\.1 503 /);
    expect(path.counter('cluster', 'web', 'upstream_rq_retry_limit_exceeded')).toBe(1);
  });

  it('retriable-headers: x-weft-not-processed is tried elsewhere, a plain 503 is not', async () => {
    const present = {
      name: 'x-weft-not-processed',
      match: { kind: 'present', present: true },
      invertMatch: false,
      treatMissingHeaderAsEmpty: false,
    } as const;
    const port = await path.serve(retrying({ retryOn: ['retriable-headers'], retriableHeaders: [present] }));
    const client = await connect(port);
    client.send(POST);
    const host = await first.connection(0);
    await host.receives('body');
    host.send('HTTP/1.1 503 No\r\nx-weft-not-processed: UF\r\ncontent-length: 0\r\n\r\n');
    await host.until(() => host.received.split('body').length === 3, 'the body again');
    host.send('HTTP/1.1 503 No\r\nx-other: 1\r\ncontent-length: 0\r\n\r\n');
    expect(await client.receives('x-other')).toMatch(/^HTTP\/1\.1 503 /);
    expect((await path.recordsReach(1)).attempt).toBe(2);
  });

  it('retriable-status-codes', async () => {
    const client = await connect(
      await path.serve(retrying({ retryOn: ['retriable-status-codes'], retriableStatusCodes: [429] })),
    );
    client.send(GET);
    const host = await first.connection(0);
    await host.receives('GET');
    host.send('HTTP/1.1 429 Slow\r\ncontent-length: 0\r\n\r\n');
    await host.until(() => host.received.split('GET').length === 3, 'the second try');
    host.send(OK);
    await client.receives('HTTP/1.1 200 ');
  });

  it('reset: an upstream that hangs up before its answer', async () => {
    const client = await connect(await path.serve(retrying({ retryOn: ['reset'] })));
    client.send(GET);
    const host = await first.connection(0);
    await host.receives('GET');
    host.destroy();
    const again = await first.connection(1);
    await again.receives('GET');
    again.send(OK);
    await client.receives('HTTP/1.1 200 ');
  });

  it('per-try timeout: the slow try is aborted and another made', async () => {
    const client = await connect(await path.serve(retrying({ retryOn: ['reset'], perTryTimeoutMs: 40 })));
    client.send(GET);
    const slow = await first.connection(0);
    await slow.receives('GET');
    await slow.ends();
    const again = await first.connection(1);
    await again.receives('GET');
    again.send(OK);
    await client.receives('HTTP/1.1 200 ');
    expect(path.counter('cluster', 'web', 'upstream_rq_per_try_timeout')).toBe(1);
  });

  it('never after a response head was passed on', async () => {
    const client = await connect(await path.serve(retrying({ retryOn: ['5xx', 'reset'] })));
    client.send(GET);
    const host = await first.connection(0);
    await host.receives('GET');
    host.send('HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc');
    await client.receives('abc');
    host.destroy();
    await client.ends();
    expect((await path.recordsReach(1)).attempt).toBe(1);
  });

  it('never with a body beyond what is kept', async () => {
    const client = await connect(await path.serve(retrying({ retryOn: ['5xx'] })));
    const size = 70_000;
    client.send(`POST / HTTP/1.1\r\nhost: web\r\ncontent-length: ${size}\r\n\r\n${'x'.repeat(size)}`);
    const host = await first.connection(0);
    await host.until(() => host.received.length > size, 'the body');
    host.send(UNAVAILABLE);
    expect(await client.receives('no')).toMatch(/^HTTP\/1\.1 503 /);
    expect((await path.recordsReach(1)).attempt).toBe(1);
  });

  it('the retry breaker stops a storm', async () => {
    const { circuitBreakers } = cluster('web');
    path.addCluster('web', [first.port], { circuitBreakers: { ...circuitBreakers, maxRetries: 0 } });
    const client = await connect(await path.serve(retrying({ retryOn: ['5xx'] })));
    client.send(GET);
    const host = await first.connection(0);
    await host.receives('GET');
    host.send(UNAVAILABLE);
    expect(await client.receives('no')).toMatch(/^HTTP\/1\.1 503 /);
    expect(path.counter('cluster', 'web', 'upstream_rq_retry_overflow')).toBe(1);
  });
});

describe('a kept connection that turns out dead', () => {
  /** One exchange, so that the pool holds a connection that the upstream kills as soon as the next request arrives. */
  async function warm(client: RawPeer): Promise<RawPeer> {
    client.send(GET);
    const host = await first.connection(0);
    await host.receives('GET');
    host.send(OK);
    await client.receives('ok');
    return host;
  }

  it('GET is sent once more on a fresh connection, without any policy', async () => {
    const client = await connect(await path.serve());
    const host = await warm(client);
    client.send(GET);
    await host.until(() => host.received.split('GET').length === 3, 'the second request');
    host.destroy();
    const fresh = await first.connection(1);
    await fresh.receives('GET');
    fresh.send(OK);
    await client.until(() => client.received.split('ok').length === 3, 'the answer');
    expect(path.counter('cluster', 'web', 'upstream_rq_reused_connection_retry')).toBe(1);
  });

  it('row 69: POST is not', async () => {
    const client = await connect(await path.serve());
    const host = await warm(client);
    client.send(POST);
    await host.receives('body');
    host.destroy();
    await client.receives('HTTP/1.1 503 ');
    expect(first.connections.length).toBe(1);
  });

  it('nothing is, once a byte of the answer has come', async () => {
    const client = await connect(await path.serve());
    const host = await warm(client);
    client.send(GET);
    await host.until(() => host.received.split('GET').length === 3, 'the second request');
    host.send('HTTP/1.1 20');
    host.socket.end();
    await client.receives('HTTP/1.1 503 ');
    expect(first.connections.length).toBe(1);
  });

  it('a connection that the upstream has closed meanwhile is not lent at all', async () => {
    const client = await connect(await path.serve());
    const host = await warm(client);
    host.socket.end();
    await host.until(() => host.isClosed, 'our side to close').catch(() => undefined);
    client.send(POST);
    const fresh = await first.connection(1);
    await fresh.receives('body');
    fresh.send(OK);
    await client.until(() => client.received.split('ok').length === 3, 'the answer');
  });
});
