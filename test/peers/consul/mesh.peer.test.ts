import { expect, test } from 'vitest';
import { callTree, outsideParent, overlappingSiblings } from '../../mesh/support/call-tree.ts';
import { weft } from '../../mesh/support/child-program.ts';
import { ask } from '../../mesh/support/exchange.ts';
import { Load } from '../../mesh/support/load.ts';
import { Mesh } from '../../mesh/support/mesh.ts';
import { until, withinMs } from '../../mesh/support/waiting.ts';
import { startConsul } from '../support/consul.ts';
import { startJaeger } from '../support/jaeger.ts';
import { type JaegerTrace, tracesOf } from '../support/jaeger-traces.ts';
import { describeWithPeer } from '../support/peer.ts';

const DEMO_WITHIN_MS = 90_000;
/** The clocks of processes of one machine are one clock, read in milliseconds by some. */
const CLOCK_TOLERANCE_NS = 2_000_000n;

/** One request of the demo: what calls what, each hop seen by the sidecar that sends it and the one that takes it. */
const DEMO_CALL = [
  'load client',
  '  storefront server',
  '    storefront client',
  '      cart server',
  '        cart client',
  '          inventory server',
  '        cart client',
  '          pricing server',
  '    storefront client',
  '      catalog server',
  '        catalog client',
  '          inventory server',
  '    storefront client',
  '      recommendations server',
];

describeWithPeer(['consul', 'jaeger'], 'the mesh with a real Consul and a real Jaeger', () => {
  test('the demo runs, and every hop of each of its calls is read back from Jaeger in one trace', async () => {
    await using consul = await startConsul();
    await using jaeger = await startJaeger();
    const options = ['--for', '6s', '--rate', '15', '--json', '--log-level', 'warn'];
    await using demo = weft(['demo', ...options, '--consul', consul.httpAddress, '--otlp', jaeger.otlpHttpAddress]);
    await demo.said(/6 s of load/, DEMO_WITHIN_MS);
    const loadBeganNs = BigInt(Date.now()) * 1_000_000n;
    const { code } = await withinMs(DEMO_WITHIN_MS, demo.ended, () => `the demo still runs: ${demo.output}`);
    expect(code, demo.output).toBe(0);
    const report: unknown = JSON.parse(/^\{.*\}$/m.exec(demo.output)?.[0] ?? '{}');
    expect(report).toMatchObject({ requests: { failed: 0 }, xds: { nacked: 0 }, services: 8, sidecars: 9 });

    const calls = (await tracesOf(jaeger.queryAddress, 'load')).filter((trace) => startOf(trace) > loadBeganNs);
    expect(calls.length).toBeGreaterThan(30);
    for (const { traceId, spans } of calls) {
      expect(callTree(spans), traceId).toEqual(DEMO_CALL);
      expect(outsideParent(spans, CLOCK_TOLERANCE_NS), traceId).toEqual([]);
    }
    // Three calls at the same time in each; a busy machine may keep a pair apart now and then.
    const concurrent = calls.filter(({ spans }) => overlappingSiblings(spans) > 0);
    expect(concurrent.length).toBeGreaterThan(calls.length / 2);
    expect(await leftBehind(consul.httpAddress)).toEqual(['consul']);
  });

  test('registrations and config entries of a real Consul are obeyed under load, spans come over OTLP/gRPC', async () => {
    await using consul = await startConsul();
    await using jaeger = await startJaeger();
    const otlp = { http: jaeger.otlpHttpAddress, grpc: jaeger.otlpGrpcAddress };
    await using mesh = await Mesh.start({ consulUrl: consul.httpAddress, otlp });
    const Config = { protocol: 'http', weft_trace_sampling_percent: 100 };
    await mesh.registryPut('/v1/config', { Kind: 'proxy-defaults', Name: 'global', Config });
    const api = { service: 'api', otlpProtocol: 'grpc' } as const;
    await mesh.add({ ...api, instance: 'api-1' });
    const second = await mesh.add({ ...api, instance: 'api-2' });
    await mesh.add({ service: 'next', instance: 'next-1', otlpProtocol: 'grpc' });
    const caller = { service: 'caller', instance: 'caller-1', upstreams: ['api'], otlpProtocol: 'grpc' } as const;
    const port = (await mesh.add(caller)).upstreamPort('api');

    const load = new Load({ port });
    const { byInstance } = load;
    await until('traffic on both instances', () => (byInstance.size === 2 ? true : undefined));
    await mesh.registryPut('/v1/agent/service/deregister/api-2', '');
    await until('a hundred requests in a row past the instance that left', async () => {
      const before = byInstance.get('api-2');
      await load.more(100);
      return byInstance.get('api-2') === before ? true : undefined;
    });
    await second.register();
    const before = byInstance.get('api-2') ?? 0;
    await until('traffic on the instance that came back', () =>
      (byInstance.get('api-2') ?? 0) > before ? true : undefined,
    );
    await mesh.registryPut('/v1/config', {
      Kind: 'service-router',
      Name: 'api',
      Routes: [{ Match: { HTTP: { PathPrefix: '/next/' } }, Destination: { Service: 'next', PrefixRewrite: '/' } }],
    });
    const routed = await until('the route', async () => {
      const { origin } = await ask({ port, path: '/next/things' });
      return origin.instance === 'next-1' ? origin : undefined;
    });
    expect(routed.url).toBe('/things');
    await load.stop();
    expect(load.failures).toEqual([]);
    expect((await mesh.overview()).problems).toEqual([]);

    const trace = await until('the trace of the routed call', async () => {
      const traces = await tracesOf(jaeger.queryAddress, 'next');
      return traces.find(({ spans }) => spans.length === 2);
    });
    expect(callTree(trace.spans)).toEqual(['caller client', '  next server']);
    const client = trace.spans.find(({ kind }) => kind === 'client');
    expect(client?.tags.get('weft.cluster')).toMatch(/^next\.default\.dc1\.internal\./);
  });
});

function startOf({ spans }: JaegerTrace): bigint {
  const [earliest = 0n] = spans.map(({ startNs }) => startNs).sort((a, b) => Number(a - b));
  return earliest;
}

/** The names of all services in Consul. */
async function leftBehind(consulUrl: string): Promise<readonly string[]> {
  const services: unknown = await (await fetch(`${consulUrl}/v1/catalog/services`)).json();
  return Object.keys(services as object);
}
