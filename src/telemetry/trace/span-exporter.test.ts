import { createServer } from 'node:http';
import { context, ROOT_CONTEXT, SpanKind, SpanStatusCode, TraceFlags, trace } from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { SimpleSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { Logs } from '../log/log.ts';
import { MetricsRegistry } from '../metrics/metrics.ts';
import { type OtlpReceiver, startOtlpReceiver } from '../otlp-receiver/otlp-receiver.ts';
import { StreamRecord } from '../stream-record.ts';
import { SpanExporter } from './span-exporter.ts';
import { type Environment, readTraceExportSettings, SpanRing, spanRingBuffer } from './trace.ts';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const cleanups: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function receiver(): Promise<OtlpReceiver> {
  const started = await startOtlpReceiver({ grpcPort: 0 });
  cleanups.push(() => started.stop());
  return started;
}

async function exporter(environment: Environment, lines: string[] = []): Promise<SpanExporter> {
  const { settings, faults } = readTraceExportSettings(environment);
  expect(faults).toEqual([]);
  if (settings === undefined) throw new Error('export is off');
  const logs = new Logs({ level: 'info', format: 'text', write: (line) => lines.push(line) });
  const started = await SpanExporter.start({
    settings,
    serviceName: 'web',
    serviceInstanceId: 'web-1-sidecar-proxy',
    log: logs.root,
  });
  cleanups.push(() => started.shutdown(1_000));
  return started;
}

function record(changes: Partial<StreamRecord> = {}): StreamRecord {
  const now = performance.now();
  return Object.assign(new StreamRecord(), {
    direction: 'outbound',
    workerId: 3,
    listenerName: 'web:127.0.0.1:8080',
    receivedAtMs: now,
    attemptStartedAtMs: now,
    requestEndAtMs: now + 1,
    pickedAtMs: now + 1.5,
    connectionReadyAtMs: now + 2,
    firstUpstreamByteAtMs: now + 8,
    endedAtMs: now + 9.25,
    queueMs: 0.5,
    method: 'GET',
    authority: 'web.example:8443',
    path: '/things/7?token=secret',
    userAgent: 'curl/8.5',
    requestId: 'r-1',
    downstreamAddress: '127.0.0.1',
    downstreamPort: 4711,
    routeName: 'things',
    clusterName: 'web.default.dc1.internal.weft',
    hostAddress: '10.0.0.7',
    hostPort: 21000,
    attempt: 2,
    connectionReused: true,
    inFlightAtArrival: 4,
    hostInFlightAtPick: 5,
    status: 200,
    responseCodeDetails: 'via_upstream',
    traceId: TRACE,
    spanId: '1111111111111111',
    parentSpanId: '2222222222222222',
    traceState: 'rojo=1',
    sampled: true,
    ...changes,
  } satisfies Partial<StreamRecord>);
}

function ringWith(...records: readonly StreamRecord[]): SharedArrayBuffer {
  const buffer = spanRingBuffer();
  const ring = new SpanRing(buffer, performance.timeOrigin);
  for (const each of records) ring.write(each, each.endedAtMs);
  return buffer;
}

function unixNano(atMs: number): bigint {
  return BigInt(Math.round((performance.timeOrigin + atMs) * 1e6));
}

describe.each(['grpc', 'http/protobuf'])('exporting over %s', (protocol) => {
  it('sends what the record says: identifiers, parent, times, attributes, resource', async () => {
    const received = await receiver();
    const port = protocol === 'grpc' ? received.grpcPort : received.httpPort;
    const spans = await exporter({
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}`,
      OTEL_EXPORTER_OTLP_PROTOCOL: protocol,
      OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment.name=test%20bed',
    });
    const sent = record();
    spans.attach(1, ringWith(sent));
    expect(await spans.flush(5_000)).toBe(true);
    expect(spans.counts).toEqual({ exported: 1, failed: 0, dropped: 0, pending: 0 });
    const [span] = received.store.spans(TRACE);
    expect(span).toMatchObject({
      traceId: TRACE,
      spanId: '1111111111111111',
      parentSpanId: '2222222222222222',
      traceState: 'rojo=1',
      name: 'GET',
      kind: 'client',
      status: { code: 'unset', message: '' },
    });
    expect(span?.resource).toMatchObject({
      'service.name': 'web',
      'service.instance.id': 'web-1-sidecar-proxy',
      'deployment.environment.name': 'test bed',
    });
    expect(span?.attributes).toEqual({
      'http.request.method': 'GET',
      'url.scheme': 'http',
      'url.path': '/things/7',
      'url.full': 'http://web.example:8443/things/7',
      'network.protocol.name': 'http',
      'network.protocol.version': '1.1',
      'server.address': 'web.example',
      'server.port': 8443,
      'user_agent.original': 'curl/8.5',
      'http.response.status_code': 200,
      'network.peer.address': '10.0.0.7',
      'network.peer.port': 21000,
      'http.request.resend_count': 1,
      'weft.worker.id': 3,
      'weft.attempt': 2,
      'weft.in_flight_at_arrival': 4,
      'weft.host_in_flight_at_pick': 5,
      'weft.queue_time_ms': 0.5,
      'weft.connection_reused': true,
      'weft.listener': 'web:127.0.0.1:8080',
      'weft.route': 'things',
      'weft.cluster': 'web.default.dc1.internal.weft',
      'weft.host': '10.0.0.7:21000',
      'weft.request_id': 'r-1',
      'weft.response_code_details': 'via_upstream',
    });
    const times = [span?.startUnixNano, ...(span?.events.map(({ unixNano: at }) => at) ?? []), span?.endUnixNano];
    const expected = [sent.receivedAtMs, sent.requestEndAtMs, sent.pickedAtMs, sent.connectionReadyAtMs]
      .concat(sent.firstUpstreamByteAtMs, sent.endedAtMs)
      .map(unixNano);
    times.forEach((at, index) => {
      const difference = BigInt(at ?? 0) - (expected[index] ?? 0n);
      // A double holds today's milliseconds to a quarter of a microsecond.
      expect(Number(difference < 0n ? -difference : difference), `time ${index}`).toBeLessThan(1_000);
    });
    expect(span?.events.map(({ name }) => name)).toEqual([
      'weft.request_end',
      'weft.host_picked',
      'weft.connection_ready',
      'weft.first_upstream_byte',
    ]);
  });
});

describe('the exporter', () => {
  it('sends the same span as the plain SDK given the same facts', async () => {
    const received = await receiver();
    const url = `http://127.0.0.1:${received.httpPort}`;
    const sent = record({
      direction: 'inbound',
      routeName: '/things/{id}',
      status: 503,
      responseFlags: 'UF',
      attempt: 1,
    });
    const spans = await exporter({ OTEL_EXPORTER_OTLP_ENDPOINT: url });
    spans.attach(1, ringWith(sent));
    await spans.flush(5_000);
    const [ours] = received.store.spans(TRACE);
    if (ours === undefined) throw new Error('nothing was received');

    const provider = new TracerProvider({
      resource: resourceFromAttributes(ours.resource as Record<string, string>),
      idGenerator: { generateSpanId: () => '3333333333333333', generateTraceId: () => TRACE },
      spanProcessors: [new SimpleSpanProcessor({ exporter: new OTLPTraceExporter({ url: `${url}/v1/traces` }) })],
    });
    const parent = { traceId: TRACE, spanId: sent.parentSpanId, traceFlags: TraceFlags.SAMPLED, isRemote: true };
    const span = provider
      .getTracer('oracle')
      .startSpan(
        'GET /things/{id}',
        { kind: SpanKind.SERVER, startTime: performance.timeOrigin + sent.receivedAtMs },
        trace.setSpanContext(ROOT_CONTEXT, parent),
      );
    for (const [name, value] of Object.entries(ours.attributes)) span.setAttribute(name, value as string);
    span.setStatus({ code: SpanStatusCode.ERROR });
    span.end(performance.timeOrigin + sent.endedAtMs);
    await provider.forceFlush();
    const theirs = received.store.spans(TRACE).find(({ spanId }) => spanId === '3333333333333333');
    await provider.shutdown();
    const strip = ({ spanId: _s, events: _e, traceState: _t, startUnixNano, endUnixNano, ...rest }: typeof ours) => ({
      ...rest,
      tookMs: Math.round(Number(BigInt(endUnixNano) - BigInt(startUnixNano)) / 1e4) / 100,
    });
    expect(theirs && strip(theirs)).toEqual(strip(ours));
    expect(ours).toMatchObject({ kind: 'server', name: 'GET /things/{id}', status: { code: 'error' } });
    expect(ours.attributes).toMatchObject({
      'http.route': '/things/{id}',
      'client.address': '127.0.0.1',
      'error.type': '503',
    });
  });

  it('registers nothing globally', async () => {
    const received = await receiver();
    await exporter({ OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${received.httpPort}` });
    expect(trace.getTracer('x').startSpan('x').isRecording()).toBe(false);
    expect(context.active()).toBe(ROOT_CONTEXT);
  });

  it('sends the headers it was told to, and counts and logs a change of state once', async () => {
    const seen: (string | undefined)[] = [];
    let status = 400;
    const server = createServer((request, response) => {
      seen.push(request.headers['authorization']);
      request.resume().on('end', () => response.writeHead(status).end());
    });
    await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
    cleanups.push(
      () =>
        new Promise((resolve) => {
          server.close(() => resolve());
          server.closeAllConnections();
        }),
    );
    const address = server.address();
    const port = typeof address === 'object' ? address?.port : 0;
    const lines: string[] = [];
    const spans = await exporter(
      {
        OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `http://127.0.0.1:${port}/custom`,
        OTEL_EXPORTER_OTLP_HEADERS: 'authorization=Bearer%20abc',
      },
      lines,
    );
    const buffer = spanRingBuffer();
    const ring = new SpanRing(buffer, performance.timeOrigin);
    spans.attach(1, buffer);
    for (const answer of [400, 400, 200, 200]) {
      status = answer;
      ring.write(record(), 1);
      await spans.flush(5_000);
    }
    expect(spans.counts).toMatchObject({ exported: 2, failed: 2, pending: 0 });
    expect(seen).toEqual(Array.from({ length: 4 }, () => 'Bearer abc'));
    expect(lines.map((line) => line.includes('cannot be exported'))).toEqual([true, false]);
  });

  it('leaves records in a ring while too many wait, and the ring drops and counts', async () => {
    const server = createServer((request) => void request.resume());
    await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
    cleanups.push(
      () =>
        new Promise((resolve) => {
          server.closeAllConnections();
          server.close(() => resolve());
        }),
    );
    const address = server.address();
    const port = typeof address === 'object' ? address?.port : 0;
    const spans = await exporter({
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}`,
      OTEL_BSP_MAX_QUEUE_SIZE: '4',
      OTEL_EXPORTER_OTLP_TIMEOUT: '500',
    });
    const buffer = spanRingBuffer(8);
    const ring = new SpanRing(buffer, performance.timeOrigin);
    spans.attach(1, buffer);
    for (let index = 0; index < 8; index += 1) ring.write(record(), 1);
    expect(spans.drain()).toBe(4);
    expect(spans.drain()).toBe(0);
    for (let index = 0; index < 8; index += 1) ring.write(record(), 1);
    expect(spans.counts).toMatchObject({ pending: 4, dropped: 4 });
    expect(await spans.flush(50)).toBe(false);
    spans.detach(1);
    expect(spans.counts).toMatchObject({ pending: 4, dropped: 12 });
  });

  it('makes one span a second while the collector is away, and all again once it is back', async () => {
    let status = 400;
    const server = createServer((request, response) => {
      request.resume().on('end', () => response.writeHead(status).end());
    });
    await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
    cleanups.push(
      () =>
        new Promise((resolve) => {
          server.closeAllConnections();
          server.close(() => resolve());
        }),
    );
    const address = server.address();
    const port = typeof address === 'object' ? address?.port : 0;
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    cleanups.push(async () => void vi.useRealTimers());
    const spans = await exporter({ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `http://127.0.0.1:${port}/` });
    const buffer = spanRingBuffer();
    const ring = new SpanRing(buffer, performance.timeOrigin);
    spans.attach(1, buffer);
    ring.write(record(), 1);
    await spans.flush(5_000);
    expect(spans.counts).toMatchObject({ failed: 1, pending: 0 });
    for (let index = 0; index < 10; index += 1) ring.write(record(), 1);
    vi.advanceTimersByTime(3_000);
    expect(spans.counts).toMatchObject({ pending: 3, dropped: 0 });
    status = 200;
    await spans.flush(5_000);
    expect(spans.counts).toMatchObject({ exported: 10, failed: 1, pending: 0 });
    for (let index = 0; index < 10; index += 1) ring.write(record(), 1);
    vi.advanceTimersByTime(50);
    expect(spans.counts.pending).toBe(10);
  });

  it('shows its counts among the metrics', async () => {
    const received = await receiver();
    const { settings } = readTraceExportSettings({
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${received.httpPort}`,
    });
    if (settings === undefined) throw new Error('export is off');
    const metrics = new MetricsRegistry({ announce: () => {} });
    const log = new Logs({ level: 'silent', format: 'text' }).root;
    const spans = await SpanExporter.start({ settings, serviceName: 'web', serviceInstanceId: 'w', log, metrics });
    cleanups.push(() => spans.shutdown(1_000));
    spans.attach(1, ringWith(record()));
    await spans.flush(5_000);
    await vi.waitFor(() => expect(metrics.counter({ kind: 'tracing' }, 'spans_sent').value).toBe(1));
  });

  it('keeps what a thread that ended had written', async () => {
    const received = await receiver();
    const spans = await exporter({ OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${received.httpPort}` });
    spans.attach(1, ringWith(record(), record({ spanId: '4444444444444444' })));
    spans.detach(1);
    await spans.shutdown(5_000);
    expect(received.store.stats()).toMatchObject({ spans: 2, traces: 1 });
  });
});
