import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  cluster,
  retryPolicy,
  route,
  routeAction,
  routeConfiguration,
  virtualHost,
} from '../../../test/support/resources.ts';
import type { HttpConnectionManager } from '../../resource/http-connection-manager.ts';
import type { Route } from '../../resource/route-configuration.ts';
import { DataPath, RawPeer, RawUpstream, unusedPort } from './data-path-fixture.ts';

let path: DataPath;
let upstream: RawUpstream;
const peers: RawPeer[] = [];
const GET = 'GET / HTTP/1.1\r\nhost: web\r\n\r\n';
const OK = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok';

async function connect(port: number): Promise<RawPeer> {
  const peer = await RawPeer.connect(port);
  peers.push(peer);
  return peer;
}

function routes(...list: Route[]): Pick<HttpConnectionManager, 'routes'> {
  const routeTable = routeConfiguration({ virtualHosts: [virtualHost({ routes: list })] });
  return { routes: { kind: 'inline', routeConfiguration: routeTable } };
}

beforeEach(async () => {
  path = new DataPath();
  upstream = await RawUpstream.listen();
  path.addCluster('web', [upstream.port]);
});

afterEach(() => {
  for (const peer of peers.splice(0)) peer.destroy();
  upstream.close();
  path.close();
});

async function answerTo(request: string, port: number): Promise<string> {
  const client = await connect(port);
  client.send(request);
  await client.receives('\r\n\r\n');
  return client.received;
}

