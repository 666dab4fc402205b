import { once } from 'node:events';
import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { CLIENT_HELLO, headers, settings, settingsAck } from '../../src/http/http2/frame-script.ts';
import { CLIENT_PREFACE } from '../../src/http/http2/http2.ts';
import { FLOODS, get, streamAt } from '../../test/conformance/http2/floods.ts';
import { type AttackedSidecar, startAttackedSidecar } from '../harness/attacked-sidecar.ts';
import { requestTimes } from '../harness/held-clients.ts';
import type { BenchOptions } from '../harness/options.ts';
import { type AttackCase, median, percentile, type SuiteReport } from '../harness/report.ts';

/** An attack by one client that reads nothing. */
interface Attack {
  readonly name: string;
  readonly hello: Buffer;
  readonly frameOf: (index: number) => Buffer;
  /** How many frames there are; undefined: until it is cut off. */
  readonly frames: number | undefined;
  readonly reasons: readonly string[];
}

const BYTES_PER_WRITE = 32 * 1024;
const MOST_ATTACK_BYTES = 64 * 1024 * 1024;
const LONGEST_ATTACK_MS = 5_000;
/** How long an attack that is bounded and not cut off is looked at. */
const STALL_MS = 1_500;
const POLL_MS = 5;
const BYSTANDER_REQUESTS = 200;
const STREAMS = 1_000;
const INITIAL_WINDOW_SIZE = 4;
const NO_WINDOW = Buffer.concat([CLIENT_PREFACE, settings([INITIAL_WINDOW_SIZE, 0]), settingsAck()]);

const asks = (path: string) => (index: number) => headers(streamAt(index), get(path), true);

const ATTACKS: readonly Attack[] = [
  ...FLOODS.map(({ row, hello, frameOf, reasons }) => ({
    name: row,
    hello: hello ?? CLIENT_HELLO,
    frameOf,
    frames: undefined,
    reasons,
  })),
  {
    name: '22: heads that nobody reads',
    hello: CLIENT_HELLO,
    frameOf: asks('/unchanged'),
    frames: undefined,
    reasons: ['outbound-flood', 'too-many-resets', 'control-frame-flood'],
  },
  {
    name: `10: ${STREAMS} large answers, no window for any`,
    hello: NO_WINDOW,
    frameOf: asks('/large/'),
    frames: STREAMS,
    reasons: ['backlog-paused'],
  },
  {
    name: `10: ${STREAMS} large answers, nobody reads`,
    hello: CLIENT_HELLO,
    frameOf: asks('/large/'),
    frames: STREAMS,
    reasons: ['backlog-paused'],
  },
];

/**
 * The attacks of test/conformance/http2 on a sidecar of its own: seconds until it is refused, resident memory while it goes on,
 * and what somebody else's requests notice. One process takes them all, each once to warm up; medians over the rounds.
 */
export async function attacksSuite(options: BenchOptions): Promise<SuiteReport> {
  const attacks: AttackCase[] = [];
  const sidecar = await startAttackedSidecar();
  try {
    await requestTimes(sidecar.port, 2_000);
    for (const attack of ATTACKS) {
      if (options.signal.aborted) break;
      await measure(sidecar, attack);
      const samples: AttackCase[] = [];
      for (let round = 0; round < options.rounds; round++) samples.push(await measure(sidecar, attack));
      const report = medianOf(attack.name, samples);
      attacks.push(report);
      options.progress(
        `${report.name}: ${report.seconds.toFixed(3)} s, ${report.growthMb.toFixed(1)} MB, ${report.reason}`,
      );
    }
  } finally {
    await sidecar.stop();
  }
  return { suite: 'attacks', node: process.versions.node, cases: [], missing: {}, attacks };
}

async function measure(sidecar: AttackedSidecar, attack: Attack): Promise<AttackCase> {
  const { reasons } = attack;
  const countedBefore = await Promise.all(reasons.map((reason) => sidecar.count([reason])));
  const before = sum(countedBefore);
  const rssBeforeMb = sidecar.rssMb();
  const socket = net.connect({ port: sidecar.port, host: '127.0.0.1' });
  socket.on('error', () => undefined);
  socket.pause();
  await once(socket, 'connect');
  let isOver = false;
  let rssMb = rssBeforeMb;
  let seconds = Number.NaN;
  const startedAt = performance.now();
  const bystander = requestTimes(sidecar.port, BYSTANDER_REQUESTS);
  const attacking = send(socket, attack, () => isOver);
  const untilMs = attack.frames === undefined ? LONGEST_ATTACK_MS : STALL_MS;
  while (performance.now() - startedAt < untilMs) {
    rssMb = Math.max(rssMb, sidecar.rssMb());
    if (Number.isNaN(seconds) && (await sidecar.count(reasons)) > before) {
      seconds = (performance.now() - startedAt) / 1_000;
      if (attack.frames === undefined) break;
    }
    await sleep(POLL_MS);
  }
  isOver = true;
  const sentBytes = await attacking;
  const times = await bystander;
  socket.destroy();
  const counted = await Promise.all(reasons.map((reason) => sidecar.count([reason])));
  const reason = reasons.find((_, at) => (counted[at] ?? 0) > (countedBefore[at] ?? 0)) ?? 'not refused';
  await sleep(100);
  return {
    name: attack.name,
    seconds,
    sentBytes,
    growthMb: rssMb - rssBeforeMb,
    reason,
    bystanderP99Ms: percentile(times, 0.99),
  };
}

/** As fast as it is taken; answers how much was. */
async function send(socket: net.Socket, { hello, frameOf, frames }: Attack, isOver: () => boolean): Promise<number> {
  socket.write(hello);
  const most = frames ?? Number.POSITIVE_INFINITY;
  let index = 0;
  while (index < most && !isOver() && !socket.destroyed && socket.bytesWritten < MOST_ATTACK_BYTES) {
    const chunk: Buffer[] = [];
    for (let bytes = 0; bytes < BYTES_PER_WRITE && index < most; index++) {
      const next = frameOf(index);
      chunk.push(next);
      bytes += next.length;
    }
    if (!socket.write(Buffer.concat(chunk)))
      await Promise.race([once(socket, 'drain').catch(() => undefined), sleep(20)]);
    else await sleep(0);
  }
  return socket.bytesWritten - socket.writableLength;
}

function medianOf(name: string, samples: readonly AttackCase[]): AttackCase {
  const of = (pick: (sample: AttackCase) => number): number => median(samples.map(pick));
  return {
    name,
    seconds: Math.max(...samples.map(({ seconds }) => seconds)),
    sentBytes: of(({ sentBytes }) => sentBytes),
    growthMb: of(({ growthMb }) => growthMb),
    reason: samples[0]?.reason ?? '',
    bystanderP99Ms: of(({ bystanderP99Ms }) => bystanderP99Ms),
  };
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
