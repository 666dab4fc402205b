import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Logs } from '../telemetry/log/log.ts';
import { FakeConsul } from './consul/testing/fake-consul.ts';
import { type RunningControl, startControl } from './control.ts';
import { AdsProbe } from './testing/ads-probe.ts';
import { fillConsul, SCRIPTED_PROXY } from './testing/scripted-consul.ts';

/** What a control server in strict mode makes of a Consul, whatever that says or does not say. */

const until = (check: () => void | Promise<void>): Promise<void> =>
  vi.waitFor(check, { timeout: 20_000, interval: 20 });
const API = 'api.default.dc1.internal.mesh.consul';
const INTENTIONS = '/v1/config/service-intentions';

let fake: FakeConsul;
let control: RunningControl;
let probe: AdsProbe;

beforeEach(async () => {
  fake = await FakeConsul.start();
  fillConsul(fake);
  fake.headers = { 'x-consul-default-acl-policy': 'allow' };
});

afterEach(async () => {
  probe.stop();
  await control.stop();
  await fake.stop();
});

async function start(): Promise<void> {
  const log = new Logs({ level: 'silent', format: 'json' }).root;
  control = await startControl({
    ...{ consul: { addresses: [fake.address] }, xdsPort: 0, consolePort: 0, log, mutualTls: 'strict' },
  });
  probe = new AdsProbe(control.xdsPort, SCRIPTED_PROXY, true);
}

const publicListener = (): string => JSON.stringify(probe.listeners().get('public_listener:127.0.0.1:21000') ?? '');
const problems = async (): Promise<readonly { readonly where: string; readonly message: string }[]> => {
  const response = await fetch(`http://127.0.0.1:${control.consolePort}/api/overview`);
  return ((await response.json()) as { problems: { where: string; message: string }[] }).problems;
};
const entry = (Name: string, source: string): object => ({
  ...{ Kind: 'service-intentions', Name, ModifyIndex: 3 },
  Sources: [{ Name: source, Action: 'deny', Precedence: 9 }],
});

test('an intention changes the public listener of its service, and those of other services nothing', async () => {
  await start();
  await until(() => {
    expect(publicListener()).toContain('"action":"DENY"');
    expect([...probe.routes().keys()].sort()).toEqual(['api', 'db']);
  });
  const before = probe.versions();
  fake.set(INTENTIONS, [entry('stranger', 'cli')]);
  fake.set(INTENTIONS, [entry('stranger', 'cli'), entry('web', 'batch')]);
  await until(() => expect(publicListener()).toContain('intention:batch->web'));
  const touched = Object.entries(probe.versions()).filter(([key, version]) => before[key] !== version);
  expect(touched.map(([key]) => key)).toEqual(['Listener public_listener:127.0.0.1:21000']);
});

test('intentions that Consul will not show let nobody in, by name, until it does', async () => {
  fake.delete(INTENTIONS);
  await start();
  await until(() => expect(publicListener()).toContain('"rules":{}'));
  await until(() => expect(probe.endpoints(API)).toEqual(['127.0.0.1:1 HEALTHY']));
  const found = (await problems()).find(({ where }) => where === 'intentions');
  expect(found?.message).toContain('so sidecars let nobody in');
  fake.set(INTENTIONS, []);
  await until(() => expect(publicListener()).toContain('"action":"DENY"'));
  // Once known they stay, whatever becomes of Consul.
  fake.delete(INTENTIONS);
  await until(async () => expect(JSON.stringify(await watches())).toContain('stale'));
  expect(publicListener()).toContain('"action":"DENY"');
});

async function watches(): Promise<unknown> {
  const response = await fetch(`http://127.0.0.1:${control.consolePort}/api/overview`);
  const overview = (await response.json()) as { consul: { watches: { key: string; state: string }[] } };
  return overview.consul.watches.filter(({ key }) => key === 'config service-intentions');
}

test('a mesh entry that is wrong leaves TLS as it was, and is named', async () => {
  fake.set('/v1/config/mesh', [{ Kind: 'mesh', ModifyIndex: 4, TLS: { Incoming: { TLSMinVersion: 'TLSv1_3' } } }]);
  await start();
  await until(() => expect(publicListener()).toContain('"tlsMinimumProtocolVersion":"TLSv1_3"'));
  fake.set('/v1/config/mesh', [{ Kind: 'mesh', ModifyIndex: 5, TLS: { Incoming: { TLSMinVersion: '1.0' } } }]);
  await until(async () => expect((await problems()).map(({ where }) => where)).toContain('mesh/mesh (ModifyIndex 5)'));
  expect(publicListener()).toContain('"tlsMinimumProtocolVersion":"TLSv1_3"');
});
