import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Logs } from '../telemetry/log/log.ts';
import { FakeConsul } from './consul/testing/fake-consul.ts';
import { type RunningControl, startControl } from './control.ts';
import { AdsProbe } from './testing/ads-probe.ts';
import { fillConsul, SCRIPTED_PROXY as ID, writeHealth, writeRegistration } from './testing/scripted-consul.ts';

const until = (check: () => void | Promise<void>): Promise<void> =>
  vi.waitFor(check, { timeout: 10_000, interval: 10 });
const assignment = (service: string): string => `${service}.default.dc1.internal.mesh.consul`;

let fake: FakeConsul;
let control: RunningControl;
let probe: AdsProbe;

const setRegistration = (...upstreams: readonly (readonly [string, number])[]): void =>
  writeRegistration(fake, ...upstreams);
const setHealth = (service: string, ...ports: readonly number[]): void => writeHealth(fake, service, ...ports);

async function problems(): Promise<readonly string[]> {
  const response = await fetch(`http://127.0.0.1:${control.consolePort}/api/overview`);
  const overview = (await response.json()) as { readonly problems: readonly { where: string; message: string }[] };
  return overview.problems.map(({ where, message }) => `${where}: ${message}`);
}

beforeEach(async () => {
  fake = await FakeConsul.start();
  fillConsul(fake);
  const log = new Logs({ level: 'silent', format: 'json' }).root;
  control = await startControl({ consul: { addresses: [fake.address] }, xdsPort: 0, consolePort: 0, log });
  probe = new AdsProbe(control.xdsPort, ID, true);
  await until(() => expect([...probe.routes().keys()].sort()).toEqual(['api', 'db']));
});

afterEach(async () => {
  probe.stop();
  await control.stop();
  await fake.stop();
});

describe('one part in trouble', () => {
  test('a faulty entry holds that upstream at its last good form, while the others move', async () => {
    const Routes = [{ Match: { HTTP: { PathPrefix: '/old' } } }];
    fake.set('/v1/config/service-router', [{ Kind: 'service-router', Name: 'api', ModifyIndex: 1, Routes }]);
    await until(() => expect(JSON.stringify(probe.routes().get('api'))).toContain('/old'));
    const circle = { Kind: 'service-splitter', Name: 'api', ModifyIndex: 2, Splits: [{ Weight: 100, Service: 'x' }] };
    const back = { Kind: 'service-splitter', Name: 'x', ModifyIndex: 3, Splits: [{ Weight: 100, Service: 'api' }] };
    fake.set('/v1/config/service-splitter', [circle, back]);
    setHealth('db', 3);
    await until(() => expect(probe.endpoints(assignment('db'))).toEqual(['127.0.0.1:3 HEALTHY']));
    await until(async () =>
      expect((await problems()).join()).toContain('service-splitter/api (ModifyIndex 2): detected circular reference'),
    );
    expect(JSON.stringify(probe.routes().get('api'))).toContain('/old');
    fake.set('/v1/config/service-splitter', []);
    fake.set('/v1/config/service-router', []);
    await until(() => expect(JSON.stringify(probe.routes().get('api'))).not.toContain('/old'));
    expect(await problems()).toEqual([]);
  });

  test('an upstream whose health was never readable waits, and what is known goes out', async () => {
    setRegistration(['api', 9191], ['db', 9192], ['denied', 9193], ['late', 9194]);
    setHealth('late');
    await until(() => expect(probe.listeners().has('late:127.0.0.1:9194')).toBe(true));
    expect(probe.endpoints(assignment('late'))).toEqual([]);
    expect(probe.listeners().has('denied:127.0.0.1:9193')).toBe(false);
    await until(async () => expect((await problems()).join()).toContain('health of denied in dc1: never read so far'));
    setHealth('denied', 5);
    await until(() => expect(probe.endpoints(assignment('denied'))).toEqual(['127.0.0.1:5 HEALTHY']));
    await until(() => expect(probe.listeners().has('denied:127.0.0.1:9193')).toBe(true));
  });

  test('a route moves to a service only when its endpoints are known', async () => {
    const Routes = [{ Destination: { Service: 'next' } }];
    fake.set('/v1/config/service-router', [{ Kind: 'service-router', Name: 'api', ModifyIndex: 1, Routes }]);
    await until(() =>
      expect(fake.questions.some((question) => question.startsWith('/v1/health/connect/next'))).toBe(true),
    );
    expect(JSON.stringify(probe.routes().get('api'))).not.toContain(assignment('next'));
    setHealth('next', 7);
    await until(() => expect(JSON.stringify(probe.routes().get('api'))).toContain(assignment('next')));
    expect(probe.endpoints(assignment('next'))).toEqual(['127.0.0.1:7 HEALTHY']);
  });

  test('an upstream that is no longer registered goes, with all that was its own', async () => {
    setRegistration(['api', 9191]);
    await until(() => expect([...probe.routes().keys()]).toEqual(['api']));
    await until(() => expect([...probe.assignments().keys()]).toEqual([assignment('api')]));
    expect(probe.listeners().has('db:127.0.0.1:9192')).toBe(false);
  });

  test('a registration that is gone leaves the proxy what it has, and says so', async () => {
    fake.set('/v1/catalog/node-services/n1', { Node: { Node: 'n1', Address: '127.0.0.1' }, Services: [] });
    await until(async () =>
      expect((await problems()).join()).toContain(`proxy ${ID}: left node n1; it keeps what it has`),
    );
    setHealth('api', 8);
    await until(() => expect(probe.endpoints(assignment('api'))).toEqual(['127.0.0.1:8 HEALTHY']));
    expect([...probe.routes().keys()].sort()).toEqual(['api', 'db']);
  });

  test('garbage, refusals and restored indexes change nothing, and are got over', async () => {
    const before = probe.versions();
    for (const fault of [
      { kind: 'garbage' },
      { kind: 'status', status: 403, body: 'Permission denied' },
      { kind: 'truncated' },
    ] as const) {
      fake.fail(fault);
      await until(async () => expect(await watchesInTrouble()).toBeGreaterThan(0));
    }
    fake.resetIndexes();
    fake.fail({ kind: 'none' });
    await until(async () => expect(await watchesInTrouble()).toBe(0));
    expect(probe.versions()).toEqual(before);
    setHealth('api', 9);
    await until(() => expect(probe.endpoints(assignment('api'))).toEqual(['127.0.0.1:9 HEALTHY']));
  });
});

async function watchesInTrouble(): Promise<number> {
  const response = await fetch(`http://127.0.0.1:${control.consolePort}/metrics`);
  return Number(/^weft_consul_watches_troubled (\d+)$/m.exec(await response.text())?.[1]);
}
