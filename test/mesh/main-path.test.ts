import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  type OtlpReceiver,
  type ReceivedSpan,
  startOtlpReceiver,
} from '../../src/telemetry/otlp-receiver/otlp-receiver.ts';
import { type CallSpan, callTree, outsideParent, overlappingSiblings } from './support/call-tree.ts';
import { ask } from './support/exchange.ts';
import { type Instance, Mesh } from './support/mesh.ts';
import { until } from './support/waiting.ts';

const TRACE_ID = '4bf92f3577b34da6a3ce929d0e0e4736';
const CALLER_SPAN_ID = '00f067aa0ba902b7';
/** The clocks of processes of one machine are one clock, read in milliseconds by some. */
const CLOCK_TOLERANCE_NS = 2_000_000n;

let receiver: OtlpReceiver;
let mesh: Mesh;
let front: Instance;
/** The local port where the sidecar of `edge` takes calls to `front`. */
let edgePort = 0;

/** `front` calls `left` and `right` at the same time; each with a sidecar; spans travel over both OTLP protocols. */
beforeAll(async () => {
  receiver = await startOtlpReceiver({ grpcPort: 0 });
  const otlp = { http: `http://127.0.0.1:${receiver.httpPort}`, grpc: `http://127.0.0.1:${receiver.grpcPort}` };
  mesh = await Mesh.start({ otlp });
  await mesh.registryPut('/v1/config', { Kind: 'proxy-defaults', Name: 'global', Config: { protocol: 'http' } });
  await Promise.all([
    mesh.add({ service: 'left', instance: 'left-1', delayMs: 60, otlpProtocol: 'grpc' }),
    mesh.add({ service: 'right', instance: 'right-1', delayMs: 60 }),
  ]);
  const upstreams = ['left', 'right'];
  front = await mesh.add({ service: 'front', instance: 'front-1', upstreams, callsUpstreams: true });
  const edge = await mesh.add({ service: 'edge', instance: 'edge-1', upstreams: ['front'], otlpProtocol: 'grpc' });
  edgePort = edge.upstreamPort('front');
}, 60_000);

afterAll(async () => {
  await mesh?.[Symbol.asyncDispose]();
  await receiver?.stop();
});

