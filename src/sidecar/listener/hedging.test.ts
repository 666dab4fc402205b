import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  cluster,
  retryPolicy,
  route,
  routeAction,
  routeConfiguration,
  virtualHost,
} from '../../../test/support/resources.ts';
import { seededRandom } from '../../base/random.ts';
import type { HttpConnectionManager } from '../../resource/http-connection-manager.ts';
import type { RetryPolicy, RouteAction } from '../../resource/route-configuration.ts';
import { SpanRingReader } from '../../telemetry/trace/span-ring-reader.ts';
import { SpanRing, spanRingBuffer, TraceStarter } from '../../telemetry/trace/trace.ts';
import { DataPath, RawPeer, RawUpstream } from './data-path-fixture.ts';

/** Soon, so that tests are; late enough that a connection is there. */
const PER_TRY_MS = 30;
const GET = 'GET / HTTP/1.1\r\nhost: web\r\n\r\n';
const OK = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok';
const UNAVAILABLE = 'HTTP/1.1 503 No\r\ncontent-length: 2\r\n\r\nno';

let path: DataPath;
let upstream: RawUpstream;
const peers: RawPeer[] = [];

function hedging(
  policy: Partial<RetryPolicy> = {},
  action: Partial<RouteAction> = {},
): Pick<HttpConnectionManager, 'routes'> {
  const backOff = { baseIntervalMs: 1, maxIntervalMs: 2 };
  const only = routeAction({
    retryPolicy: retryPolicy({ retryOn: ['5xx'], perTryTimeoutMs: PER_TRY_MS, backOff, ...policy }),
    hedgePolicy: { hedgeOnPerTryTimeout: true },
    ...action,
  });
  const table = routeConfiguration({ virtualHosts: [virtualHost({ routes: [route({ action: only })] })] });
  return { routes: { kind: 'inline', routeConfiguration: table } };
}

async function ask(manager: Partial<HttpConnectionManager>, text = GET): Promise<RawPeer> {
  const client = await RawPeer.connect(await path.serve(manager));
  peers.push(client);
  client.send(text);
  return client;
}

/** The connection of the attempt of that number, with its request. */
async function attempt(index: number, text = 'GET / '): Promise<RawPeer> {
  const connection = await upstream.connection(index);
  await connection.receives(text);
  return connection;
}

const count = (name: string): number => path.counter('cluster', 'web', `upstream_rq_${name}`);

beforeEach(async () => {
  path = new DataPath();
  upstream = await RawUpstream.listen();
  path.addCluster('web', [upstream.port]);
});

afterEach(() => {
  for (const peer of peers.splice(0)) peer.destroy();
  upstream.close();
  path.close();
  // Whatever happened, nothing stays taken.
  const web = path.clusters.get('web');
  const kinds = ['retries', 'requests', 'pendingRequests', 'connections'] as const;
  expect(kinds.map((kind) => web?.breakers.active(kind))).toEqual([0, 0, 0, 0]);
  expect(web?.hosts.map((host) => host.inFlight()).filter((requests) => requests !== 0)).toEqual([]);
  expect(path.gauge('cluster', 'web', 'upstream_rq_active')).toBe(0);
});

