import { expect, test } from 'vitest';
import { configStates, controlFigures, demoReport, reportText } from './demo-report.ts';
import { overviewHtml } from './overview-page.ts';
import { controlChild, planMesh, portsNeeded, registryChild, serviceChild, sidecarChild, sidecarsOf } from './plan.ts';
import { readSampleServiceOptions } from './sample-service-options.ts';
import { SERVICES } from './topology.ts';

const PORTS = { registry: 8500, xds: 18_000, console: 18_080, overview: 18_090 };
const FREE = Array.from({ length: portsNeeded(SERVICES) }, (_, at) => 22_000 + at);

function plan(): ReturnType<typeof planMesh> {
  return planMesh(SERVICES, 'http://127.0.0.1:8500', PORTS, FREE);
}

test('every listener of the plan has a port of its own, and none is left over', () => {
  const { instances, load } = plan();
  const used = [
    ...instances.flatMap(({ options, sidecar }) => [
      options.port,
      options.sidecarPort,
      sidecar.adminPort,
      ...options.upstreams.map((upstream) => upstream.localPort),
    ]),
    ...[load.entryPort, load.registration.sidecarPort, load.sidecar.adminPort],
  ];
  expect(new Set(used).size).toBe(used.length);
  expect(used.length).toBe(FREE.length);
});

test('the topology has five services or more, replicas, a fan-out, a slow one and a flaky one, and calls only what exists', () => {
  expect(SERVICES.length).toBeGreaterThanOrEqual(5);
  const names = new Set(SERVICES.map((spec) => spec.name));
  for (const spec of SERVICES) for (const called of spec.stages.flat()) expect(names).toContain(called);
  expect(SERVICES.some((spec) => spec.instances > 1)).toBe(true);
  expect(SERVICES.some((spec) => spec.stages.some((stage) => stage.length > 1))).toBe(true);
  expect(SERVICES.some((spec) => spec.stages.length > 1)).toBe(true);
  expect(SERVICES.some((spec) => spec.latency.medianMs >= 20)).toBe(true);
  expect(SERVICES.some((spec) => spec.errorRate > 0)).toBe(true);
});

test('what each program is started with is what it accepts', () => {
  const made = plan();
  for (const instance of made.instances) {
    const [command, flag, json] = serviceChild(instance).arguments;
    expect([command, flag]).toEqual(['demo-service', '--options']);
    expect(readSampleServiceOptions(JSON.parse(json ?? ''))).toMatchObject({ name: instance.spec.name });
  }
  expect(registryChild(made)?.arguments).toEqual(['registry', '--port', '8500']);
  expect(registryChild({ ...made, ports: { ...PORTS, registry: undefined } })).toBeUndefined();
  expect(controlChild(made, 'off').arguments).toContain('http://127.0.0.1:8500');
  const [first] = sidecarsOf(made);
  if (first === undefined) throw new Error('the plan has no sidecars');
  expect(sidecarChild(made, first).arguments).toEqual(
    expect.arrayContaining(['--proxy-id', 'storefront-1-sidecar-proxy']),
  );
});

test('services end before their sidecars, those before the control server, the registry last', () => {
  const made = plan();
  const [instance] = made.instances;
  if (instance === undefined) throw new Error('the plan has no instances');
  const phases = [
    serviceChild(instance),
    sidecarChild(made, instance.sidecar),
    controlChild(made, 'off'),
    registryChild(made),
  ];
  expect(phases.map((child) => child?.phase)).toEqual([1, 2, 3, 4]);
});

test('the overview escapes whatever it shows, and says what each sidecar has', () => {
  const made = plan();
  const [first] = sidecarsOf(made);
  const overview = { sidecars: [{ id: first?.proxyId, types: [{ type: 'CDS', sync: '<SYNCED>' }] }] };
  const views = {
    plan: made,
    configStates: async () => configStates(overview),
    loadCounts: () => undefined,
    tracesUrl: 'http://127.0.0.1:1/"><script>',
    recentTraces: () => [
      {
        traceId: 'abc',
        rootName: '<img src=x>',
        rootService: 'web',
        services: [],
        spans: 3,
        startUnixMs: 0,
        durationMs: 1.5,
        errors: 0,
        concurrent: true,
      },
    ],
  };
  const html = overviewHtml(views, configStates(overview));
  expect(html).toContain('CDS &lt;SYNCED&gt;');
  expect(html).toContain('not connected');
  expect(html).not.toContain('<script>');
  expect(html).not.toContain('<img');
  expect(html).toContain('&lt;img src=x&gt;');
});

test('the report carries the figures that scripts read', () => {
  const load = {
    total: 10,
    failed: 1,
    appErrors: 2,
    skipped: 0,
    inFlight: 0,
    lastFailures: ['web: 503'],
    p50Ms: 1,
    p99Ms: 9,
  };
  const control = controlFigures({ sidecars: [{}, {}], xds: { acknowledged: 7, rejected: 0 } });
  const report = demoReport(load, 8, control, { exported: 40, maxSpansInOne: 12, concurrent: 3 });
  expect(report).toMatchObject({
    requests: { total: 10, failed: 1, appErrors: 2 },
    services: 8,
    sidecars: 2,
    xds: { acked: 7, nacked: 0 },
    traces: { exported: 40, maxSpansInOne: 12, concurrent: 3 },
    latency: { p50Ms: 1, p99Ms: 9 },
  });
  expect(reportText(report)).toContain('failed     web: 503');
  expect(controlFigures('nonsense')).toEqual({ sidecars: 0, acked: 0, nacked: 0 });
});
