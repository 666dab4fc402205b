import { expect, test } from 'vitest';
import { startConsul, startConsulCluster } from './consul.ts';
import { describeWithPeer } from './peer.ts';

describeWithPeer('consul', 'real Consul', () => {
  test('a development agent registers a service and finds it healthy', async () => {
    await using consul = await startConsul();
    await put(`${consul.httpAddress}/v1/agent/service/register`, { Name: 'web', Port: 8080 });
    const entries = await getJson(`${consul.httpAddress}/v1/health/service/web?passing`);
    expect(entries).toMatchObject([{ Service: { Service: 'web', Port: 8080 } }]);
  });

  test('HCL of the test is merged over ours', async () => {
    await using consul = await startConsul({
      hcl: ['datacenter = "east"', 'limits { http_max_conns_per_client = 17 }'],
    });
    const self = await getJson(`${consul.httpAddress}/v1/agent/self`);
    expect(self).toMatchObject({ Config: { Datacenter: 'east' }, DebugConfig: { HTTPMaxConnsPerClient: 17 } });
  });

  test('an agent that cannot start is reported with the end of its log', async () => {
    await expect(startConsul({ hcl: ['no_such_key = 1'] })).rejects.toThrow(
      /consul agent dev ended before it was ready[\s\S]*no_such_key/,
    );
  });

  test('a cluster elects another leader when the first one crashes, and takes it back', async () => {
    await using cluster = await startConsulCluster(3);
    const first = await cluster.leader();
    const survivor = cluster.servers.find((server) => server !== first);
    if (first === undefined || survivor === undefined) throw new Error('a started cluster has a leader');

    await first.crash();
    await expect
      .poll(async () => (await cluster.leader(survivor.httpAddress))?.nodeName, { timeout: 30_000 })
      .not.toBeOneOf([first.nodeName, undefined]);

    await first.start();
    expect(await cluster.leader(first.httpAddress)).toBeDefined();
  });
});

async function put(address: string, body: object): Promise<void> {
  const response = await fetch(address, { method: 'PUT', body: JSON.stringify(body) });
  expect(response.status).toBe(200);
}

async function getJson(address: string): Promise<unknown> {
  return (await fetch(address)).json();
}
