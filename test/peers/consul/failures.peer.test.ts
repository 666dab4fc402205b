import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { ask } from '../../mesh/support/exchange.ts';
import { Load } from '../../mesh/support/load.ts';
import { until } from '../../mesh/support/waiting.ts';
import { type ConsulAgent, startConsul, startConsulCluster } from '../support/consul.ts';
import { describeWithPeer } from '../support/peer.ts';
import { ConsulMesh } from './consul-mesh.ts';

/** How long Consul is gone; `WEFT_CONSUL_OUTAGE_SECONDS` makes both shorter or longer. */
const outageMs = (usualSeconds: number): number =>
  Number(process.env['WEFT_CONSUL_OUTAGE_SECONDS'] ?? usualSeconds) * 1_000;
const HANGS_MS = outageMs(15);
const GONE_MS = outageMs(60);
/** What is promised: from the first answer of a Consul that is back to a mesh that follows it again. */
const RECOVERY_MS = 5_000;
/** An answer older than this is from before an outage that cut connections: all must have been asked for again. */
const OLDEST_SECONDS = 10;
const NOTICE_WITHIN_MS = 30_000;
const TEST_MS = 120_000 + 2 * GONE_MS;

describeWithPeer('consul', 'a real Consul that fails under load', () => {
  test(
    'that hangs: no request fails, the console says so, and its return is followed',
    async () => {
      await using consul = await startConsul();
      await using mesh = await ConsulMesh.start({ consulUrls: [consul.httpAddress], agentUrl: consul.httpAddress });
      const load = new Load({ port: mesh.upstreamPort, pauseMs: 20 });
      await load.more(100);
      consul.signal('SIGSTOP');
      await outage(mesh, load, HANGS_MS);
      consul.signal('SIGCONT');
      await recovery(mesh, consul);
      await newInstanceIsUsed(mesh, load);
      await load.stop();
      expect(load.failures).toEqual([]);
    },
    TEST_MS,
  );

  test(
    'that is killed and started again: no request fails, the console says so, and its return is followed',
    async () => {
      // On disk, so that it comes back with what it knew.
      await using cluster = await startConsulCluster(1);
      const [consul] = cluster.servers;
      if (consul === undefined) throw new Error('a cluster of one has a server');
      await using mesh = await ConsulMesh.start({ consulUrls: [consul.httpAddress], agentUrl: consul.httpAddress });
      const load = new Load({ port: mesh.upstreamPort, pauseMs: 20 });
      await load.more(100);
      await consul.crash();
      await outage(mesh, load, GONE_MS);
      await consul.start();
      await recovery(mesh, consul, OLDEST_SECONDS);
      await newInstanceIsUsed(mesh, load);
      await load.stop();
      expect(load.failures).toEqual([]);
    },
    TEST_MS,
  );

  test(
    'of three servers that loses its leader: no request fails, and the mesh follows the next one',
    async () => {
      await using cluster = await startConsulCluster(3);
      const leader = await until('a leader', () => cluster.leader());
      const followers = cluster.servers.filter((server) => server !== leader);
      const [agent] = followers;
      if (agent === undefined) throw new Error('a cluster of three has followers');
      // The one that will die is the one that the control server asks.
      const consulUrls = [leader, ...followers].map(({ httpAddress }) => httpAddress);
      await using mesh = await ConsulMesh.start({ consulUrls, agentUrl: agent.httpAddress });
      const load = new Load({ port: mesh.upstreamPort, pauseMs: 20 });
      await load.more(100);
      await leader.crash();
      await until(
        'another leader',
        async () => {
          const next = await cluster.leader(agent.httpAddress);
          return next === undefined || next === leader ? undefined : next;
        },
        NOTICE_WITHIN_MS,
      );
      await recovery(mesh, agent);
      await newInstanceIsUsed(mesh, load);
      await leader.start();
      await load.more(200);
      await load.stop();
      expect(load.failures).toEqual([]);
    },
    TEST_MS,
  );

  test(
    'whose older snapshot is restored: no request fails, and what it says and what is written after it are followed',
    async () => {
      await using cluster = await startConsulCluster(1);
      const [consul] = cluster.servers;
      if (consul === undefined) throw new Error('a cluster of one has a server');
      await using mesh = await ConsulMesh.start({ consulUrls: [consul.httpAddress], agentUrl: consul.httpAddress });
      const load = new Load({ port: mesh.upstreamPort, pauseMs: 20 });
      await load.more(100);
      const snapshotUrl = `${consul.httpAddress}/v1/snapshot`;
      const saved = await (await fetch(snapshotUrl)).arrayBuffer();
      const route = { Match: { HTTP: { PathPrefix: '/next/' } }, Destination: { PrefixRewrite: '/' } };
      const arrivesAs = (url: string): Promise<true> =>
        until(
          `/next/things as ${url}`,
          async () => {
            const { origin } = await ask({ port: mesh.upstreamPort, path: '/next/things' });
            return origin.url === url ? true : undefined;
          },
          NOTICE_WITHIN_MS,
        );
      // Many changes, so that the index falls far.
      for (let at = 0; at < 20; at += 1) {
        await mesh.put('/v1/config', { Kind: 'service-router', Name: 'api', Meta: { at: `${at}` }, Routes: [route] });
      }
      await arrivesAs('/things');
      const restored = await fetch(snapshotUrl, { method: 'PUT', body: saved });
      expect(restored.status, await restored.text()).toBe(200);
      await arrivesAs('/next/things');
      await recovery(mesh, consul);
      await mesh.put('/v1/config', { Kind: 'service-router', Name: 'api', Routes: [route] });
      await arrivesAs('/things');
      await load.more(100);
      await load.stop();
      expect(load.failures).toEqual([]);
    },
    TEST_MS,
  );
});

