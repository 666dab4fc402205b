import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { monotonicMs } from '../control-plane/client-messages.ts';
import { Clients } from '../control-plane/clients.ts';
import { type MeshShape, ScriptedConsul, upstreamsOf } from '../control-plane/scripted-consul.ts';
import { type BenchOptions, PROXY_CORE } from '../harness/options.ts';
import { cpuMicros, memoryUsage } from '../harness/process-usage.ts';
import { freePort, type RunningProgram, startPinned } from '../harness/program.ts';
import { type ControlPlaneCase, median, type PushCost, percentile, type SuiteReport } from '../harness/report.ts';

const PROGRAM = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));
const STREAM_COUNTS = [100, 300, 1_000, 3_000];
const SHAPE: MeshShape = { services: 500, sidecars: 3_000, upstreamsPerSidecar: 10 };
const EVERYBODYS_SERVICE = 0;
const SOMEBODYS_SERVICE = 250;
const CHANGES = 40;
const QUICK_CHANGES = 10;
/** Longer than any burst is merged for, and than a watch that was woken waits before it asks again. */
const BETWEEN_CHANGES_MS = 400;
const SETTLE_MS = 1_500;

interface Server {
  readonly program: RunningProgram;
  readonly consolePort: number;
}

/**
 * `weft control` with its real translation, over a made-up Consul: how long one change of an endpoint takes to reach the last of its
 * subscribers and what it costs, how long clients wait that all come at once, and what the server's memory is.
 */
export async function xdsSuite(options: BenchOptions): Promise<SuiteReport> {
  const consul = await ScriptedConsul.start(SHAPE);
  const controlPlane: ControlPlaneCase[] = [];
  try {
    for (const streams of options.streams ?? STREAM_COUNTS) {
      if (options.signal.aborted) break;
      controlPlane.push(await measure(consul, streams, options));
    }
  } finally {
    await consul.stop();
  }
  return { suite: 'xds', node: process.versions.node, cases: [], missing: {}, controlPlane };
}

async function measure(consul: ScriptedConsul, streams: number, options: BenchOptions): Promise<ControlPlaneCase> {
  const server = await startControl(consul.url);
  const clients = await Clients.start();
  try {
    const idleRssMb = rssMb(server);
    const firstMs = await timeToServe(clients, server, streams);
    await sleep(SETTLE_MS);
    const reconnectMs: number[] = [];
    const rounds = Math.max(1, Math.min(3, options.rounds));
    for (let round = 0; round < rounds; round += 1) {
      await clients.disconnect();
      reconnectMs.push(await timeToServe(clients, server, streams));
      await sleep(SETTLE_MS);
    }
    const changes = options.rounds > 2 ? CHANGES : QUICK_CHANGES;
    const everybody = await push(consul, clients, server, EVERYBODYS_SERVICE, streams, changes);
    const somebody = await push(consul, clients, server, SOMEBODYS_SERVICE, streams, changes);
    const report = {
      streams,
      firstMs,
      reconnectMs: median(reconnectMs),
      idleRssMb,
      rssMb: rssMb(server),
      everybody,
      somebody,
    };
    options.progress(`xds · ${streams} streams: ${JSON.stringify(report)}`);
    return report;
  } finally {
    clients.stop();
    await server.program.stop();
  }
}

async function startControl(consulUrl: string): Promise<Server> {
  const port = await freePort();
  const consolePort = await freePort();
  const command = [process.execPath, PROGRAM, 'control', '--consul', consulUrl, '--port', String(port)];
  command.push('--console-port', String(consolePort), '--consul-connections', '2000', '--log-level', 'warn');
  return { program: await startPinned(PROXY_CORE, command, port), consolePort };
}

async function timeToServe(clients: Clients, server: Server, streams: number): Promise<number> {
  const fromMs = monotonicMs();
  const settled = await clients.connect(server.program.port, streams);
  return Math.max(...settled) - fromMs;
}

async function push(
  consul: ScriptedConsul,
  clients: Clients,
  server: Server,
  service: number,
  streams: number,
  changes: number,
): Promise<PushCost> {
  const subscribers = subscribersOf(service, streams);
  const lastMs: number[] = [];
  let bytes = 0;
  let strangers = 0;
  await oneChange();
  const before = { cpu: cpuMicros([server.program.pid]), ...(await counters(server)) };
  lastMs.length = 0;
  bytes = 0;
  for (let change = 0; change < changes; change += 1) await oneChange();
  const after = { cpu: cpuMicros([server.program.pid]), ...(await counters(server)) };
  const idle = await idleCpuMicros(server, changes * BETWEEN_CHANGES_MS);
  return {
    subscribers,
    changes,
    p50Ms: median(lastMs),
    p99Ms: percentile(lastMs, 0.99),
    cpuMicrosPerChange: Math.max(0, after.cpu - before.cpu - idle) / changes,
    bytesPerChange: bytes / changes,
    encodedPerChange: (after.encoded - before.encoded) / changes,
    responsesPerChange: (after.responses - before.responses) / changes,
    strangers,
  };

  async function oneChange(): Promise<void> {
    const watch = await clients.watch(`s${service}.default.dc1.internal.bench.consul`, subscribers);
    const fromMs = monotonicMs();
    consul.changeInstance(service);
    const reached = await watch.reached();
    lastMs.push(Math.max(...reached.atMs) - fromMs);
    bytes += reached.bytes;
    strangers += reached.others;
    await sleep(BETWEEN_CHANGES_MS);
  }
}

/** What the server uses without any change, for as long as the changes took. */
async function idleCpuMicros(server: Server, durationMs: number): Promise<number> {
  const sampleMs = Math.min(durationMs, 4_000);
  const before = cpuMicros([server.program.pid]);
  await sleep(sampleMs);
  return ((cpuMicros([server.program.pid]) - before) * durationMs) / sampleMs;
}

function subscribersOf(service: number, streams: number): number {
  let count = 0;
  for (let sidecar = 0; sidecar < streams; sidecar += 1) if (upstreamsOf(sidecar, SHAPE).includes(service)) count += 1;
  return count;
}

async function counters(server: Server): Promise<{ readonly encoded: number; readonly responses: number }> {
  const text = await (await fetch(`http://127.0.0.1:${server.consolePort}/metrics`)).text();
  const value = (name: string): number => Number(new RegExp(`^${name} (\\d+)`, 'm').exec(text)?.[1]);
  return { encoded: value('weft_resources_encoded_total'), responses: value('weft_xds_responses_total') };
}

function rssMb(server: Server): number {
  return memoryUsage([server.program.pid]).rssMb;
}
