/**
 * Cost of one proxied HTTP/1.1 exchange in user land: everything that runs between two reads and two writes, with every
 * default feature on and the sockets taken away. `node bench/micro/exchange.bench.ts [--json]`.
 */
import { EventEmitter } from 'node:events';
import net from 'node:net';
import { systemClock } from '../../src/base/clock.ts';
import { systemRandom } from '../../src/base/random.ts';
import {
  ClusterSet,
  createSharedCounterMemory,
  SharedCounters,
  SharedLimits,
} from '../../src/sidecar/cluster/cluster.ts';
import {
  ChainSlot,
  Http1Connection,
  HttpChain,
  type ManagerContext,
} from '../../src/sidecar/connection-manager/connection-manager.ts';
import { Upstreams } from '../../src/sidecar/filter/router/router.ts';
import { RouteTable } from '../../src/sidecar/route/route.ts';
import { MetricsRegistry } from '../../src/telemetry/metrics/metrics.ts';
import { TraceStarter } from '../../src/telemetry/trace/trace.ts';
import { ByteStream, EventTurn, TlsMaterials, UNCLAIMED } from '../../src/transport-socket/transport-socket.ts';
import {
  assignment,
  cluster,
  endpoint,
  httpConnectionManager,
  route,
  routeAction,
  routeConfiguration,
  routeMatch,
  virtualHost,
} from '../../test/support/resources.ts';
import { measure, report } from './measure.ts';

const CONNECTIONS = 64;
const EXCHANGES_PER_ROUND = 20_000;
const UPSTREAM_PORT = 8080;

const REQUEST = Buffer.from(
  'GET /api/items?page=2 HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nuser-agent: wrk\r\naccept: */*\r\nx-tenant: green\r\n\r\n',
);
const RESPONSE = Buffer.from(
  `HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nDate: Sun, 22 Nov 2026 21:00:00 GMT\r\nContent-Type: text/plain\r\nContent-Length: 1024\r\nConnection: keep-alive\r\n\r\n${'x'.repeat(1024)}`,
);

interface OnRead {
  readonly callback: (length: number, buffer: Uint8Array) => boolean;
}

/** Where writes go: read like a kernel would, and forgotten. */
const kernel = Buffer.alloc(64 * 1024);

class MemorySocket extends EventEmitter {
  readonly _handle: unknown;
  readonly connecting = false;
  readonly writableLength = 0;
  readonly remoteAddress = '127.0.0.1';
  readonly remotePort = 40_000;
  readonly localAddress = '127.0.0.1';
  readonly localPort = 8080;
  hasOutput = false;
  onRead: OnRead['callback'] = () => false;

  constructor(options: { readonly handle?: unknown; readonly onread?: OnRead } = {}) {
    super();
    this._handle = options.handle;
    if (options.onread !== undefined) this.onRead = options.onread.callback;
    sockets.push(this);
  }

  write(text: string | Buffer): boolean {
    if (typeof text === 'string') kernel.write(text, 0, 'latin1');
    this.hasOutput = true;
    return true;
  }

  connect(): void {
    setImmediate(() => this.emit('connect'));
  }

  destroy(): void {
    this.emit('close');
  }

  pause(): void {
    // Bytes come only when the benchmark hands them over.
  }

  resume(): void {
    // As above.
  }
}

let sockets: MemorySocket[] = [];
// Made at the first look, and of a net.Socket where it is a pipe: it must be a real one.
process.stdout.on('error', () => process.exit(1));
Object.assign(net, { Socket: MemorySocket });

