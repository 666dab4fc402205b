import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Logs } from '../telemetry/log/log.ts';
import { FakeConsul } from './consul/testing/fake-consul.ts';
import { type RunningControl, startControl } from './control.ts';
import { AdsProbe } from './testing/ads-probe.ts';

/** What is not concerned costs nothing: told by the counters of what was encoded, and of what was found encoded already. */

const ID = 'web-1-sidecar-proxy';
const UPSTREAMS = ['api', 'db', 'far'] as const;
const until = (check: () => void | Promise<void>): Promise<void> =>
  vi.waitFor(check, { timeout: 10_000, interval: 10 });
const assignment = (service: string): string => `${service}.default.dc1.internal.mesh.consul`;

let fake: FakeConsul;
let control: RunningControl;
let probe: AdsProbe;

function setHealth(service: string, ...ports: readonly number[]): void {
  const rows = ports.map((Port) => ({
    Node: { Node: 'n1', Address: '127.0.0.1' },
    Service: { ID: `${service}-${Port}`, Service: service, Address: '127.0.0.1', Port },
    Checks: [],
  }));
  fake.set(`/v1/health/connect/${service}`, rows);
}

async function counters(): Promise<{ readonly encoded: number; readonly reused: number }> {
  const text = await (await fetch(`http://127.0.0.1:${control.consolePort}/metrics`)).text();
  const value = (name: string): number => Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(text)?.[1]);
  return { encoded: value('weft_resources_encoded_total'), reused: value('weft_resources_reused_total') };
}

/** A control server to which nobody came. */
async function startAlone(): Promise<{ readonly consul: FakeConsul; readonly control: RunningControl }> {
  const consul = await FakeConsul.start();
  consul.set('/v1/status/leader', '127.0.0.1:8300');
  consul.set('/v1/connect/ca/roots', { TrustDomain: 'mesh.consul' });
  const log = new Logs({ level: 'silent', format: 'json' }).root;
  const addresses = [consul.address];
  return { consul, control: await startControl({ consul: { addresses }, xdsPort: 0, consolePort: 0, log }) };
}

beforeEach(async () => {
  fake = await FakeConsul.start();
  fake.set('/v1/status/leader', '127.0.0.1:8300');
  fake.set('/v1/agent/self', { Config: { NodeName: 'n1' } });
  fake.set(`/v1/agent/service/${ID}`, { ID, Kind: 'connect-proxy' });
  fake.set('/v1/connect/ca/roots', { TrustDomain: 'mesh.consul' });
  fake.set('/v1/config/proxy-defaults', [{ Kind: 'proxy-defaults', Name: 'global', Config: { protocol: 'http' } }]);
  for (const kind of ['service-defaults', 'service-router', 'service-splitter', 'service-resolver']) {
    fake.set(`/v1/config/${kind}`, []);
  }
  fake.set('/v1/catalog/node-services/n1', {
    Node: { Node: 'n1', Address: '127.0.0.1', Datacenter: 'dc1' },
    Services: [
      {
        ID,
        Kind: 'connect-proxy',
        Address: '127.0.0.1',
        Port: 21_000,
        Proxy: {
          DestinationServiceName: 'web',
          LocalServicePort: 8080,
          Upstreams: UPSTREAMS.map((DestinationName, at) => ({ DestinationName, LocalBindPort: 9191 + at })),
        },
      },
    ],
  });
  UPSTREAMS.forEach((service, at) => {
    setHealth(service, at + 1);
  });
  const log = new Logs({ level: 'silent', format: 'json' }).root;
  control = await startControl({ consul: { addresses: [fake.address] }, xdsPort: 0, consolePort: 0, log });
  probe = new AdsProbe(control.xdsPort, ID, true);
  await until(() => expect([...probe.routes().keys()].sort()).toEqual([...UPSTREAMS]));
});

afterEach(async () => {
  probe.stop();
  await control.stop();
  await fake.stop();
});

test('only what the connected proxy needs is watched, and before it came, nothing of services', async () => {
  const paths = (asked: readonly string[]): readonly string[] =>
    [...new Set(asked.map((question) => question.split('?')[0] ?? ''))].sort();
  const ofTheMesh = [
    ...['mesh', 'proxy-defaults', 'service-defaults', 'service-resolver', 'service-router', 'service-splitter'].map(
      (kind) => `/v1/config/${kind}`,
    ),
    '/v1/connect/ca/roots',
    '/v1/status/leader',
  ];
  const ofTheProxy = [
    ...['/v1/agent/self', `/v1/agent/service/${ID}`, '/v1/catalog/node-services/n1'],
    '/v1/config/service-intentions',
    ...UPSTREAMS.map((service) => `/v1/health/connect/${service}`),
  ];
  expect(paths(fake.questions)).toEqual([...ofTheMesh, ...ofTheProxy].sort());
  const alone = await startAlone();
  try {
    await until(() => expect(paths(alone.consul.questions)).toEqual(ofTheMesh.toSorted()));
    const metrics = await (await fetch(`http://127.0.0.1:${alone.control.consolePort}/metrics`)).text();
    expect(metrics).toContain('\nweft_consul_watches 7\n');
  } finally {
    await alone.control.stop();
    await alone.consul.stop();
  }
});

test('entries of services that no connected proxy reaches, and endpoints, translate no proxy', async () => {
  const before = await counters();
  fake.set('/v1/config/service-defaults', [{ Kind: 'service-defaults', Name: 'stranger', Protocol: 'grpc' }]);
  // A translation follows its cause by a moment: what one change had cost would show in the rounds after it.
  const ports = [7, 8, 9, 10, 11];
  for (const port of ports) {
    const ConnectTimeout = `${port}s`;
    fake.set('/v1/config/service-resolver', [{ Kind: 'service-resolver', Name: 'stranger', ConnectTimeout }]);
    setHealth('db', port);
    await until(() => expect(probe.endpoints(assignment('db'))).toEqual([`127.0.0.1:${port} HEALTHY`]));
  }
  expect(await counters()).toEqual({ encoded: before.encoded + ports.length, reused: before.reused });
});

test('an entry of one upstream makes that one anew, and the bytes of the others stay', async () => {
  const before = await counters();
  const Routes = [{ Match: { HTTP: { PathPrefix: '/new' } } }];
  fake.set('/v1/config/service-router', [{ Kind: 'service-router', Name: 'api', ModifyIndex: 2, Routes }]);
  await until(() => expect(JSON.stringify(probe.routes().get('api'))).toContain('/new'));
  const after = await counters();
  expect(after.encoded).toBe(before.encoded + 1);
  expect(after.reused).toBeGreaterThan(before.reused);
});

// Nobody answers for the health of "gone": the fake has no document of it.
test('an upstream whose datacenter cannot be asked has the instances of its failover', async () => {
  setHealth('spare', 8);
  fake.set('/v1/config/service-resolver', [
    { Kind: 'service-resolver', Name: 'far', ModifyIndex: 3, Redirect: { Service: 'gone' } },
    { Kind: 'service-resolver', Name: 'gone', ModifyIndex: 4, Failover: { '*': { Service: 'spare' } } },
  ]);
  await until(() => expect(probe.endpoints(`failover~${assignment('gone')}`)).toEqual(['127.0.0.1:8 HEALTHY']));
});
