import { once } from 'node:events';
import http2 from 'node:http2';
import type net from 'node:net';
import { expect, it } from 'vitest';
import { httpListener, route, routeAction, routeConfiguration, virtualHost } from '../../../test/support/resources.ts';
import { seededRandom } from '../../base/random.ts';
import { UNSAID_HTTP2_OPTIONS } from '../../resource/http2-options.ts';
import { DataPath } from './data-path-fixture.ts';

const HTTP2 = { kind: 'explicitHttp2', http2: UNSAID_HTTP2_OPTIONS } as const;
const CALLS = 1_000;
const AT_A_TIME = 100;
/** Node's default is less than what these streams may hold together. */
const MEMORY_MB = 100;
const LARGEST_BODY_BYTES = 200_000;

/** Streams of every fate at the same time through two listeners: answered, reset by either end, cut with their connection. */
it('no answer meets another request, and every count returns to zero', async () => {
  const path = new DataPath();
  const random = seededRandom(11);
  const sessions = new Set<http2.ServerHttp2Session>();
  const app = http2.createServer({ maxSessionMemory: MEMORY_MB, settings: { maxConcurrentStreams: 40 } });
  app.on('session', (session: http2.ServerHttp2Session) => {
    sessions.add(session);
    session.on('error', () => undefined);
  });
  app.on('stream', (stream: http2.ServerHttp2Stream, headers: http2.IncomingHttpHeaders) => {
    stream.on('error', () => undefined);
    const fate = random.next();
    if (fate < 0.05) stream.close(http2.constants.NGHTTP2_REFUSED_STREAM);
    else if (fate < 0.1) stream.close(http2.constants.NGHTTP2_INTERNAL_ERROR);
    else if (fate < 0.102) stream.session?.destroy();
    else {
      if (fate < 0.105) stream.session?.close();
      let received = 0;
      stream.on('data', (bytes: Buffer) => {
        received += bytes.length;
      });
      stream.on('end', () => {
        if (stream.destroyed) return;
        stream.respond({ ':status': 200, 'x-path': String(headers[':path']), 'x-received': String(received) });
        stream.end(Buffer.alloc(Math.floor(random.next() * LARGEST_BODY_BYTES), 'b'));
      });
    }
  });
  app.listen(0, '127.0.0.1');
  await once(app, 'listening');
  path.addCluster('web', [(app.address() as net.AddressInfo).port], { upstreamProtocol: HTTP2 });
  const action = routeAction({ cluster: { kind: 'cluster', name: 'sidecar' } });
  const routes = routeConfiguration({ virtualHosts: [virtualHost({ routes: [route({ action })] })] });
  await path.apply([
    httpListener('inbound', {}, { trafficDirection: 'inbound' }),
    httpListener('outbound', { routes: { kind: 'inline', routeConfiguration: routes } }),
  ]);
  path.addCluster('sidecar', [path.listeners.get('inbound')?.port ?? 0], { upstreamProtocol: HTTP2 });
  const client = http2.connect(`http://127.0.0.1:${path.listeners.get('outbound')?.port ?? 0}`, {
    maxSessionMemory: MEMORY_MB,
  });

  let answered = 0;
  const call = async (index: number): Promise<void> => {
    const size = Math.floor(random.next() * LARGEST_BODY_BYTES);
    const stream = client.request({ ':method': 'POST', ':path': `/${index}` });
    stream.on('error', () => undefined);
    const closed = new Promise<void>((resolve) => stream.on('close', resolve));
    stream.on('response', (headers) => {
      if (headers[':status'] !== 200) return;
      answered += 1;
      expect(headers['x-path']).toBe(`/${index}`);
      expect(headers['x-received']).toBe(String(size));
    });
    stream.resume();
    stream.end(Buffer.alloc(size, 'a'));
    if (random.next() < 0.1) setImmediate(() => stream.close(http2.constants.NGHTTP2_CANCEL));
    await closed;
  };
  for (let index = 0; index < CALLS; index += AT_A_TIME) {
    await Promise.all(Array.from({ length: AT_A_TIME }, (_, at) => call(index + at)));
  }
  expect(answered).toBeGreaterThan(CALLS / 2);
  client.close();
  await once(client, 'close');
  while (
    path.gauge('http', 'ingress', 'downstream_cx_active') > 1 ||
    path.gauge('http', 'ingress', 'downstream_rq_active') > 0
  ) {
    await new Promise((resolve) => setImmediate(resolve));
  }
  for (const name of ['web', 'sidecar']) {
    expect(path.gauge('cluster', name, 'upstream_rq_active')).toBe(0);
    expect(path.gauge('cluster', name, 'upstream_rq_pending_active')).toBe(0);
    expect(path.clusters.get(name)?.breakers.active('requests')).toBe(0);
    expect(path.clusters.get(name)?.breakers.active('pendingRequests')).toBe(0);
  }
  expect(path.gauge('http', 'ingress', 'downstream_rq_active')).toBe(0);
  path.upstreams.destroy();
  for (const name of ['web', 'sidecar']) {
    expect(path.gauge('cluster', name, 'upstream_cx_active')).toBe(0);
    expect(path.clusters.get(name)?.breakers.active('connections')).toBe(0);
  }
  path.close();
  for (const session of sessions) session.destroy();
  app.close();
}, 60_000);