// Sockets as this program can imitate them: what libuv's handles do for a real one is not measured here.
const turn = new EventTurn(
  systemClock,
  (error) => {
    throw error;
  },
  { drivesHandles: false },
);
const metrics = new MetricsRegistry({ announce: () => undefined });
const hash64 = (text: string): bigint => BigInt(text.length);
const counters = new SharedCounters(createSharedCounterMemory(), createSharedCounterMemory());
const clusters = new ClusterSet(counters, { clock: systemClock, random: systemRandom, hash64 });
clusters.upsert({
  cluster: cluster('web', {
    loadBalancing: {
      kind: 'leastRequest',
      choiceCount: 2,
      activeRequestBias: 1,
      selection: 'nChoices',
      slowStart: undefined,
    },
  }),
  slot: 1,
});
clusters.assign({
  clusterName: 'web',
  assignment: assignment('web', [endpoint(UPSTREAM_PORT)]),
  slots: new Map([[`127.0.0.1:${UPSTREAM_PORT}`, 1]]),
});
const context: ManagerContext = {
  turn,
  random: systemRandom,
  metrics,
  tlsMaterials: new TlsMaterials(),
  upstreams: new Upstreams({ turn, clusters, metrics, random: systemRandom, hash64 }),
  limits: new SharedLimits(counters, systemClock, metrics.counter({ kind: 'weft' }, 'shared_limits_exhausted')),
  observer: { streamEnded: () => undefined },
  traces: new TraceStarter(systemRandom, undefined),
  workerId: 0,
  nodeCluster: 'bench',
};
const tenant = {
  name: 'x-tenant',
  match: { kind: 'string', matcher: { kind: 'exact', value: 'blue', ignoreCase: false } },
  invertMatch: false,
  treatMissingHeaderAsEmpty: false,
} as const;
const routes = new RouteTable(
  routeConfiguration({
    virtualHosts: [
      virtualHost({
        routes: [
          route({ match: routeMatch({ path: { kind: 'path', path: '/healthz' } }) }),
          route({ match: routeMatch({ path: { kind: 'prefix', prefix: '/api/' }, headers: [tenant] }) }),
          route({ action: routeAction({ timeoutMs: 15_000 }) }),
        ],
      }),
    ],
  }),
  systemRandom,
);
const manager = httpConnectionManager({
  tracing: {
    randomSampling: 0.01,
    overallSampling: 1,
    clientSampling: 1,
    customTags: [],
    maxPathTagLength: 256,
    spawnUpstreamSpan: false,
  },
});
const place = { name: 'bench', direction: 'outbound', host: '127.0.0.1', port: 1 } as const;
const slot = new ChainSlot(new HttpChain(context, manager, routes, place, 1_048_576, {}));

function handIn(socket: MemorySocket, bytes: Buffer): void {
  bytes.copy(turn.readBuffer);
  socket.hasOutput = false;
  socket.onRead(bytes.length, turn.readBuffer);
}

const handle = { readStart: () => 0, readStop: () => 0 };
for (let index = 0; index < CONNECTIONS; index++) {
  const accepted = new MemorySocket({ handle }) as unknown as net.Socket;
  turn.enter();
  const stream = ByteStream.accept(turn, accepted, UNCLAIMED, 1_048_576);
  new Http1Connection(context, slot, stream, { connectionEnded: () => undefined, connectionReplaced: () => undefined });
  turn.leave();
}
// The accepted sockets are spent: their handles live on in sockets that a connection listens to.
const downstream = sockets.filter((socket) => socket.listenerCount('end') > 0);
sockets = [];
// The first round dials; every later one finds its connections in the pool.
for (const socket of downstream) handIn(socket, REQUEST);
turn.flush();
await new Promise((resolve) => setImmediate(resolve));
await new Promise((resolve) => setImmediate(resolve));
const upstream = sockets;

function exchangeAll(): void {
  for (const socket of upstream) if (socket.hasOutput) handIn(socket, RESPONSE);
  turn.flush();
  for (const socket of downstream) if (socket.hasOutput) handIn(socket, REQUEST);
  turn.flush();
}

exchangeAll();
if (upstream.length !== CONNECTIONS || downstream.some((socket) => socket.hasOutput)) {
  throw new Error(`the exchange does not run: ${upstream.length} upstream connections`);
}
const rounds = Math.ceil(EXCHANGES_PER_ROUND / CONNECTIONS);
const cost = measure(() => {
  for (let round = 0; round < rounds; round++) exchangeAll();
}, rounds * CONNECTIONS);
report('exchange', [{ name: 'one proxied exchange without its system calls', ...cost }]);
turn.stop();