describe('answers of our own', () => {
  it('no route: 404 NR', async () => {
    expect(await answerTo(GET, await path.serve(routes()))).toMatch(/^HTTP\/1\.1 404 /);
    expect(await path.recordsReach(1)).toMatchObject({ responseFlags: 'NR', responseCodeDetails: 'route_not_found' });
    expect(path.counter('http', 'ingress', 'no_route')).toBe(1);
  });

  it('no cluster: the code the route names, NC', async () => {
    const action = routeAction({ cluster: { kind: 'cluster', name: 'gone' }, clusterNotFoundResponseCode: 500 });
    expect(await answerTo(GET, await path.serve(routes(route({ action }))))).toMatch(/^HTTP\/1\.1 500 /);
    expect((await path.recordsReach(1)).responseFlags).toBe('NC');
  });

  it('no host: 503 UH', async () => {
    path.addCluster('web', []);
    expect(await answerTo(GET, await path.serve())).toMatch(/^HTTP\/1\.1 503 [\s\S]*no healthy upstream$/);
    expect((await path.recordsReach(1)).responseFlags).toBe('UH');
  });

  it('nobody listens: 503 UF, and an inbound listener says that the request reached no one', async () => {
    path.addCluster('web', [await unusedPort()]);
    const answer = await answerTo(GET, await path.serve({}, { trafficDirection: 'inbound' }));
    expect(answer).toMatch(/^HTTP\/1\.1 503 [\s\S]*x-weft-not-processed: UF\r\n/);
    expect(path.counter('cluster', 'web', 'upstream_cx_connect_fail')).toBe(1);
  });

  it('an outbound listener never says so to the app', async () => {
    path.addCluster('web', [await unusedPort()]);
    expect(await answerTo(GET, await path.serve())).not.toContain('x-weft-not-processed');
  });

  it('an inbound listener takes the word of no app for it', async () => {
    const port = await path.serve({}, { trafficDirection: 'inbound' });
    const client = await connect(port);
    client.send(GET);
    const host = await upstream.connection(0);
    await host.receives('\r\n\r\n');
    host.send('HTTP/1.1 503 No\r\nx-weft-not-processed: forged\r\ncontent-length: 0\r\n\r\n');
    await client.receives('\r\n\r\n');
    expect(client.received).not.toContain('x-weft-not-processed');
  });

  it('an upstream that dies after it got the request: 503 UC, and nobody says that it reached no one', async () => {
    const client = await connect(await path.serve({}, { trafficDirection: 'inbound' }));
    client.send('POST / HTTP/1.1\r\nhost: web\r\ncontent-length: 1\r\n\r\nx');
    const host = await upstream.connection(0);
    await host.receives('\r\n\r\nx');
    host.destroy();
    expect(await client.receives('\r\n\r\n')).toMatch(/^HTTP\/1\.1 503 /);
    expect(client.received).not.toContain('x-weft-not-processed');
    expect((await path.recordsReach(1)).responseFlags).toBe('UC');
  });

  it('too many requests for the breaker: 503 UO', async () => {
    const { circuitBreakers } = cluster('web');
    path.addCluster('web', [upstream.port], { circuitBreakers: { ...circuitBreakers, maxRequests: 1 } });
    const port = await path.serve();
    const first = await connect(port);
    first.send(GET);
    await (await upstream.connection(0)).receives('\r\n\r\n');
    expect(await answerTo(GET, port)).toMatch(/^HTTP\/1\.1 503 /);
    expect((await path.recordsReach(1)).responseFlags).toBe('UO');
    (await upstream.connection(0)).send(OK);
    await first.receives('ok');
    const third = await connect(port);
    third.send(GET);
    const host = await upstream.connection(0);
    await host.until(() => host.received.split('GET').length === 3, 'the third request');
  });

  it('speaks gRPC to a gRPC caller', async () => {
    const request = 'POST /a.B/C HTTP/1.1\r\nhost: web\r\ncontent-type: application/grpc\r\ncontent-length: 0\r\n\r\n';
    const answer = await answerTo(request, await path.serve(routes()));
    expect(answer).toMatch(/^HTTP\/1\.1 200 [\s\S]*grpc-status: 12\r\n/);
  });

  it('direct responses and redirects', async () => {
    const port = await path.serve(
      routes(
        route({
          match: { ...route().match, path: { kind: 'path', path: '/direct' } },
          action: { kind: 'directResponse', status: 418, body: 'ä teapot' },
        }),
        route({
          action: {
            kind: 'redirect',
            responseCode: 308,
            hostRedirect: 'other.example',
            portRedirect: undefined,
            pathRedirect: undefined,
            prefixRewrite: '/new/',
            schemeRedirect: undefined,
            httpsRedirect: true,
            stripQuery: false,
          },
        }),
      ),
    );
    const direct = await answerTo('GET /direct HTTP/1.1\r\nhost: web\r\n\r\n', port);
    expect(Buffer.from(direct, 'latin1').toString()).toMatch(
      /^HTTP\/1\.1 418 [\s\S]*content-length: 9\r\n[\s\S]*ä teapot$/,
    );
    const redirect = await answerTo('GET /old?x=1 HTTP/1.1\r\nhost: web:80\r\n\r\n', port);
    expect(redirect).toMatch(/^HTTP\/1\.1 308 [\s\S]*location: https:\/\/other\.example\/new\/old\?x=1\r\n/);
  });

  it('row 62: TRACE is off, and Max-Forwards counts down to an answer of ours', async () => {
    const port = await path.serve();
    expect(await answerTo('TRACE / HTTP/1.1\r\nhost: web\r\n\r\n', port)).toMatch(/^HTTP\/1\.1 405 /);
    const options = (value: string): string => `OPTIONS * HTTP/1.1\r\nhost: web\r\nmax-forwards: ${value}\r\n\r\n`;
    expect(await answerTo(options('x'), port)).toMatch(/^HTTP\/1\.1 400 /);
    expect(upstream.connections.length).toBe(0);
    const client = await connect(port);
    client.send('OPTIONS / HTTP/1.1\r\nhost: web\r\nmax-forwards: 3\r\n\r\n');
    expect(await (await upstream.connection(0)).receives('\r\n\r\n')).toContain('max-forwards: 2');
    expect(await answerTo('OPTIONS / HTTP/1.1\r\nhost: web\r\nmax-forwards: 0\r\n\r\n', port)).toMatch(
      /^HTTP\/1\.1 200 /,
    );
  });
});