describe('a call through two sidecars', () => {
  test('arrives whole, and its answer comes back', async () => {
    const body = 'x'.repeat(100_000);
    const answer = await ask({
      port: edgePort,
      path: '/things?id=7',
      method: 'POST',
      body,
      headers: { 'x-nonce': 'n1' },
    });
    expect(answer.status, answer.text).toBe(200);
    expect(answer.origin).toMatchObject({
      service: 'front',
      method: 'POST',
      url: '/things?id=7',
      nonce: 'n1',
      bodyBytes: 100_000,
      callStatuses: [200, 200],
    });
    expect(answer.headers['x-origin']).toBe('front-1');
  });

  test('carries the fields a proxy adds, joined to what the caller sent', async () => {
    const { origin } = await ask({
      port: edgePort,
      headers: {
        traceparent: `00-${TRACE_ID}-${CALLER_SPAN_ID}-01`,
        'x-forwarded-for': '203.0.113.9',
        'x-custom': 'kept',
      },
    });
    expect(origin.headers).toMatchObject({ 'x-custom': ['kept'], 'x-forwarded-proto': ['http'] });
    // The sidecar beside the application adds who called it; what the caller said of earlier hops is kept.
    expect(origin.headers['x-forwarded-for']).toEqual(['203.0.113.9, 127.0.0.1']);
    expect(origin.headers['x-request-id']?.join()).toMatch(/^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
    const [traceparent = '', ...more] = origin.headers['traceparent'] ?? [];
    expect(more).toEqual([]);
    expect(traceparent).toMatch(new RegExp(`^00-${TRACE_ID}-(?!${CALLER_SPAN_ID})[0-9a-f]{16}-01$`));
  });

  test('leaves behind what belongs to one connection only', async () => {
    const { origin, headers } = await ask({
      port: edgePort,
      headers: {
        connection: 'keep-alive, x-hop',
        'keep-alive': 'timeout=5',
        'proxy-connection': 'keep-alive',
        te: 'gzip',
        'x-hop': 'for the first proxy only',
      },
    });
    for (const name of ['x-hop', 'keep-alive', 'proxy-connection', 'te']) {
      expect(origin.headers, name).not.toHaveProperty(name);
    }
    expect(headers).not.toHaveProperty('x-weft-not-processed');
  });
});

describe('the trace of a call', () => {
  test('has every hop once, under the hop that caused it, with siblings at the same time', async () => {
    const traceId = '0af7651916cd43dd8448eb211c80319c';
    const answer = await ask({ port: edgePort, headers: { traceparent: `00-${traceId}-${CALLER_SPAN_ID}-01` } });
    expect(answer.status).toBe(200);
    const spans = await until('the spans of six hops', () => {
      const arrived = receiver.store.spans(traceId);
      return arrived.length >= 6 ? arrived : undefined;
    });
    const calls = spans.map(callSpan);
    expect(callTree(calls)).toEqual([
      'edge client',
      '  front server',
      '    front client',
      '      left server',
      '    front client',
      '      right server',
    ]);
    expect(spans.find(({ service }) => service === 'edge')?.parentSpanId).toBe(CALLER_SPAN_ID);
    expect(overlappingSiblings(calls)).toBe(1);
    expect(outsideParent(calls, CLOCK_TOLERANCE_NS)).toEqual([]);
  });

  test('says of each hop what was called, where it went, and how long it waited', async () => {
    const traceId = 'b7ad6b7169203331b7ad6b7169203331';
    await ask({
      port: edgePort,
      path: '/things?secret=1',
      headers: { host: 'front', traceparent: `00-${traceId}-${CALLER_SPAN_ID}-01`, 'user-agent': 'test/1' },
    });
    const spans = await until('the spans of six hops', () => {
      const arrived = receiver.store.spans(traceId);
      return arrived.length >= 6 ? arrived : undefined;
    });
    const client = spans.find(({ service }) => service === 'edge');
    expect(client?.attributes).toMatchObject({
      'http.request.method': 'GET',
      'http.response.status_code': 200,
      'url.path': '/things',
      'server.address': 'front',
      'network.protocol.version': '1.1',
      'user_agent.original': 'test/1',
      'weft.attempt': 1,
      'weft.in_flight_at_arrival': expect.any(Number),
      'weft.queue_time_ms': expect.any(Number),
      'weft.host': `127.0.0.1:${front.inboundPort}`,
      'weft.host_in_flight_at_pick': expect.any(Number),
      'weft.cluster': expect.stringMatching(/^front\.default\.dc1\.internal\./),
      'weft.request_id': expect.any(String),
    });
    expect(JSON.stringify(client)).not.toContain('secret');
    const server = spans.find(({ service, kind }) => service === 'front' && kind === 'server');
    expect(server?.attributes).toMatchObject({
      'weft.cluster': 'local_app',
      'weft.host': `127.0.0.1:${front.appPort}`,
      'weft.request_id': client?.attributes['weft.request_id'],
    });
    expect(server?.resource).toMatchObject({ 'service.name': 'front', 'service.instance.id': front.proxyId });
  });

  test('is not made where the caller decided against it', async () => {
    const before = receiver.store.stats().spans;
    const traceId = 'cccccccccccccccccccccccccccccccc';
    const { origin } = await ask({ port: edgePort, headers: { traceparent: `00-${traceId}-${CALLER_SPAN_ID}-00` } });
    expect(origin.headers['traceparent']?.join()).toMatch(new RegExp(`^00-${traceId}-[0-9a-f]{16}-00$`));
    // A sampled one after it, so that the batches have been sent when it arrives.
    const after = 'dddddddddddddddddddddddddddddddd';
    await ask({ port: edgePort, headers: { traceparent: `00-${after}-${CALLER_SPAN_ID}-01` } });
    await until('the later trace', () => (receiver.store.spans(after).length >= 6 ? true : undefined));
    expect(receiver.store.spans(traceId)).toEqual([]);
    expect(receiver.store.stats().spans - before).toBe(6);
  });
});

function callSpan(span: ReceivedSpan): CallSpan {
  const { spanId, parentSpanId, service, kind } = span;
  return {
    spanId,
    parentSpanId,
    service,
    kind,
    startNs: BigInt(span.startUnixNano),
    endNs: BigInt(span.endUnixNano),
  };
}
