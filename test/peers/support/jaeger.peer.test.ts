import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-grpc';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { SimpleSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';
import { expect, test } from 'vitest';
import { startJaeger } from './jaeger.ts';
import { describeWithPeer } from './peer.ts';

const TRACE_ID = '5b8efff798038103d269b633813fc60c';

describeWithPeer('jaeger', 'real Jaeger', () => {
  test('a span sent over OTLP HTTP is found through the query API', async () => {
    await using jaeger = await startJaeger();
    const response = await fetch(`${jaeger.otlpHttpAddress}/v1/traces`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(oneSpan('web', 'GET /things')),
    });
    expect(response.status).toBe(200);
    await expect.poll(() => findTrace(jaeger.queryAddress, TRACE_ID)).toContain('GET /things');
  });

  test('a span sent over OTLP gRPC is found through the query API', async () => {
    await using jaeger = await startJaeger();
    const exporter = new OTLPTraceExporter({ url: jaeger.otlpGrpcAddress });
    const provider = new TracerProvider({
      resource: resourceFromAttributes({ 'service.name': 'web' }),
      spanProcessors: [new SimpleSpanProcessor({ exporter })],
    });
    const span = provider.getTracer('test').startSpan('GET /others');
    span.end();
    await provider.shutdown();
    await expect.poll(() => findTrace(jaeger.queryAddress, span.spanContext().traceId)).toContain('GET /others');
  });
});

async function findTrace(queryAddress: string, traceId: string): Promise<string> {
  return (await fetch(`${queryAddress}/api/v3/traces/${traceId}`)).text();
}

function oneSpan(service: string, name: string): object {
  const endMs = Date.now();
  const span = { traceId: TRACE_ID, spanId: '5fb397be34d26b51', name, kind: 2 };
  const times = { startTimeUnixNano: `${endMs - 1}000000`, endTimeUnixNano: `${endMs}000000` };
  const resource = { attributes: [{ key: 'service.name', value: { stringValue: service } }] };
  return { resourceSpans: [{ resource, scopeSpans: [{ scope: { name: 'test' }, spans: [{ ...span, ...times }] }] }] };
}