describe('timeouts', () => {
  it('row 68: a head that never ends: 408 and close', async () => {
    const client = await connect(await path.serve({ requestHeadersTimeoutMs: 50 }));
    client.send('GET / HTTP/1.1\r\nhos');
    expect(await client.ends()).toMatch(/^HTTP\/1\.1 408 /);
    expect(path.counter('http', 'ingress', 'downstream_rq_header_timeout')).toBe(1);
  });

  it('an idle connection is closed without a word', async () => {
    const client = await connect(await path.serve({ idleTimeoutMs: 50 }));
    expect(await client.ends()).toBe('');
    expect(path.counter('http', 'ingress', 'downstream_cx_idle_timeout')).toBe(1);
  });

  it('row 68: a body that never ends: 408 by request_timeout', async () => {
    const client = await connect(await path.serve({ requestTimeoutMs: 50 }));
    client.send('POST / HTTP/1.1\r\nhost: web\r\ncontent-length: 5\r\n\r\nab');
    expect(await client.receives('\r\n\r\n')).toMatch(/^HTTP\/1\.1 408 /);
    const host = await upstream.connection(0);
    await host.ends();
  });

  it('a stream in which nothing moves: stream_idle_timeout', async () => {
    const client = await connect(await path.serve({ streamIdleTimeoutMs: 50 }));
    client.send(GET);
    expect(await client.receives('\r\n\r\n')).toMatch(/^HTTP\/1\.1 504 /);
    expect((await path.recordsReach(1)).responseFlags).toBe('SI');
  });

  it('max_stream_duration ends even a stream that moves', async () => {
    const client = await connect(await path.serve({ maxStreamDurationMs: 50 }));
    client.send(GET);
    const host = await upstream.connection(0);
    await host.receives('\r\n\r\n');
    host.send('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n');
    await client.ends();
    expect((await path.recordsReach(1)).responseFlags).toBe('DT');
  });

  it('the route timeout covers retries: 504 UT, and the upstream is aborted', async () => {
    const action = routeAction({
      timeoutMs: 100,
      retryPolicy: retryPolicy({ retryOn: ['reset'], numRetries: 10, perTryTimeoutMs: 30 }),
    });
    const client = await connect(await path.serve(routes(route({ action }))));
    client.send(GET);
    expect(await client.receives('\r\n\r\n')).toMatch(/^HTTP\/1\.1 504 [\s\S]*upstream request timeout$/);
    const record = await path.recordsReach(1);
    expect(record.responseFlags).toBe('UT');
    expect(record.attempt).toBeGreaterThan(1);
    expect(path.gauge('cluster', 'web', 'upstream_rq_active')).toBe(0);
  });
});

describe('fields', () => {
  it('generates a request id where there is none, and keeps one', async () => {
    const client = await connect(await path.serve());
    client.send(GET);
    const host = await upstream.connection(0);
    expect(await host.receives('\r\n\r\n')).toMatch(
      /x-request-id: [0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\r\n/,
    );
    host.send(OK);
    await client.receives('ok');
    client.send('GET /2 HTTP/1.1\r\nhost: web\r\nx-request-id: mine\r\n\r\n');
    await host.receives('x-request-id: mine\r\n');
    host.send(OK);
    expect((await path.recordsReach(2)).requestId).toBe('mine');
  });

  it('row 64: an edge listener strips what only the mesh may set, and appends to XFF', async () => {
    const client = await connect(await path.serve({ useRemoteAddress: true }));
    client.send(
      'GET / HTTP/1.1\r\nhost: web\r\nX-Envoy-Retry-On: 5xx\r\nX-Weft-Anything: 1\r\nforwarded: for=a\r\n' +
        'x-forwarded-proto: https\r\nx-forwarded-for: 1.2.3.4\r\nx-request-id: theirs\r\nx-plain: kept\r\n\r\n',
    );
    const received = await (await upstream.connection(0)).receives('\r\n\r\n');
    expect(received).not.toMatch(/x-envoy-retry-on|x-weft|forwarded: for|theirs|https/i);
    expect(received).toContain('x-forwarded-for: 1.2.3.4, 127.0.0.1\r\n');
    expect(received).toContain('x-plain: kept\r\n');
  });

  it('inside the mesh x-forwarded-proto is only added where it is missing', async () => {
    const client = await connect(await path.serve());
    client.send('GET / HTTP/1.1\r\nhost: web\r\nx-forwarded-proto: https\r\n\r\n');
    expect(await (await upstream.connection(0)).receives('\r\n\r\n')).toMatch(/x-forwarded-proto: https\r\n/);
  });

  it('path normalisation is what routes and the upstream see', async () => {
    const client = await connect(await path.serve({ normalizePath: true, mergeSlashes: true }));
    client.send('GET /a/%2e%2e//b/./c?d=/../ HTTP/1.1\r\nhost: web\r\n\r\n');
    expect(await (await upstream.connection(0)).receives('\r\n\r\n')).toContain('GET /b/c?d=/../ HTTP/1.1');
    const port = await path.serve({ normalizePath: true }, {}, 'second');
    expect(await answerTo('GET /../etc HTTP/1.1\r\nhost: web\r\n\r\n', port)).toMatch(/^HTTP\/1\.1 400 /);
  });
});
