import type { Peer, RunningPeer } from '../peers/peer.ts';
import type { BenchOptions } from './options.ts';
import { cpuMicros, memoryUsage } from './process-usage.ts';
import { type CaseReport, median, type PeerResult } from './report.ts';
import type { LoadResult } from './wrk.ts';

interface Sample extends LoadResult {
  readonly cpuMicrosPerRequest: number;
  readonly rssMb: number;
  readonly pssMb: number;
}

/** One load against one running peer. */
export type Load = (peer: RunningPeer, seconds: number) => Promise<LoadResult>;

/**
 * Until the code that requests run through has been compiled for good; nginx would need none. Counted in requests, since a
 * busy machine gets fewer of them done in the same time; and bounded, since some loads are slow on purpose.
 */
const WARM_UP_REQUESTS = 40_000;
const WARM_UP_STEP_SECONDS = 2;
const MAX_WARM_UP_STEPS = 6;

/** Runs every peer once a round, A B C A B C, each started cold and warmed up, and gives medians with ranges. */
export async function comparePeers(
  name: string,
  peers: readonly Peer[],
  load: Load,
  options: BenchOptions,
  maxWarmUpSteps = MAX_WARM_UP_STEPS,
): Promise<CaseReport> {
  const samples = new Map<string, Sample[]>();
  let rounds = 0;
  for (let round = 1; round <= options.rounds && !options.signal.aborted; round++) {
    for (const peer of peers) {
      if (options.signal.aborted) break;
      const sample = await measure(peer, load, options.secondsPerRound, maxWarmUpSteps);
      samples.set(peer.name, [...(samples.get(peer.name) ?? []), sample]);
      options.progress(
        `${name} · round ${round}/${options.rounds} · ${peer.name}: ${sample.cpuMicrosPerRequest.toFixed(1)} µs CPU/request, ${(sample.requests / sample.seconds).toFixed(0)} requests/s`,
      );
    }
    rounds = round;
  }
  const results: Record<string, PeerResult> = {};
  for (const [peer, list] of samples) results[peer] = summarize(list);
  const own = results['weft']?.cpuMicrosPerRequest ?? Number.NaN;
  const ratios: Record<string, number> = {};
  for (const [peer, result] of Object.entries(results))
    if (peer !== 'weft') ratios[peer] = own / result.cpuMicrosPerRequest;
  return { name, rounds, results, ratios };
}

async function measure(peer: Peer, load: Load, seconds: number, maxWarmUpSteps: number): Promise<Sample> {
  const running = await peer.start();
  try {
    await warmUp(running, load, maxWarmUpSteps);
    const before = cpuMicros(running.pids());
    const result = await load(running, seconds);
    const used = cpuMicros(running.pids()) - before;
    return { ...result, ...memoryUsage(running.pids()), cpuMicrosPerRequest: used / result.requests };
  } finally {
    await running.stop();
  }
}

async function warmUp(running: RunningPeer, load: Load, maxSteps: number): Promise<void> {
  let requests = 0;
  for (let step = 0; step < maxSteps && requests < WARM_UP_REQUESTS; step++) {
    requests += (await load(running, WARM_UP_STEP_SECONDS)).requests;
  }
}

function summarize(samples: readonly Sample[]): PeerResult {
  const costs = samples.map((sample) => sample.cpuMicrosPerRequest);
  return {
    cpuMicrosPerRequest: median(costs),
    cpuMicrosRange: [Math.min(...costs), Math.max(...costs)],
    requestsPerSecond: median(samples.map((sample) => sample.requests / sample.seconds)),
    p50Ms: median(samples.map((sample) => sample.p50Ms)),
    p99Ms: median(samples.map((sample) => sample.p99Ms)),
    p999Ms: median(samples.map((sample) => sample.p999Ms)),
    rssMb: median(samples.map((sample) => sample.rssMb)),
    pssMb: median(samples.map((sample) => sample.pssMb)),
    errors: samples.reduce((sum, sample) => sum + sample.errors, 0),
  };
}
