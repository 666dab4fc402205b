import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { SECRET_TYPE } from '../resource/type-url.ts';
import { Logs } from '../telemetry/log/log.ts';
import { FakeConsul } from './consul/testing/fake-consul.ts';
import { type RunningControl, startControl } from './control.ts';
import { AdsProbe } from './testing/ads-probe.ts';
import { fillConsul, SCRIPTED_PROXY } from './testing/scripted-consul.ts';

/** What a control server in strict mode makes of a Consul, whatever that says or does not say. */

const until = (check: () => void | Promise<void>): Promise<void> =>
  vi.waitFor(check, { timeout: 20_000, interval: 20 });
const LEAF = '/v1/agent/connect/ca/leaf/web';
const pem = (what: string): string => `-----BEGIN ${what}-----\nAAAA\n-----END ${what}-----\n`;
const LEAF_OF_WEB = {
  ...{ Service: 'web', ServiceURI: 'spiffe://mesh.consul/ns/default/dc/dc1/svc/web', SerialNumber: '07' },
  ...{ CertPEM: pem('CERTIFICATE'), PrivateKeyPEM: pem('EC PRIVATE KEY') },
  ...{ ValidAfter: '2026-01-01T00:00:00Z', ValidBefore: '2027-01-01T00:00:00Z' },
};
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

test("the agent's default_intention_policy goes before its policy for tokens, also when it is another one later", async () => {
  const self = (policy: string): object => ({
    Config: { NodeName: 'n1' },
    DebugConfig: { DefaultIntentionPolicy: policy },
  });
  fake.set('/v1/agent/self', self('deny'));
  await start();
  await until(() => expect(publicListener()).toContain('"rules":{}'));
  fake.set('/v1/agent/self', self(''));
  fake.set(INTENTIONS, [entry('stranger', 'cli')]);
  await until(() => expect(publicListener()).toContain('"action":"DENY"'));
});

test('a certificate that cannot be had is waited for, by name; one that was had is kept', async () => {
  await start();
  probe.client.setSubscription(SECRET_TYPE, new Set(['default', 'ROOTCA']));
  const about = async (): Promise<string> =>
    (await problems())
      .filter(({ where }) => where.startsWith('certificate'))
      .map(({ where, message }) => `${where}: ${message}`)
      .join('\n');
  await until(async () => expect(await about()).toContain('certificate of service web: cannot be had'));
  expect(probe.client.resources(SECRET_TYPE).has('default')).toBe(false);
  fake.set(LEAF, LEAF_OF_WEB);
  await until(() => expect(probe.client.resources(SECRET_TYPE).has('default')).toBe(true));
  await until(async () => expect(await about()).toBe(''));
  fake.delete(LEAF);
  await until(async () => expect(await about()).toContain('certificate of service web: is not renewed now'));
  expect(probe.client.resources(SECRET_TYPE).has('default')).toBe(true);
});

test('a mesh entry that is wrong leaves TLS as it was, and is named', async () => {
  fake.set('/v1/config/mesh', [{ Kind: 'mesh', ModifyIndex: 4, TLS: { Incoming: { TLSMinVersion: 'TLSv1_3' } } }]);
  await start();
  await until(() => expect(publicListener()).toContain('"tlsMinimumProtocolVersion":"TLSv1_3"'));
  fake.set('/v1/config/mesh', [{ Kind: 'mesh', ModifyIndex: 5, TLS: { Incoming: { TLSMinVersion: '1.0' } } }]);
  await until(async () => expect((await problems()).map(({ where }) => where)).toContain('mesh/mesh (ModifyIndex 5)'));
  expect(publicListener()).toContain('"tlsMinimumProtocolVersion":"TLSv1_3"');
});
