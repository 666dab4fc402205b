/**
 * The data path of one worker in this program, with every default feature on and the sockets taken away: what the
 * benchmarks of whole exchanges hand bytes to. What libuv does for a real socket is not in it.
 */
import { EventEmitter } from 'node:events';
import net from 'node:net';
import { systemClock } from '../../src/base/clock.ts';
import { systemRandom } from '../../src/base/random.ts';
import type { Cluster } from '../../src/resource/cluster.ts';
import {
  ClusterSet,
  createSharedCounterMemory,
  SharedCounters,
  SharedLimits,
} from '../../src/sidecar/cluster/cluster.ts';
import { ChainSlot, HttpChain, type ManagerContext } from '../../src/sidecar/connection-manager/connection-manager.ts';
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

const UPSTREAM_PORT = 8080;
const HIGH_WATER_MARK_BYTES = 1_048_576;

interface OnRead {
  readonly callback: (length: number, buffer: Uint8Array) => boolean;
}

/** Where writes go: read like a kernel would, and forgotten. */
const kernel = Buffer.alloc(256 * 1024);
let sockets: MemorySocket[] = [];

export class MemorySocket extends EventEmitter {
  readonly _handle: unknown;
  readonly connecting = false;
  readonly writableLength = 0;
  readonly remoteAddress = '127.0.0.1';
  readonly remotePort = 40_000;
  readonly localAddress = '127.0.0.1';
  readonly localPort = 8080;
  /** Something was written since bytes were last handed in. */
  hasOutput = false;
  onRead: OnRead['callback'] = () => false;

  constructor(options: { readonly handle?: unknown; readonly onread?: OnRead } = {}) {
    super();
    this._handle = options.handle;
    if (options.onread !== undefined) this.onRead = options.onread.callback;
    sockets.push(this);
  }

  write(output: string | Buffer): boolean {
    if (typeof output === 'string') kernel.write(output, 0, 'latin1');
    else output.copy(kernel);
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

// Made at the first look, and of a net.Socket where it is a pipe: it must be a real one.
process.stdout.on('error', () => process.exit(1));
Object.assign(net, { Socket: MemorySocket });

const tenant = {
  name: 'x-tenant',
  match: { kind: 'string', matcher: { kind: 'exact', value: 'blue', ignoreCase: false } },
  invertMatch: false,
  treatMissingHeaderAsEmpty: false,
} as const;
const leastRequest = {
  kind: 'leastRequest',
  choiceCount: 2,
  activeRequestBias: 1,
  selection: 'nChoices',
  slowStart: undefined,
} as const;
const tracing = {
  randomSampling: 0.01,
  overallSampling: 1,
  clientSampling: 1,
  customTags: [],
  maxPathTagLength: 256,
  spawnUpstreamSpan: false,
} as const;
const place = { name: 'bench', direction: 'outbound', host: '127.0.0.1', port: 1 } as const;

/** One listener that forwards everything to one host. */
export class MemoryProxy {
  readonly context: ManagerContext;
  readonly slot: ChainSlot;
  // Sockets as this program can imitate them.
  readonly turn = new EventTurn(systemClock, rethrow, { drivesHandles: false });

  constructor(upstream: Partial<Cluster>) {
    const { turn } = this;
    const metrics = new MetricsRegistry({ announce: () => undefined });
    const hash64 = (text: string): bigint => BigInt(text.length);
    const counters = new SharedCounters(createSharedCounterMemory(), createSharedCounterMemory());
    const clusters = new ClusterSet(counters, { clock: systemClock, random: systemRandom, hash64 });
    clusters.upsert({ cluster: cluster('web', { loadBalancing: leastRequest, ...upstream }), slot: 1 });
    clusters.assign({
      clusterName: 'web',
      assignment: assignment('web', [endpoint(UPSTREAM_PORT)]),
      slots: new Map([[`127.0.0.1:${UPSTREAM_PORT}`, 1]]),
    });
    this.context = {
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
    const manager = httpConnectionManager({ tracing });
    this.slot = new ChainSlot(new HttpChain(this.context, manager, threeRoutes(), place, HIGH_WATER_MARK_BYTES, {}));
  }

  /** A client's connection; `take` makes its driver, which resumes it. Answers the socket that the proxy reads from. */
  accept(take: (stream: ByteStream) => void): MemorySocket {
    const handle = { readStart: () => 0, readStop: () => 0 };
    const before = sockets.length;
    const accepted = new MemorySocket({ handle }) as unknown as net.Socket;
    this.turn.enter();
    take(ByteStream.accept(this.turn, accepted, UNCLAIMED, HIGH_WATER_MARK_BYTES));
    this.turn.leave();
    // The accepted socket is spent: its handle lives on in one that a connection listens to.
    const [adopted] = sockets.slice(before).filter((socket) => socket.listenerCount('end') > 0);
    sockets.length = before;
    if (adopted === undefined) throw new Error('the proxy has not taken the socket over');
    return adopted;
  }

  /** The sockets that the proxy has dialled since; they are connected when the promise resolves. */
  async dialled(): Promise<readonly MemorySocket[]> {
    this.turn.flush();
    await new Promise((resolve) => setImmediate(resolve));
    await new Promise((resolve) => setImmediate(resolve));
    const dialled = sockets;
    sockets = [];
    return dialled;
  }

  handIn(socket: MemorySocket, bytes: Buffer): void {
    bytes.copy(this.turn.readBuffer);
    socket.hasOutput = false;
    socket.onRead(bytes.length, this.turn.readBuffer);
  }
}

/** The third of three routes takes everything. */
function threeRoutes(): RouteTable {
  const routes = [
    route({ match: routeMatch({ path: { kind: 'path', path: '/healthz' } }) }),
    route({ match: routeMatch({ path: { kind: 'prefix', prefix: '/api/' }, headers: [tenant] }) }),
    route({ action: routeAction({ timeoutMs: 15_000 }) }),
  ];
  return new RouteTable(routeConfiguration({ virtualHosts: [virtualHost({ routes })] }), systemRandom);
}

function rethrow(error: unknown): never {
  throw error;
}
