import { setTimeout as sleep } from 'node:timers/promises';
import { HeldClients } from '../harness/held-clients.ts';
import { type BenchOptions, LOAD_CORE } from '../harness/options.ts';
import { type MemoryUsage, memoryUsage } from '../harness/process-usage.ts';
import { type Footprint, median, type SuiteReport } from '../harness/report.ts';
import { runWrk } from '../harness/wrk.ts';
import { envoyProxy } from '../peers/envoy.ts';
import { haproxyProxy } from '../peers/haproxy.ts';
import { nginxProxy, startNginxOrigin } from '../peers/nginx.ts';
import type { Peer } from '../peers/peer.ts';
import { selectPeers } from '../peers/select-peers.ts';
import { weftProxy } from '../peers/weft.ts';

const CLIENTS = 1_000;
const REQUEST = 'GET / HTTP/1.1\r\nhost: bench\r\n\r\n';
const SETTLE_MS = 2_000;
const WARM_UP_SECONDS = 4;
const PASTS: readonly Footprint['past'][] = ['fresh', 'worked'];

/**
 * Resident and proportional memory of a process without clients, and with 1,000 that have had one answer and stay: once of a
 * process that has only just started, whose first clients also make it compile its code, and once of one that has worked.
 */
export async function memorySuite(options: BenchOptions): Promise<SuiteReport> {
  const origin = await startNginxOrigin(LOAD_CORE);
  try {
    const shape = { kind: 'http1', originPort: origin.port, otlpPort: undefined } as const;
    const { peers, missing } = selectPeers(
      [{ found: true, peer: weftProxy(shape) }, nginxProxy(origin.port), haproxyProxy(origin.port), envoyProxy(shape)],
      options,
    );
    const samples = new Map<string, Footprint[]>();
    for (let round = 1; round <= options.rounds && !options.signal.aborted; round++) {
      for (const { peer, past } of peers.flatMap((peer) => PASTS.map((past) => ({ peer, past })))) {
        const sample = await measure(peer, past);
        const name = `${peer.name} ${past}`;
        samples.set(name, [...(samples.get(name) ?? []), sample]);
        options.progress(
          `memory · round ${round}/${options.rounds} · ${name}: RSS ${sample.idle.rssMb.toFixed(1)} → ${sample.held.rssMb.toFixed(1)} MB`,
        );
      }
    }
    const footprints = [...samples.values()].map(medianOf);
    return { suite: 'memory', node: process.versions.node, cases: [], missing, footprints };
  } finally {
    await origin.stop();
  }
}

async function measure(peer: Peer, past: Footprint['past']): Promise<Footprint> {
  const running = await peer.start();
  const clients = new HeldClients();
  try {
    if (past === 'worked')
      await runWrk({ url: `http://127.0.0.1:${running.port}/`, connections: 64, seconds: WARM_UP_SECONDS });
    await sleep(SETTLE_MS);
    const idle = memoryUsage(running.pids());
    await clients.open(running.port, CLIENTS, () => REQUEST, true);
    await sleep(SETTLE_MS);
    const held = memoryUsage(running.pids());
    return { peer: peer.name, past, clients: CLIENTS, idle, held, errors: clients.lost };
  } finally {
    clients.close();
    await running.stop();
  }
}

function medianOf(samples: readonly Footprint[]): Footprint {
  const of = (pick: (sample: Footprint) => number): number => median(samples.map(pick));
  const usage = (pick: (sample: Footprint) => MemoryUsage): MemoryUsage => ({
    rssMb: of((sample) => pick(sample).rssMb),
    pssMb: of((sample) => pick(sample).pssMb),
  });
  return {
    peer: samples[0]?.peer ?? '',
    past: samples[0]?.past ?? 'fresh',
    clients: CLIENTS,
    idle: usage((sample) => sample.idle),
    held: usage((sample) => sample.held),
    errors: samples.reduce((sum, sample) => sum + sample.errors, 0),
  };
}
