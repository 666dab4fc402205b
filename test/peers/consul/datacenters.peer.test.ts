import { expect, test } from 'vitest';
import { startControl } from '../../../src/control/control.ts';
import { AdsProbe } from '../../../src/control/testing/ads-probe.ts';
import { Logs } from '../../../src/telemetry/log/log.ts';
import { until } from '../../mesh/support/waiting.ts';
import { startConsul } from '../support/consul.ts';
import { pickFreePorts } from '../support/free-ports.ts';
import { describeWithPeer } from '../support/peer.ts';

const JOINED_WITHIN_MS = 60_000;

describeWithPeer('consul', 'two datacenters of real Consuls', () => {
  test('an upstream in the other one is reached at the WAN addresses of its instances', async () => {
    const { east, west } = await pickFreePorts('east', 'west');
    await using local = await startConsul({ args: ['-datacenter=dc1', `-serf-wan-port=${east}`] });
    const join = `-retry-join-wan=127.0.0.1:${east}`;
    await using remote = await startConsul({
      args: ['-datacenter=dc2', '-node=other', `-serf-wan-port=${west}`, join, '-retry-interval-wan=1s'],
    });
    await until(
      'both datacenters to know each other',
      async () => {
        const reply = await fetch(`${local.httpAddress}/v1/catalog/nodes?dc=dc2`);
        await reply.text();
        return reply.ok ? true : undefined;
      },
      JOINED_WITHIN_MS,
    );
    const upstream = { DestinationName: 'api', Datacenter: 'dc2', LocalBindPort: 9191 };
    await register(local.httpAddress, 'web', { Port: 21_000, Proxy: { Upstreams: [upstream] } });
    const wan = { Address: '127.0.0.1', Port: 21_777 };
    await register(remote.httpAddress, 'api', { Port: 21_001, TaggedAddresses: { wan } });

    const log = new Logs({ level: 'silent', format: 'json' }).root;
    const control = await startControl({ consul: { addresses: [local.httpAddress] }, xdsPort: 0, consolePort: 0, log });
    const probe = new AdsProbe(control.xdsPort, 'web-1-sidecar-proxy', true);
    try {
      const endpoints = (): readonly string[] =>
        probe.endpoints([...probe.assignments().keys()].find((name) => name.startsWith('api.default.dc2.')) ?? '');
      await until('the WAN address', () => (endpoints().join() === '127.0.0.1:21777 HEALTHY' ? true : undefined));
      await until('the listener', () => probe.listeners().has('api?dc=dc2:127.0.0.1:9191') || undefined);
    } finally {
      probe.stop();
      await control.stop();
    }
  });
});

/** One instance with its sidecar, which passes. */
async function register(consulUrl: string, name: string, sidecar: object): Promise<void> {
  const Checks = [{ CheckID: `ttl:${name}`, Name: name, TTL: '10m', Status: 'passing' }];
  const response = await fetch(`${consulUrl}/v1/agent/service/register`, {
    method: 'PUT',
    body: JSON.stringify({
      ...{ Name: name, ID: `${name}-1`, Address: '192.0.2.7', Port: 1 },
      Connect: { SidecarService: { Checks, ...sidecar } },
    }),
    signal: AbortSignal.timeout(10_000),
  });
  expect(response.status, await response.text()).toBe(200);
}
