import { setTimeout as sleep } from 'node:timers/promises';
import { HeldClients, requestTimes } from '../harness/held-clients.ts';
import type { BenchOptions } from '../harness/options.ts';
import { type Origin, startOrigin } from '../harness/origin.ts';
import { memoryUsage } from '../harness/process-usage.ts';
import type { MemoryCase, SuiteReport } from '../harness/report.ts';
import type { RunningPeer } from '../peers/peer.ts';
import { weftProxy } from '../peers/weft.ts';

interface Shape {
  readonly name: string;
  readonly clients: number;
  readonly limitKibPerClient: number;
  /** What the client of this number sends. */
  readonly bytes: (index: number) => string;
  readonly isReading: boolean;
  /** Sent one at a time afterwards, for clients that are slow rather than silent. */
  readonly drip: string;
}

/** The part of a head that a slow client has sent so far. */
const SLOW_HEAD = `GET /slow HTTP/1.1\r\nhost: bench\r\nuser-agent: slow\r\ncookie: ${'c'.repeat(400)}\r\nx-slow: `;
const SLOW_BODY = `POST /slow HTTP/1.1\r\nhost: bench\r\ncontent-length: 1000000\r\n\r\n${'b'.repeat(1_000)}`;
const SLOW_READER = 'GET /bytes/1073741824 HTTP/1.1\r\nhost: bench\r\n\r\n';

/** Two sockets for each client that has a request upstream: the usual limit of 20,000 descriptors sets the number. */
const MIXED = [SLOW_HEAD, SLOW_BODY, SLOW_READER, SLOW_HEAD];

const SHAPES: readonly Shape[] = [
  { name: 'slow heads', clients: 10_000, limitKibPerClient: 40, bytes: () => SLOW_HEAD, isReading: false, drip: 's' },
  { name: 'slow bodies', clients: 9_000, limitKibPerClient: 40, bytes: () => SLOW_BODY, isReading: false, drip: 'b' },
  { name: 'slow readers', clients: 9_000, limitKibPerClient: 40, bytes: () => SLOW_READER, isReading: false, drip: '' },
  {
    name: 'slow heads, bodies and readers',
    clients: 10_000,
    limitKibPerClient: 40,
    bytes: (index) => MIXED[index % MIXED.length] ?? SLOW_HEAD,
    isReading: false,
    drip: '',
  },
];

const BYSTANDER_REQUESTS = 500;

/** Memory for each client that will not move, in a fresh sidecar for each kind, and what others notice of them. */
export async function slowClientsSuite(options: BenchOptions): Promise<SuiteReport> {
  const memory: MemoryCase[] = [];
  for (const shape of SHAPES) {
    if (options.signal.aborted) break;
    const report = await measure(shape);
    memory.push(report);
    options.progress(`${report.name}: ${report.kibPerClient.toFixed(1)} KiB per client, ${report.errors} errors`);
  }
  return { suite: 'slow-clients', node: process.versions.node, cases: [], missing: {}, memory };
}

async function measure(shape: Shape): Promise<MemoryCase> {
  const origin = await startOrigin();
  const shapeOfProxy = { kind: 'http1', originPort: origin.port, otlpPort: undefined, isPatient: true } as const;
  const proxy = await weftProxy(shapeOfProxy).start();
  const clients = new HeldClients();
  try {
    await requestTimes(proxy.port, 2_000);
    const alone = await requestTimes(proxy.port, BYSTANDER_REQUESTS);
    const rssBeforeMb = await settledRssMb(proxy, origin);
    await clients.open(proxy.port, shape.clients, shape.bytes, shape.isReading);
    for (let round = 0; round < 3; round++) {
      if (shape.drip !== '') clients.drip(shape.drip);
      await sleep(300);
    }
    const rssMb = await settledRssMb(proxy, origin);
    const beside = await requestTimes(proxy.port, BYSTANDER_REQUESTS);
    return {
      name: shape.name,
      clients: shape.clients,
      rssBeforeMb,
      rssMb,
      kibPerClient: ((rssMb - rssBeforeMb) * 1024) / shape.clients,
      limitKibPerClient: shape.limitKibPerClient,
      bystanderP99Ms: p99(beside),
      bystanderP99AloneMs: p99(alone),
      errors: clients.lost,
    };
  } finally {
    clients.close();
    await proxy.stop();
    await origin.stop();
  }
}

/** Once the origin gets rid of nothing more and the process grows no more. */
async function settledRssMb(proxy: RunningPeer, origin: Origin): Promise<number> {
  let known = { rss: 0, sent: -1 };
  for (let round = 0; round < 60; round++) {
    await sleep(500);
    const now = { rss: memoryUsage(proxy.pids()).rssMb, sent: origin.sentBytes() };
    if (now.sent === known.sent && Math.abs(now.rss - known.rss) < 0.5) return now.rss;
    known = now;
  }
  return known.rss;
}

function p99(sorted: readonly number[]): number {
  return sorted[Math.floor(sorted.length * 0.99)] ?? 0;
}
