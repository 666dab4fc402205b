import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { RunningControl } from './control.ts';
import { Mesh } from './testing/mesh.ts';

/** What entries and registrations say that is not done, as the console and the log tell it. */
let mesh: Mesh;
let control: RunningControl;

interface Told {
  readonly where: string;
  readonly message: string;
}

async function problems(): Promise<readonly Told[]> {
  const response = await fetch(`http://127.0.0.1:${control.consolePort}/api/overview`);
  return ((await response.json()) as { readonly problems: readonly Told[] }).problems;
}

const told = (where: string, message: string): unknown =>
  expect.objectContaining({
    where: expect.stringMatching(where) as string,
    message: expect.stringContaining(message) as string,
  });

async function expectTold(where: string, message: string): Promise<void> {
  await vi.waitFor(async () => expect(await problems()).toContainEqual(told(where, message)), {
    timeout: 15_000,
    interval: 20,
  });
  await vi.waitFor(() =>
    expect(
      mesh.logLines.some((line) => new RegExp(where).test(line) && line.includes(JSON.stringify(message).slice(1, -1))),
    ).toBe(true),
  );
}

beforeEach(async () => {
  mesh = await Mesh.start();
  await mesh.put('/v1/config', { Kind: 'proxy-defaults', Name: 'global', Config: { protocol: 'http' } });
  control = await mesh.control();
});

afterEach(async () => {
  await mesh.stop();
});

test('keys of ours that are wrong are named with the kind, the name and the ModifyIndex of their entry', async () => {
  const Config = { protocol: 'http', weft_trace_samplng_percent: 5 };
  await mesh.put('/v1/config', { Kind: 'proxy-defaults', Name: 'global', Config });
  await mesh.put('/v1/config', { Kind: 'service-resolver', Name: 'api', Meta: { weft_num_retries: '99' } });
  await mesh.register('web', 8080, [['api', 9191, { weft_lb_polcy: 'random' }]]);
  mesh.connect(control, 'web-8080-sidecar-proxy');
  await expectTold('proxy-defaults/global \\(ModifyIndex \\d+\\)', 'unknown key "weft_trace_samplng_percent"');
  await expectTold('service-resolver/api \\(ModifyIndex \\d+\\)', '"weft_num_retries" must be');
  await expectTold('registration web-8080-sidecar-proxy: upstream api', 'unknown key "weft_lb_polcy"');
});

test('fields that are not obeyed are named with their entry, and those of a registration with its id', async () => {
  await mesh.put('/v1/config', { Kind: 'service-defaults', Name: 'api', ExternalSNI: 'api.example' });
  await mesh.register('web', 8080, [['api', 9191]], {});
  await mesh.put('/v1/agent/service/register', {
    Name: 'shop',
    ID: 'shop-1',
    Port: 8090,
    Connect: { SidecarService: { Port: 18_090, Address: '127.0.0.1', Proxy: { Mode: 'transparent' } } },
  });
  mesh.connect(control, 'shop-1-sidecar-proxy');
  await expectTold('service-defaults/api \\(ModifyIndex \\d+\\)', 'ExternalSNI: "api.example" is not obeyed');
  await expectTold('registration shop-1-sidecar-proxy on node', '"proxy.mode = transparent" is not obeyed');
});
