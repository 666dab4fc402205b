import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Logs } from '../telemetry/log/log.ts';
import { FakeConsul } from './consul/testing/fake-consul.ts';
import { type ControlOptions, type RunningControl, startControl } from './control.ts';
import { AdsProbe } from './testing/ads-probe.ts';
import { fillConsul, SCRIPTED_PROXY, writeHealth } from './testing/scripted-consul.ts';

const until = (check: () => void | Promise<void>): Promise<void> =>
  vi.waitFor(check, { timeout: 15_000, interval: 10 });
const assignment = (service: string): string => `${service}.default.dc1.internal.mesh.consul`;
const ROUTED = {
  Kind: 'service-router',
  Name: 'api',
  ModifyIndex: 1,
  Routes: [{ Match: { HTTP: { PathPrefix: '/old' } } }],
};

let folder: string;
let fake: FakeConsul;
let control: RunningControl;
let probe: AdsProbe;

async function start(mutualTls: ControlOptions['mutualTls'] = 'off'): Promise<void> {
  const log = new Logs({ level: 'silent', format: 'json' }).root;
  const consul = { addresses: [fake.address] };
  control = await startControl({
    ...{ consul, log, xdsPort: 0, consolePort: 0 },
    ...{ requireConsul: true, stateFolder: folder, mutualTls },
  });
  probe = new AdsProbe(control.xdsPort, SCRIPTED_PROXY, true);
}

async function stop(): Promise<void> {
  probe.stop();
  await control.stop();
}

const get = async (path: string): Promise<string> =>
  (await fetch(`http://127.0.0.1:${control.consolePort}${path}`)).text();
const routesOfApi = (): string => JSON.stringify(probe.routes().get('api'));

async function configured(): Promise<void> {
  await until(() => {
    expect([...probe.routes().keys()].sort()).toEqual(['api', 'db']);
    expect(probe.endpoints(assignment('api'))).toEqual(['127.0.0.1:1 HEALTHY']);
  });
}

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'weft-restart-'));
  fake = await FakeConsul.start();
  fillConsul(fake);
  await start();
  await configured();
});

afterEach(async () => {
  await stop();
  await fake.stop();
  rmSync(folder, { recursive: true });
});

describe('a control server that starts again', () => {
  test('serves what it knew while Consul is away, says that it is old, and follows Consul when it is back', async () => {
    const before = probe.versions();
    const { port } = fake;
    await stop();
    await fake.stop();
    await start();
    await configured();
    expect(probe.versions()).toEqual(before);
    await until(async () => expect(await get('/ready')).toBe('DEGRADED\n'));
    const overview = JSON.parse(await get('/api/overview'));
    expect(overview.consul.state).toBe('down');
    expect(overview.consul.watches.map(({ state }: { state: string }) => state)).not.toContain('current');

    fake = await FakeConsul.start(port);
    fillConsul(fake);
    writeHealth(fake, 'api', 7);
    await until(() => expect(probe.endpoints(assignment('api'))).toEqual(['127.0.0.1:7 HEALTHY']));
    await until(async () => expect(await get('/ready')).toBe('LIVE\n'));
  });

  test('keeps the last good form of an entry that cannot be read, also while Consul answers', async () => {
    fake.set('/v1/config/service-router', [ROUTED]);
    await until(() => expect(routesOfApi()).toContain('/old'));
    const Match = { HTTP: { PathRegex: '(' } };
    fake.set('/v1/config/service-router', [{ ...ROUTED, ModifyIndex: 2, Routes: [{ Match }] }]);
    await until(async () => expect(await get('/api/overview')).toContain('service-router/api (ModifyIndex 2)'));
    for (const time of ['first', 'second']) {
      await stop();
      await start();
      await configured();
      expect(routesOfApi(), time).toContain('/old');
    }
  });

  test('keeps a part that cannot be translated at its last good form, until it can be', async () => {
    fake.set('/v1/config/service-router', [ROUTED]);
    await until(() => expect(routesOfApi()).toContain('/old'));
    const splitter = (Name: string, Service: string): object => ({
      ...{ Kind: 'service-splitter', Name, ModifyIndex: 2 },
      Splits: [{ Weight: 100, Service }],
    });
    fake.set('/v1/config/service-splitter', [splitter('api', 'x'), splitter('x', 'api')]);
    await until(async () => expect(await get('/api/overview')).toContain('service-splitter/api (ModifyIndex 2)'));
    for (const time of ['first', 'second']) {
      await stop();
      await start();
      await configured();
      expect(routesOfApi(), time).toContain('/old');
    }
    fake.set('/v1/config/service-splitter', []);
    fake.set('/v1/config/service-router', []);
    await until(() => expect(routesOfApi()).not.toContain('/old'));
  });

  test('takes no part that was kept in plaintext into a mesh with mutual TLS', async () => {
    const splitter = (Name: string, Service: string): object => ({
      ...{ Kind: 'service-splitter', Name, ModifyIndex: 2 },
      Splits: [{ Weight: 100, Service }],
    });
    fake.set('/v1/config/service-splitter', [splitter('api', 'x'), splitter('x', 'api')]);
    await until(async () => expect(await get('/api/overview')).toContain('service-splitter/api (ModifyIndex 2)'));
    await stop();
    await start('strict');
    await until(() => expect([...probe.routes().keys()]).toEqual(['db']));
    await stop();
    await start();
    await configured();
  });

  test('with nothing known and without Consul does not start', async () => {
    await fake.stop();
    const log = new Logs({ level: 'silent', format: 'json' }).root;
    const options = { consul: { addresses: [fake.address] }, log, xdsPort: 0, consolePort: 0, requireConsul: true };
    await expect(startControl({ ...options, stateFolder: join(folder, 'other') })).rejects.toThrow(
      'is a Consul agent running there?',
    );
    fake = await FakeConsul.start();
  });
});
