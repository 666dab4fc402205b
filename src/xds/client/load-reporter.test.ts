import { afterEach, beforeEach, expect, test } from 'vitest';
import { seededRandom } from '../../base/random.ts';
import { eventually } from '../fakes/eventually.ts';
import { MemorySource } from '../fakes/memory-source.ts';
import { nodeIdentity } from '../fakes/raw-ads-client.ts';
import { startXdsServer, type XdsServer } from '../server/server.ts';
import { type ClusterTotals, LoadReporter } from './load-reporter.ts';

let server: XdsServer;
let nowMs: number;
let totals: ClusterTotals[];
let reporter: LoadReporter;

beforeEach(async () => {
  server = await startXdsServer({ source: new MemorySource(), host: '127.0.0.1', port: 0 });
  nowMs = 0;
  totals = [];
  reporter = new LoadReporter({
    node: nodeIdentity('web-1').node,
    server: () => ({ host: '127.0.0.1', port: server.port }),
    clusters: () => totals,
    clock: { nowMs: () => nowMs, wallMs: () => 0 },
    random: seededRandom(1),
  });
});

afterEach(async () => {
  reporter.stop();
  await server.stop();
});

const total = (issued: number, failed: number, inProgress: number): ClusterTotals => ({
  cluster: 'api',
  serviceName: 'api.default',
  issued,
  successful: issued - failed - inProgress,
  failed,
  dropped: 0,
  inProgress,
});

/** What the server adds up, another of its intervals later. */
function viewLater(): ReturnType<XdsServer['state']['loads']['view']> {
  nowMs += 10_000;
  reporter.tick();
  return server.state.loads.view();
}

test('no stream while no cluster wants it; then what came since the last report, at the interval of the server', async () => {
  reporter.tick();
  expect(server.state.loads.counters.streams).toBe(0);
  totals = [total(10, 2, 3)];
  reporter.tick();
  await eventually(() => server.state.loads.counters.streams).toBe(1);
  await eventually(viewLater).toMatchObject([{ issued: 10, successful: 5, failed: 2, inProgress: 3 }]);
  totals = [total(14, 3, 0)];
  await eventually(viewLater).toEqual([
    { cluster: 'api', issued: 14, successful: 11, failed: 3, dropped: 0, inProgress: 0, reporters: 1 },
  ]);
  totals = [];
  reporter.tick();
  await eventually(() => server.state.loads.counters.streams).toBe(0);
});

test('a server that ends the stream is asked again after a pause', async () => {
  totals = [total(1, 0, 0)];
  reporter.tick();
  await eventually(() => server.state.loads.counters.streams).toBe(1);
  await server.stop();
  await eventually(() => reporter.counters.streamsFailed).toBe(1);
  server = await startXdsServer({ source: new MemorySource(), host: '127.0.0.1', port: 0 });
  reporter.tick();
  expect(server.state.loads.counters.streams).toBe(0);
  nowMs += 60_000;
  reporter.tick();
  await eventually(() => server.state.loads.counters.streams).toBe(1);
});
