import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ChildProgram } from './support/child-program.ts';
import { ask } from './support/exchange.ts';
import { Load } from './support/load.ts';
import { type Instance, Mesh } from './support/mesh.ts';
import { until } from './support/waiting.ts';

/** Enough that many requests meet a dead instance at the same moment: limits on retries must not fail them. */
const CALLERS = 20;

let mesh: Mesh;
let caller: Instance;
let firstApi: Instance;
let thirdApi: Instance;
let load: Load | undefined;

/** `caller` calls `api`, of which two instances run; applications are processes that can be killed. */
beforeAll(async () => {
  mesh = await Mesh.start();
  await mesh.registryPut('/v1/config', { Kind: 'proxy-defaults', Name: 'global', Config: { protocol: 'http' } });
  [firstApi] = await Promise.all([
    mesh.add({ service: 'api', instance: 'api-1', ownProcess: true, delayMs: 2 }),
    mesh.add({ service: 'api', instance: 'api-2', ownProcess: true, delayMs: 2 }),
  ]);
  caller = await mesh.add({ service: 'caller', instance: 'caller-1', upstreams: ['api'] });
}, 60_000);

afterAll(async () => {
  await load?.stop();
  await mesh?.[Symbol.asyncDispose]();
});

describe('under load', () => {
  test('an instance that dies costs only what it was working on, and one that comes gets its share', async () => {
    load = new Load({ port: caller.upstreamPort('api'), callers: CALLERS });
    await load.more(300);
    expect([...load.byInstance.keys()].sort()).toEqual(['api-1', 'api-2']);

    // First the application alone, behind a sidecar that goes on; then the sidecar too.
    if (!(firstApi.app instanceof ChildProgram)) throw new Error('the application has a process of its own');
    await firstApi.app.kill();
    const appDiedAtMs = performance.now();
    await load.more(500);
    await firstApi.sidecar.kill();
    const sidecarDiedAtMs = performance.now();
    await load.more(500);

    thirdApi = await mesh.add({ service: 'api', instance: 'api-3', ownProcess: true, delayMs: 2 });
    const { byInstance } = load;
    await until('traffic on the new instance', () => byInstance.get('api-3'), 30_000);
    await load.more(300);
    await load.stop();

    const inFlightAtADeath = load.failures.filter(({ sentAtMs, failedAtMs }) =>
      [appDiedAtMs, sidecarDiedAtMs].some((diedAtMs) => sentAtMs <= diedAtMs && failedAtMs >= diedAtMs - 1_000),
    );
    expect(load.failures.filter((failure) => !inFlightAtADeath.includes(failure))).toEqual([]);
    expect(inFlightAtADeath.length).toBeLessThanOrEqual(2 * CALLERS);
  });

  test('an instance that leaves the registry and comes back costs nothing', async () => {
    load = new Load({ port: caller.upstreamPort('api'), callers: CALLERS });
    const { byInstance } = load;
    await load.more(300);
    await mesh.registryPut('/v1/agent/service/deregister/api-3', '');
    await until('a hundred requests in a row past the instance that left', async () => {
      const before = byInstance.get('api-3');
      await load?.more(300);
      return byInstance.get('api-3') === before ? true : undefined;
    });
    const before = byInstance.get('api-3') ?? 0;
    const registeredAtMs = performance.now();
    await thirdApi.register();
    await until('traffic on the instance that came back', () =>
      (byInstance.get('api-3') ?? 0) > before ? true : undefined,
    );
    // Told, not asserted: how long it takes is the machine's business too.
    process.stderr.write(`registration to first request: ${Math.round(performance.now() - registeredAtMs)} ms\n`);
    await load.stop();
    expect(load.failures).toEqual([]);
  });

  test('an instance that is stopped finishes what it has, and costs nothing', async () => {
    load = new Load({ port: caller.upstreamPort('api'), callers: CALLERS });
    const { byInstance } = load;
    await until('traffic on the instance', () => byInstance.get('api-3'));
    expect(await thirdApi.sidecar.stop()).toEqual({ code: 0, signal: null });
    await load.more(300);
    await load.stop();
    expect(load.failures).toEqual([]);
    await thirdApi.restartSidecar();
  });

  test('the control server killed and started again costs nothing', async () => {
    load = new Load({ port: caller.upstreamPort('api'), callers: CALLERS });
    await load.more(300);
    await mesh.control.kill();
    await load.more(500);
    await mesh.restartControl();
    await until('all sidecars back at the control server', async () =>
      (await mesh.overview()).sidecars.length >= 3 ? true : undefined,
    );
    await load.more(300);
    await load.stop();
    expect(load.failures).toEqual([]);
    expect((await mesh.overview()).xds.rejected).toBe(0);
  });
});

test('a sidecar that starts while the control server is dead serves from its last good configuration', async () => {
  await mesh.control.kill();
  await caller.sidecar.kill();
  await caller.restartSidecar();
  const answer = await ask({ port: caller.upstreamPort('api'), headers: { 'x-nonce': 'n' } });
  expect(answer.status, answer.text).toBe(200);
  expect(answer.origin).toMatchObject({ service: 'api', nonce: 'n' });

  // And takes new configuration as soon as there is a control server again.
  await mesh.restartControl();
  await until('the restarted sidecar at the control server', async () => {
    const { sidecars } = await mesh.overview();
    const mine = sidecars.find(({ id }) => id === caller.proxyId);
    return mine !== undefined && mine.types.length >= 3 && mine.types.every(({ sync }) => sync === 'SYNCED')
      ? true
      : undefined;
  });
  const after = await ask({ port: caller.upstreamPort('api') });
  expect(after.status, after.text).toBe(200);
});

test('every program ends with code 0 when it is told to', async () => {
  const programs = [caller.sidecar, mesh.control, mesh.registry].filter((program) => program !== undefined);
  for (const program of programs) expect(await program.stop(), program.output).toEqual({ code: 0, signal: null });
});