describe('a try that takes longer than the per-try timeout', () => {
  it('goes on while another is made: the one that answers first wins, and the other is given up', async () => {
    const client = await ask(hedging());
    const slow = await attempt(0);
    const quick = await attempt(1);
    expect(path.gauge('cluster', 'web', 'upstream_rq_active')).toBe(2);
    expect(slow.isEnded).toBe(false);
    quick.send(OK);
    await client.receives('ok');
    await slow.ends();
    expect(await path.recordsReach(1)).toMatchObject({ status: 200, attempt: 2, responseFlags: '' });
    expect(['retry', 'retry_success', 'total', 'completed', '200'].map(count)).toEqual([1, 1, 2, 1, 1]);
    // As in Envoy: a try that goes on has not timed out.
    expect(count('per_try_timeout')).toBe(0);
  });

  it('may be the one that answers first after all', async () => {
    const client = await ask(hedging());
    const slow = await attempt(0);
    const second = await attempt(1);
    slow.send(OK);
    await client.receives('ok');
    await second.ends();
    expect(await path.recordsReach(1)).toMatchObject({ attempt: 1, attempts: 2 });
    expect(count('200')).toBe(1);
  });

  it('the connection of the winner is kept for the next request', async () => {
    const client = await ask(hedging());
    await attempt(0);
    const quick = await attempt(1);
    quick.send(OK);
    await client.receives('ok');
    client.send(GET);
    await quick.until(() => quick.received.split('GET').length === 3, 'the next request');
    quick.send(OK);
    await path.recordsReach(2);
    expect(upstream.connections).toHaveLength(2);
  });

  it('num_retries bounds the tries, and the last of them may take its time', async () => {
    const client = await ask(hedging({ numRetries: 2 }));
    const tries = [await attempt(0), await attempt(1), await attempt(2)];
    await expect.poll(() => count('retry_limit_exceeded')).toBe(1);
    expect(tries.some((connection) => connection.isEnded)).toBe(false);
    tries[1]?.send(OK);
    await client.receives('ok');
    await Promise.all([tries[0]?.ends(), tries[2]?.ends()]);
    expect(await path.recordsReach(1)).toMatchObject({ attempt: 2, attempts: 3 });
  });

  it('the body goes to each of them whole', async () => {
    const client = await ask(hedging(), 'POST / HTTP/1.1\r\nhost: web\r\ncontent-length: 4\r\n\r\nbody');
    await attempt(0, '\r\n\r\nbody');
    (await attempt(1, '\r\n\r\nbody')).send(OK);
    await client.receives('ok');
  });

  it('previous_hosts: the second goes elsewhere', async () => {
    const other = await RawUpstream.listen();
    path.addCluster('web', [upstream.port, other.port]);
    const client = await ask(hedging({ previousHosts: true, hostSelectionRetryMaxAttempts: 5 }));
    const [first, second] = await Promise.all([attempt(0), other.connection(0)]);
    expect(first).toBeDefined();
    await second.receives('GET / ');
    second.send(OK);
    await client.receives('ok');
    other.close();
  });

  it('the word of a virtual host counts where the route has none', async () => {
    const { routes } = hedging({}, { hedgePolicy: undefined });
    if (routes.kind !== 'inline') throw new Error('inline routes');
    const hosts = routes.routeConfiguration.virtualHosts.map((host) => ({
      ...host,
      hedgePolicy: { hedgeOnPerTryTimeout: true },
    }));
    const routeTable = routeConfiguration({ virtualHosts: hosts });
    const client = await ask({ routes: { kind: 'inline', routeConfiguration: routeTable } });
    await attempt(0);
    (await attempt(1)).send(OK);
    await client.receives('ok');
  });
});

describe('of several tries', () => {
  it('a failing answer is thrown away while another try is under way', async () => {
    const client = await ask(hedging());
    const slow = await attempt(0);
    const second = await attempt(1);
    slow.send(UNAVAILABLE);
    await expect.poll(() => count('503')).toBe(1);
    second.send(OK);
    expect(await client.receives('ok')).not.toContain('503');
  });

  it('the answer of the last goes on, whatever it is', async () => {
    const client = await ask(hedging());
    const slow = await attempt(0);
    const second = await attempt(1);
    second.send(UNAVAILABLE);
    await expect.poll(() => count('503')).toBe(1);
    slow.send(UNAVAILABLE);
    expect(await client.receives('no')).toMatch(/^HTTP\/1\.1 503 /);
    expect((await path.recordsReach(1)).responseCodeDetails).toBe('via_upstream');
  });

  it('one that is cut off is forgotten, the first', async () => {
    const client = await ask(hedging());
    const slow = await attempt(0);
    const second = await attempt(1);
    slow.destroy();
    await expect.poll(() => count('rx_reset')).toBe(1);
    second.send(OK);
    await client.receives('ok');
  });

  it('one that is cut off is forgotten, the second', async () => {
    const client = await ask(hedging());
    const slow = await attempt(0);
    const second = await attempt(1);
    second.destroy();
    await expect.poll(() => count('rx_reset')).toBe(1);
    slow.send(OK);
    await client.receives('ok');
    expect(count('retry_limit_exceeded')).toBe(1);
  });

  it('all cut off: the client is told of the last', async () => {
    const client = await ask(hedging());
    const slow = await attempt(0);
    const second = await attempt(1);
    slow.destroy();
    await expect.poll(() => count('rx_reset')).toBe(1);
    second.destroy();
    expect(await client.receives('\r\n\r\n')).toMatch(/^HTTP\/1\.1 503 /);
    expect((await path.recordsReach(1)).responseFlags).toBe('UC');
  });

  it('a failing answer earns a try of its own while another goes on', async () => {
    const client = await ask(hedging({ numRetries: 2 }));
    const slow = await attempt(0);
    const second = await attempt(1);
    second.send(UNAVAILABLE);
    await expect.poll(() => count('total')).toBe(3);
    slow.send(OK);
    expect(await client.receives('ok')).not.toContain('503');
    expect(await path.recordsReach(1)).toMatchObject({ attempt: 1, attempts: 3 });
  });

  it('the route timeout ends all', async () => {
    const client = await ask(hedging({}, { timeoutMs: 120 }));
    const tries = [await attempt(0), await attempt(1)];
    expect(await client.receives('\r\n\r\n')).toMatch(/^HTTP\/1\.1 504 /);
    await Promise.all(tries.map((connection) => connection.ends()));
    expect(['timeout', '504'].map(count)).toEqual([1, 2]);
  });

  it('a client that leaves takes all along', async () => {
    const client = await ask(hedging());
    const tries = [await attempt(0), await attempt(1)];
    client.destroy();
    await Promise.all(tries.map((connection) => connection.ends()));
  });

  it('the first to say 100 Continue is the one', async () => {
    const client = await ask(hedging());
    const slow = await attempt(0);
    const second = await attempt(1);
    slow.send('HTTP/1.1 103 Early Hints\r\nlink: a\r\n\r\n');
    await second.ends();
    slow.send(OK);
    expect(await client.receives('ok')).toContain('103');
  });

  it('each comes to a span of its own, and the record is the winner’s', async () => {
    path.close();
    const ring = spanRingBuffer();
    path = new DataPath({ traces: new TraceStarter(seededRandom(3), new SpanRing(ring, 0)) });
    path.addCluster('web', [upstream.port]);
    const shares = { clientSampling: 1, randomSampling: 1, overallSampling: 1 };
    const tracing = { ...shares, spawnUpstreamSpan: false, maxPathTagLength: 256, customTags: [] };
    const port = await path.serve({ ...hedging(), tracing }, { trafficDirection: 'outbound' });
    const client = await RawPeer.connect(port);
    peers.push(client);
    client.send(GET);
    const slow = await attempt(0);
    const second = await attempt(1);
    slow.send(OK);
    await client.receives('ok');
    const parents = [slow, second].map(({ received }) => /traceparent: 00-\w+-(\w+)-/.exec(received)?.[1]);
    expect(await path.recordsReach(1)).toMatchObject({ spanId: parents[0], attempt: 1, attempts: 2 });
    const spans = new Map<string, number>();
    new SpanRingReader(ring).drain(8, (record) => spans.set(record.spanId, record.attempt));
    // Whichever answers, a span tells the number of its own try.
    expect(spans).toEqual(new Map(parents.map((spanId, index) => [spanId, index + 1])));
  });
});