/** Lasts as long as it should, and is seen: the link is down, and every watch is stale and says how old its answer is. */
async function outage(mesh: ConsulMesh, load: Load, durationMs: number): Promise<void> {
  const beganAtMs = performance.now();
  await until(
    'the console to say that Consul is gone',
    async () => {
      const { consul } = await mesh.overview();
      if (consul.state !== 'down' || consul.error === undefined) return undefined;
      return consul.watches.every(({ state }) => state === 'stale') ? true : undefined;
    },
    NOTICE_WITHIN_MS,
  );
  expect(await mesh.metric('weft_consul_up')).toBe(0);
  await delay(Math.max(0, durationMs - (performance.now() - beganAtMs)));
  await load.more(100);
  const { consul } = await mesh.overview();
  expect(consul.state).toBe('down');
  expect(consul.watches.length).toBeGreaterThan(5);
  for (const { key, ageSeconds } of consul.watches) {
    expect(ageSeconds, key).toBeGreaterThanOrEqual(Math.floor(durationMs / 1_000) - 1);
  }
}

/** From the first answer of Consul itself until the control server's link is up and no watch is in trouble. What hung goes on waiting. */
async function recovery(mesh: ConsulMesh, consul: ConsulAgent, oldestSeconds = Infinity): Promise<void> {
  await until(
    'Consul itself',
    async () => {
      const answer = await fetch(`${consul.httpAddress}/v1/catalog/services`, { signal: AbortSignal.timeout(2_000) });
      await answer.text();
      return answer.ok ? true : undefined;
    },
    NOTICE_WITHIN_MS,
  );
  const backAtMs = performance.now();
  await until(
    'a control server that follows Consul again',
    async () => {
      const { consul: seen } = await mesh.overview();
      const troubled = seen.watches.filter(
        ({ state, ageSeconds = 0 }) => state === 'failing' || state === 'stale' || ageSeconds > oldestSeconds,
      );
      if (seen.state !== 'up' || troubled.length > 0) throw new Error(JSON.stringify({ state: seen.state, troubled }));
      return true;
    },
    NOTICE_WITHIN_MS,
  );
  const tookMs = Math.round(performance.now() - backAtMs);
  process.stderr.write(`Consul's return to the mesh's: ${tookMs} ms\n`);
  expect(tookMs).toBeLessThanOrEqual(RECOVERY_MS);
}

/** What is registered now is obeyed. */
async function newInstanceIsUsed(mesh: ConsulMesh, load: Load): Promise<void> {
  await mesh.addApi('api-2');
  await until('traffic on the new instance', () => load.byInstance.get('api-2'), NOTICE_WITHIN_MS);
  await load.more(100);
}
