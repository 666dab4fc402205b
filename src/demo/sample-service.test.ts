import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Registry, startRegistry } from '../registry/registry.ts';
import { freePorts } from './free-ports.ts';
import { type RunningSampleService, runSampleService, type SampleServiceInput } from './sample-service.ts';

let registry: Registry;
let service: RunningSampleService | undefined;
const upstreamServers: Server[] = [];

beforeEach(async () => {
  registry = await startRegistry({ port: 0 });
});

afterEach(async () => {
  await service?.stop();
  service = undefined;
  for (const server of upstreamServers.splice(0)) {
    server.close();
    server.closeAllConnections();
  }
  await registry.stop();
});

/** Stands where a sidecar would. */
async function upstream(
  answer: { status: number; headers?: Record<string, string> },
  onRequest?: (headers: IncomingHttpHeaders) => void | Promise<void>,
): Promise<number> {
  const server = createServer((request, response) => {
    void (async () => {
      await onRequest?.(request.headers);
      response.writeHead(answer.status, answer.headers).end();
    })();
  });
  upstreamServers.push(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

async function readJson(path: string): Promise<ReturnType<typeof JSON.parse>> {
  return JSON.parse(await (await fetch(`${registry.url}${path}`)).text());
}

async function start(more: Partial<SampleServiceInput>): Promise<string> {
  const [port = 0, sidecarPort = 0] = await freePorts(2);
  service = await runSampleService({
    name: 'web',
    instance: 'web-1',
    port,
    sidecarPort,
    registryUrl: registry.url,
    upstreams: [],
    stages: [],
    latency: { medianMs: 0, p99Ms: 0 },
    errorRate: 0,
    checkIntervalMs: 50,
    drainMs: 0,
    ...more,
  });
  return `http://127.0.0.1:${port}`;
}

test('it registers itself with a sidecar and passes its health check, and deregisters at its end', async () => {
  const port = await upstream({ status: 200 });
  await start({ upstreams: [{ name: 'api', localPort: port }] });
  await expect.poll(() => readJson('/v1/health/service/web?passing')).toHaveLength(1);
  const sidecar = await readJson('/v1/agent/service/web-1-sidecar-proxy');
  expect(sidecar.Proxy).toMatchObject({
    DestinationServiceName: 'web',
    Upstreams: [{ DestinationName: 'api', LocalBindPort: port }],
  });
  await service?.stop();
  service = undefined;
  expect(await readJson('/v1/agent/services')).toEqual({});
});

test('calls of one stage run at the same time, and carry trace context and request id on', async () => {
  let arrived = 0;
  let letGo = (): void => undefined;
  const both = new Promise<void>((resolve) => {
    letGo = resolve;
  });
  const seen: IncomingHttpHeaders[] = [];
  const meet = async (headers: IncomingHttpHeaders): Promise<void> => {
    seen.push(headers);
    arrived += 1;
    if (arrived === 2) letGo();
    // Neither answers before the other was asked: one after the other would never end.
    await both;
  };
  const a = await upstream({ status: 200 }, meet);
  const b = await upstream({ status: 200 }, meet);
  const url = await start({
    upstreams: [
      { name: 'a', localPort: a },
      { name: 'b', localPort: b },
    ],
    stages: [['a', 'b']],
  });
  const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
  const response = await fetch(url, { headers: { traceparent, 'x-request-id': 'r-1', 'x-private': 'no' } });
  expect(response.status).toBe(200);
  expect(seen.map((headers) => [headers['traceparent'], headers['x-request-id'], headers['x-private']])).toEqual([
    [traceparent, 'r-1', undefined],
    [traceparent, 'r-1', undefined],
  ]);
  expect(new Set(seen.map((headers) => headers.host))).toEqual(new Set(['a', 'b']));
});

test("an upstream's own error stays recognisable, a failure of the mesh does not look like one", async () => {
  const own = await upstream({ status: 500, headers: { 'x-demo-app-error': 'pricing' } });
  const first = await fetch(await start({ upstreams: [{ name: 'pricing', localPort: own }], stages: [['pricing']] }));
  expect([first.status, first.headers.get('x-demo-app-error')]).toEqual([500, 'pricing']);
  await service?.stop();
  const mesh = await upstream({ status: 503 });
  const second = await fetch(await start({ upstreams: [{ name: 'pricing', localPort: mesh }], stages: [['pricing']] }));
  expect([second.status, second.headers.get('x-demo-app-error')]).toEqual([502, null]);
});

test('an error rate of one answers only errors of its own', async () => {
  const response = await fetch(await start({ errorRate: 1 }));
  expect([response.status, response.headers.get('x-demo-app-error')]).toEqual([500, 'web']);
});

test('wrong options are named, all of them', async () => {
  const wrong = { name: '', port: 0, stages: [['ghost']] };
  await expect(start(wrong)).rejects.toThrow(/demo-service: .*name: .*port: /);
  await expect(start({ stages: [['ghost']] })).rejects.toThrow('ghost is not among upstreams');
});
