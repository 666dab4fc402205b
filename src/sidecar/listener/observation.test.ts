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
import { UNSAID_HTTP2_OPTIONS } from '../../resource/http2-options.ts';
import { SpanRing, spanRingBuffer, TraceStarter } from '../../telemetry/trace/trace.ts';
import { DataPath, RawPeer, RawUpstream } from './data-path-fixture.ts';

let path: DataPath;
let upstream: RawUpstream;
let client: RawPeer | undefined;
const OK = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok';
const tracing = (share: number) => ({
  clientSampling: 1,
  randomSampling: share,
  overallSampling: 1,
  spawnUpstreamSpan: false,
  maxPathTagLength: 256,
  customTags: [],
});

beforeEach(async () => {
  path = new DataPath({
    traces: new TraceStarter(seededRandom(3), new SpanRing(spanRingBuffer(), performance.timeOrigin)),
  });
  upstream = await RawUpstream.listen();
  path.addCluster('web', [upstream.port]);
});

afterEach(() => {
  client?.destroy();
  upstream.close();
  path.close();
});

async function request(port: number, ...fields: string[]): Promise<string> {
  client = await RawPeer.connect(port);
  client.send(['GET /p?q=1 HTTP/1.1', 'host: web', 'user-agent: tester', ...fields, '', ''].join('\r\n'));
  const host = await upstream.connection(0);
  const received = await host.receives('\r\n\r\n');
  host.send(OK);
  await client.receives('ok');
  return received;
}

describe('the record of a stream', () => {
  it('says what happened and when, in order', async () => {
    const port = await path.serve();
    await request(port);
    const record = await path.recordsReach(1);
    expect(record).toMatchObject({
      direction: 'outbound',
      listenerName: 'listener',
      localAddress: '127.0.0.1',
      localPort: port,
      downstreamAddress: '127.0.0.1',
      downstreamPort: client?.socket.localPort,
      protocol: 11,
      method: 'GET',
      scheme: 'http',
      authority: 'web',
      path: '/p?q=1',
      userAgent: 'tester',
      routeName: 'all/0',
      clusterName: 'web',
      hostAddress: '127.0.0.1',
      hostPort: upstream.port,
      attempt: 1,
      connectionReused: false,
      inFlightAtArrival: 1,
      hostInFlightAtPick: 0,
      status: 200,
      requestBodyBytes: 0,
      responseBodyBytes: 2,
      responseFlags: '',
      responseCodeDetails: 'via_upstream',
    });
    const { receivedAtMs, requestEndAtMs, pickedAtMs, connectionReadyAtMs, firstUpstreamByteAtMs, endedAtMs } = record;
    const times = [receivedAtMs, pickedAtMs, connectionReadyAtMs, firstUpstreamByteAtMs, endedAtMs];
    expect(times).toEqual(times.toSorted((a, b) => a - b));
    expect(requestEndAtMs).toBeGreaterThanOrEqual(receivedAtMs);
    expect(record.queueMs).toBe(connectionReadyAtMs - pickedAtMs);
  });

  it('counts the streams open on arrival, whichever way those before it ended', async () => {
    const port = await path.serve();
    for (const leave of ['FIN', 'RST'] as const) {
      const leaver = await RawPeer.connect(port);
      leaver.send('GET / HTTP/1.1\r\nhost: web\r\n\r\n');
      await expect.poll(() => path.gauge('http', 'ingress', 'downstream_rq_active')).toBe(1);
      if (leave === 'FIN') leaver.socket.end();
      else leaver.socket.resetAndDestroy();
      await expect.poll(() => path.gauge('http', 'ingress', 'downstream_rq_active')).toBe(0);
      leaver.destroy();
    }
    client = await RawPeer.connect(port);
    client.send('GET / HTTP/1.1\r\nhost: web\r\n\r\n');
    const host = await upstream.connection(2);
    await host.receives('\r\n\r\n');
    host.send(OK);
    expect((await path.recordsReach(3)).inFlightAtArrival).toBe(1);
  });

  it('comes exactly once per stream, and all gauges return to zero', async () => {
    const port = await path.serve();
    await request(port);
    client?.destroy();
    await path.recordsReach(1);
    await expect.poll(() => path.gauge('listener', '127.0.0.1:0', 'downstream_cx_active')).toBe(0);
    expect(path.records).toHaveLength(1);
    expect(path.gauge('http', 'ingress', 'downstream_cx_active')).toBe(0);
    expect(path.gauge('http', 'ingress', 'downstream_rq_active')).toBe(0);
    expect(path.gauge('cluster', 'web', 'upstream_rq_active')).toBe(0);
  });
});