describe('no second try', () => {
  it('where the retry breaker is open', async () => {
    path.addCluster('web', [upstream.port], { circuitBreakers: { ...cluster('web').circuitBreakers, maxRetries: 0 } });
    const client = await ask(hedging());
    const slow = await attempt(0);
    await expect.poll(() => count('retry_overflow')).toBe(1);
    slow.send(OK);
    await client.receives('ok');
    expect(count('total')).toBe(1);
  });

  it('where the cluster takes no more requests', async () => {
    path.addCluster('web', [upstream.port], { circuitBreakers: { ...cluster('web').circuitBreakers, maxRequests: 1 } });
    const client = await ask(hedging());
    const slow = await attempt(0);
    await expect.poll(() => path.counter('cluster', 'web', 'upstream_rq_overflow')).toBe(1);
    slow.send(OK);
    await client.receives('ok');
    expect(count('total')).toBe(1);
  });

  it('where the policy names no failure', async () => {
    const client = await ask(hedging({ retryOn: [] }, { timeoutMs: 150 }));
    await attempt(0);
    expect(await client.receives('\r\n\r\n')).toMatch(/^HTTP\/1\.1 504 /);
    expect(count('total')).toBe(1);
  });

  it('of a body that is longer than what is kept', async () => {
    const size = 70_000;
    const text = `POST / HTTP/1.1\r\nhost: web\r\ncontent-length: ${size}\r\n\r\n${'x'.repeat(size)}`;
    const client = await ask(hedging({}, { timeoutMs: 200 }), text);
    await attempt(0, 'POST');
    expect(await client.receives('\r\n\r\n')).toMatch(/^HTTP\/1\.1 504 /);
    expect(count('total')).toBe(1);
  });

  it('once the answer has begun', async () => {
    const client = await ask(hedging());
    const slow = await attempt(0);
    slow.send('HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nab');
    await client.receives('ab');
    // By the time that a later request is hedged this one's moment has passed.
    const later = await RawPeer.connect(path.listeners.get('listener')?.port ?? 0);
    peers.push(later);
    later.send(GET);
    await attempt(1);
    (await attempt(2)).send(OK);
    await later.receives('ok');
    slow.send('cd');
    await client.receives('abcd');
    expect(count('total')).toBe(3);
  });
});
