import { expect, test } from 'vitest';
import { type RunningControl, startControl } from '../../../src/control/control.ts';
import { AdsProbe } from '../../../src/control/testing/ads-probe.ts';
import { Logs } from '../../../src/telemetry/log/log.ts';
import { until } from '../../mesh/support/waiting.ts';
import { type ConsulAgent, startConsul } from '../support/consul.ts';
import { describeWithPeer } from '../support/peer.ts';

describeWithPeer('consul', 'health as a real Consul tells it', () => {
  test('every state of an instance becomes what a proxy is told, with weights, addresses and locality', async () => {
    await using consul = await startConsul();
    const put = (path: string, body: unknown = ''): Promise<void> => putTo(consul, path, body);
    const log = new Logs({ level: 'silent', format: 'json' }).root;
    const control = await startControl({
      consul: { addresses: [consul.httpAddress] },
      xdsPort: 0,
      consolePort: 0,
      log,
    });
    const probe = new AdsProbe(control.xdsPort, 'web-1-sidecar-proxy', true);
    try {
      await put('/v1/agent/service/register', apiOn('api-1', 21_001));
      const elsewhere = {
        Locality: { Region: 'r1', Zone: 'z1' },
        // For other datacenters alone.
        TaggedAddresses: { wan: { Address: '203.0.113.2', Port: 1 } },
      };
      await put('/v1/agent/service/register', apiOn('api-2', 21_002, undefined, elsewhere));
      await put('/v1/config', {
        Kind: 'service-resolver',
        Name: 'api',
        Subsets: { strict: { OnlyPassing: true } },
      });
      await put('/v1/config', {
        Kind: 'service-resolver',
        Name: 'picky',
        Redirect: { Service: 'api', ServiceSubset: 'strict' },
      });
      await put('/v1/agent/service/register', {
        ...{ Name: 'web', ID: 'web-1', Address: '127.0.0.1', Port: 1 },
        Connect: {
          SidecarService: {
            Port: 21_000,
            Proxy: {
              Upstreams: [
                { DestinationName: 'api', LocalBindPort: 9191 },
                { DestinationName: 'picky', LocalBindPort: 9192 },
              ],
            },
          },
        },
      });
      const told = (wanted: readonly string[], name = /^api\./): Promise<unknown> =>
        until(`${name.source} to be ${wanted.join()}`, () => {
          const now = endpointsOf(probe, name);
          if (JSON.stringify(now) === JSON.stringify(wanted)) return true;
          throw new Error(now.join());
        });

      await told(['127.0.0.1:21001 HEALTHY 10', '127.0.0.1:21002 HEALTHY 10']);
      await told(['127.0.0.1:21001 HEALTHY 10', '127.0.0.1:21002 HEALTHY 10'], /^strict\.api\./);
      const localities = [...probe.assignments()].find(([name]) => name.startsWith('api.'))?.[1]['endpoints'];
      expect(localities).toMatchObject([{ locality: {} }, { locality: { region: 'r1', zone: 'z1' } }]);
      await put('/v1/agent/check/warn/ttl:api-1');
      await told(['127.0.0.1:21001 HEALTHY 3', '127.0.0.1:21002 HEALTHY 10']);
      await told(['127.0.0.1:21001 UNHEALTHY 3', '127.0.0.1:21002 HEALTHY 10'], /^strict\.api\./);
      expect(await healthIsStreamed(control)).toBe(true);
      await put('/v1/agent/check/fail/ttl:api-1');
      await told(['127.0.0.1:21001 UNHEALTHY 10', '127.0.0.1:21002 HEALTHY 10']);
      await put('/v1/agent/check/pass/ttl:api-1');
      await told(['127.0.0.1:21001 HEALTHY 10', '127.0.0.1:21002 HEALTHY 10']);

      await put('/v1/agent/service/maintenance/api-2-sidecar-proxy?enable=true&reason=moving');
      await told(['127.0.0.1:21001 HEALTHY 10', '127.0.0.1:21002 UNHEALTHY 10']);
      await put('/v1/agent/service/maintenance/api-2-sidecar-proxy?enable=false');
      await told(['127.0.0.1:21001 HEALTHY 10', '127.0.0.1:21002 HEALTHY 10']);
      await put('/v1/agent/maintenance?enable=true');
      await told(['127.0.0.1:21001 UNHEALTHY 10', '127.0.0.1:21002 UNHEALTHY 10']);
      await put('/v1/agent/maintenance?enable=false');
      await told(['127.0.0.1:21001 HEALTHY 10', '127.0.0.1:21002 HEALTHY 10']);

      await put('/v1/agent/service/register', apiOn('api-1', 21_001, { Passing: 200, Warning: 0 }));
      await told(['127.0.0.1:21001 HEALTHY 128', '127.0.0.1:21002 HEALTHY 10']);
      await put('/v1/agent/check/warn/ttl:api-1');
      await told(['127.0.0.1:21001 UNHEALTHY 1', '127.0.0.1:21002 HEALTHY 10']);
      await put('/v1/agent/service/deregister/api-1');
      await told(['127.0.0.1:21002 HEALTHY 10']);
      await put('/v1/agent/service/deregister/api-2');
      await told([]);
      expect((await overview(control)).problems).toEqual([]);
    } finally {
      probe.stop();
      await control.stop();
    }
  });
});

function apiOn(id: string, port: number, weights = { Passing: 10, Warning: 3 }, sidecar: object = {}): object {
  return {
    ...{ Name: 'api', ID: id, Address: '127.0.0.1', Port: 1 },
    Connect: {
      SidecarService: {
        Port: port,
        Weights: weights,
        ...sidecar,
        Checks: [{ CheckID: `ttl:${id}`, Name: id, TTL: '10m', Status: 'passing' }],
      },
    },
  };
}

function endpointsOf(probe: AdsProbe, pattern: RegExp): readonly string[] {
  return probe.weightedEndpoints([...probe.assignments().keys()].find((name) => pattern.test(name)) ?? '');
}

async function putTo(consul: ConsulAgent, path: string, body: unknown): Promise<void> {
  const response = await fetch(`${consul.httpAddress}${path}`, {
    method: 'PUT',
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(10_000),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`PUT ${path}: ${response.status} ${text}`);
}

interface SeenOverview {
  readonly problems: unknown;
  readonly consul: { readonly watches: readonly { readonly key: string; readonly streamed: boolean }[] };
}

async function overview(control: RunningControl): Promise<SeenOverview> {
  const response = await fetch(`http://127.0.0.1:${control.consolePort}/api/overview`);
  return (await response.json()) as SeenOverview;
}

async function healthIsStreamed(control: RunningControl): Promise<boolean> {
  const { watches } = (await overview(control)).consul;
  return watches.some(({ key, streamed }) => key.startsWith('health api') && streamed);
}
