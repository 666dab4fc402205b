import { execFile } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { peerBinary } from '../../test/peers/install/locate.ts';
import type { Load } from '../harness/compare.ts';
import { LOAD_CORE } from '../harness/options.ts';
import { freePort, startPinned } from '../harness/program.ts';
import type { RunningPeer } from './peer.ts';

export interface GrpcShape {
  readonly connections: number;
  readonly callsPerConnection: number;
  readonly messageBytes: number;
}

/** grpc-go's own benchmark programs, both on the load core. */
export interface GrpcGo {
  startServer(): Promise<RunningPeer>;
  load(shape: GrpcShape): Load;
}

const START_MS = 20_000;
const NANOSECONDS: Readonly<Record<string, number>> = { ns: 1, µs: 1e3, ms: 1e6, s: 1e9 };

/** undefined where `npm run peers` has not installed them. */
export function findGrpcGo(): GrpcGo | undefined {
  const client = peerBinary('grpc-go-client');
  const server = peerBinary('grpc-go-server');
  if (client === undefined || server === undefined) return undefined;
  return {
    startServer: () => startServer(server),
    load: (shape) => (peer, seconds) => runClient(client, peer.port, shape, seconds),
  };
}

async function startServer(binary: string): Promise<RunningPeer> {
  const port = await freePort();
  const program = await startPinned(LOAD_CORE, [binary, `-port=${port}`, `-test_name=${profileName('server')}`], port);
  return {
    port,
    pids: () => [program.pid],
    async stop() {
      await program.stop();
      forgetProfiles(profileName('server'));
    },
  };
}

/** Ends at the first call that fails, so that there are no errors to count. */
async function runClient(
  binary: string,
  port: number,
  { connections, callsPerConnection, messageBytes }: GrpcShape,
  seconds: number,
): ReturnType<Load> {
  const args = [`-port=${port}`, `-c=${connections}`, `-r=${callsPerConnection}`, `-d=${seconds}`, '-w=0'];
  args.push(`-req=${messageBytes}`, `-resp=${messageBytes}`, `-test_name=${profileName('client')}`);
  try {
    const { stdout } = await promisify(execFile)('taskset', ['-c', String(LOAD_CORE), binary, ...args], {
      encoding: 'utf8',
      timeout: seconds * 1000 + START_MS,
      // localhost is what the program dials; one core is what it has.
      env: { ...process.env, GOMAXPROCS: '1' },
    });
    return { ...resultOf(stdout, seconds), seconds, errors: 0 };
  } finally {
    forgetProfiles(profileName('client'));
  }
}

/** Lines of `qps: 12345.6` and `Latency: (50/90/99 %ile): 1.2ms/2.3ms/3.4ms`. */
function resultOf(
  output: string,
  seconds: number,
): { readonly requests: number; readonly p50Ms: number; readonly p99Ms: number; readonly p999Ms: number } {
  const [, perSecond] = /^qps: ([\d.e+]+)$/m.exec(output) ?? [];
  const [, p50, , p99] = /^Latency: .*: (\S+)\/(\S+)\/(\S+)$/m.exec(output) ?? [];
  if (perSecond === undefined || p50 === undefined || p99 === undefined) {
    throw new Error(`grpc-go's client printed no result:\n${output}`);
  }
  // It tells no more than the 99th percentile.
  return { requests: Number(perSecond) * seconds, p50Ms: msOf(p50), p99Ms: msOf(p99), p999Ms: Number.NaN };
}

/** Go's way to write a duration that is shorter than a minute. */
function msOf(duration: string): number {
  const [, number, unit] = /^([\d.]+)(ns|µs|ms|s)$/.exec(duration) ?? [];
  return (Number(number) * (NANOSECONDS[unit ?? ''] ?? Number.NaN)) / 1e6;
}

/** They write profiles named after it into /tmp, whatever the temporary folder is. */
function profileName(which: string): string {
  return `weft-grpc-go-${process.pid}-${which}`;
}

function forgetProfiles(name: string): void {
  for (const kind of ['cpu', 'mem']) rmSync(join('/tmp', `${name}.${kind}`), { force: true });
}