describe('trace context', () => {
  const parent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331';

  it('starts a trace, and the upstream gets this hop as its parent', async () => {
    const received = await request(await path.serve({ tracing: tracing(1) }));
    const record = await path.recordsReach(1);
    expect(record.sampled).toBe(true);
    expect(received).toContain(`traceparent: 00-${record.traceId}-${record.spanId}-01\r\n`);
  });

  it('joins a sampled trace and passes tracestate on', async () => {
    const port = await path.serve({ tracing: tracing(0) });
    const received = await request(port, `traceparent: ${parent}-01`, 'tracestate: a=1');
    const record = await path.recordsReach(1);
    expect(record).toMatchObject({ sampled: true, parentSpanId: 'b7ad6b7169203331' });
    expect(received).toContain(`traceparent: 00-0af7651916cd43dd8448eb211c80319c-${record.spanId}-01\r\n`);
    expect(received).toContain('tracestate: a=1\r\n');
    expect(received.split('traceparent')).toHaveLength(2);
  });

  it('an unsampled trace is passed on under its own span', async () => {
    const received = await request(await path.serve({ tracing: tracing(1) }), `traceparent: ${parent}-00`);
    expect(received).toContain(`traceparent: ${parent}-00\r\n`);
  });

  it('without tracing the fields pass untouched', async () => {
    const received = await request(await path.serve(), 'traceparent: anything');
    expect(received).toContain('traceparent: anything\r\n');
  });

  it('each try has its own span', async () => {
    const backOff = { baseIntervalMs: 5, maxIntervalMs: 5 };
    const action = routeAction({ retryPolicy: retryPolicy({ retryOn: ['5xx'], backOff }) });
    const routes = {
      kind: 'inline',
      routeConfiguration: routeConfiguration({ virtualHosts: [virtualHost({ routes: [route({ action })] })] }),
    } as const;
    const port = await path.serve({ tracing: tracing(1), routes });
    client = await RawPeer.connect(port);
    client.send('GET / HTTP/1.1\r\nhost: web\r\n\r\n');
    const host = await upstream.connection(0);
    await host.receives('\r\n\r\n');
    host.send('HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n');
    await host.until(() => host.received.split('GET').length === 3, 'the second try');
    host.send(OK);
    await client.receives('ok');
    const spans = [...host.received.matchAll(/traceparent: 00-([0-9a-f]{32})-([0-9a-f]{16})-01\r\n/g)];
    expect(spans).toHaveLength(2);
    expect(spans[0]?.[1]).toBe(spans[1]?.[1]);
    expect(spans[0]?.[2]).not.toBe(spans[1]?.[2]);
  });
});

describe('what this version does not speak', () => {
  it('a cluster that wants HTTP/2 behind a PROXY header gets nothing in HTTP/1.1', async () => {
    const port = await path.serve();
    client = await RawPeer.connect(port);
    path.addCluster('web', [upstream.port], {
      ...cluster('web'),
      transportSocket: { kind: 'upstreamProxyProtocol', version: 'v1' },
      upstreamProtocol: { kind: 'explicitHttp2', http2: UNSAID_HTTP2_OPTIONS },
    });
    client.send('GET / HTTP/1.1\r\nhost: web\r\n\r\n');
    expect((await path.recordsReach(1)).responseCodeDetails).toBe('upstream_http2_not_supported');
    expect(upstream.connections).toHaveLength(0);
  });
});
