import { Client, type ClientDuplexStream } from '@grpc/grpc-js';
import { type Clock, systemClock } from '../../base/clock.ts';
import { type Random, systemRandom } from '../../base/random.ts';
import type { ControlServer, Node } from '../../resource/bootstrap.ts';
import { grpcService, LOAD_REPORTING_SERVICE } from '../../resource/grpc-service.ts';
import type { WireMessage } from '../../resource/protos.ts';
import { isPlainObject } from '../../resource/struct-json.ts';
import { channelSecurity } from './channel-security.ts';
import { ReconnectBackoff } from './reconnect-backoff.ts';

/** What was sent to one cluster since the process began; `inProgress` is of now. */
export interface ClusterTotals {
  readonly cluster: string;
  readonly serviceName: string;
  readonly issued: number;
  readonly successful: number;
  readonly failed: number;
  readonly dropped: number;
  readonly inProgress: number;
}

export interface LoadReporterOptions {
  readonly node: Node;
  /** The server that answers at present: `lrs_server: { self: {} }`. Undefined while none does. */
  readonly server: () => ControlServer | undefined;
  /** Those whose loads are to be reported; while there are none, no stream is held. */
  readonly clusters: () => readonly ClusterTotals[];
  readonly clock?: Clock;
  readonly random?: Random;
}

type Stream = ClientDuplexStream<WireMessage, WireMessage>;

interface Reporting {
  readonly client: Client;
  readonly stream: Stream;
  /** Undefined until the server has said what it wants. */
  wanted: { readonly all: boolean; readonly clusters: ReadonlySet<string>; readonly intervalMs: number } | undefined;
  lastReportMs: number;
}

const TICK_MS = 1_000;
const MIN_INTERVAL_MS = 1_000;
const MAX_INTERVAL_MS = 300_000;
const KEEPALIVE_TIME_MS = 30_000;
const BACKOFF = { baseMs: 1_000, factor: 1.6, maxMs: 60_000 };

/**
 * Reports loads to the control server (envoy.service.load_stats.v3): one stream while some cluster wants it, differences since the last
 * report at the interval that the server names, and backoff where it does not listen. Nothing else depends on it.
 */
export class LoadReporter {
  readonly #options: LoadReporterOptions;
  readonly #clock: Clock;
  readonly #backoff: ReconnectBackoff;
  /** What the server was last told, by cluster. */
  readonly #told = new Map<string, ClusterTotals>();
  #ticker: NodeJS.Timeout | undefined;
  #reporting: Reporting | undefined;
  #notBeforeMs = 0;
  readonly counters = { reports: 0, streamsFailed: 0 };

  constructor(options: LoadReporterOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#backoff = new ReconnectBackoff(BACKOFF, options.random ?? systemRandom);
  }

  start(): void {
    this.#ticker = setInterval(() => this.tick(), TICK_MS);
    this.#ticker.unref();
  }

  stop(): void {
    clearInterval(this.#ticker);
    this.#close();
  }

  /** Opens, reports or closes, whichever is due. */
  tick(): void {
    const totals = this.#options.clusters();
    if (totals.length === 0) {
      this.#close();
      return;
    }
    if (this.#reporting === undefined) this.#open();
    else this.#reportWhenDue(this.#reporting, totals);
  }

  #open(): void {
    const server = this.#options.server();
    if (server === undefined || this.#clock.nowMs() < this.#notBeforeMs) return;
    try {
      const reporting = this.#dial(server);
      this.#reporting = reporting;
      const { id, cluster } = this.#options.node;
      reporting.stream.write({ node: { id, cluster, client_features: ['envoy.lrs.supports_send_all_clusters'] } });
    } catch {
      // The same certificates fail the discovery stream, which says so.
      this.#failed();
    }
  }

  #dial(server: ControlServer): Reporting {
    const { path, requestSerialize, responseDeserialize } = streamMethod();
    const { credentials, options } = channelSecurity(server);
    const host = server.host.includes(':') ? `ipv6:[${server.host}]` : `dns:${server.host}`;
    const client = new Client(`${host}:${server.port}`, credentials, {
      ...options,
      'grpc.use_local_subchannel_pool': 1,
      'grpc.enable_http_proxy': 0,
      'grpc.enable_channelz': 0,
      'grpc.keepalive_time_ms': KEEPALIVE_TIME_MS,
    });
    const stream = client.makeBidiStreamRequest<WireMessage, WireMessage>(path, requestSerialize, responseDeserialize);
    const reporting: Reporting = { client, stream, wanted: undefined, lastReportMs: this.#clock.nowMs() };
    stream.on('data', (response: WireMessage) => {
      reporting.wanted = wantedOf(response);
      this.#backoff.reset();
    });
    stream.on('error', () => {});
    stream.on('status', () => {
      if (this.#reporting === reporting) this.#failed();
    });
    return reporting;
  }

  #failed(): void {
    this.counters.streamsFailed += 1;
    this.#notBeforeMs = this.#clock.nowMs() + this.#backoff.nextDelayMs();
    this.#close();
  }

  #reportWhenDue(reporting: Reporting, totals: readonly ClusterTotals[]): void {
    const { wanted, stream } = reporting;
    const nowMs = this.#clock.nowMs();
    if (wanted === undefined || nowMs - reporting.lastReportMs < wanted.intervalMs) return;
    const elapsedMs = nowMs - reporting.lastReportMs;
    reporting.lastReportMs = nowMs;
    const stats = totals
      .filter(({ cluster }) => wanted.all || wanted.clusters.has(cluster))
      .map((total) => clusterStats(total, this.#told.get(total.cluster), elapsedMs));
    for (const total of totals) this.#told.set(total.cluster, total);
    this.counters.reports += 1;
    stream.write({ cluster_stats: stats });
  }

  #close(): void {
    const reporting = this.#reporting;
    this.#reporting = undefined;
    reporting?.stream.cancel();
    reporting?.client.close();
  }
}

function streamMethod(): ReturnType<typeof grpcService>[string] {
  const method = grpcService(LOAD_REPORTING_SERVICE)['StreamLoadStats'];
  if (method === undefined) throw new Error(`proto/ has no StreamLoadStats in ${LOAD_REPORTING_SERVICE}`);
  return method;
}

function wantedOf(response: WireMessage): NonNullable<Reporting['wanted']> {
  const { clusters, load_reporting_interval: interval } = response;
  const names = Array.isArray(clusters) ? clusters.filter((name) => typeof name === 'string') : [];
  const seconds = isPlainObject(interval) ? Number(interval['seconds'] ?? 0) + Number(interval['nanos'] ?? 0) / 1e9 : 0;
  return {
    all: response['send_all_clusters'] === true,
    clusters: new Set(names),
    intervalMs: Math.min(MAX_INTERVAL_MS, Math.max(MIN_INTERVAL_MS, seconds * 1_000)),
  };
}

/** A counter that is smaller than it was told began anew: all of it is news. */
function clusterStats(now: ClusterTotals, told: ClusterTotals | undefined, elapsedMs: number): WireMessage {
  const since = (of: (totals: ClusterTotals) => number): number => {
    const before = told === undefined ? 0 : of(told);
    return of(now) >= before ? of(now) - before : of(now);
  };
  return {
    cluster_name: now.cluster,
    cluster_service_name: now.serviceName,
    total_dropped_requests: since(({ dropped }) => dropped),
    load_report_interval: { seconds: Math.trunc(elapsedMs / 1_000), nanos: Math.trunc(elapsedMs % 1_000) * 1e6 },
    upstream_locality_stats: [
      {
        total_issued_requests: since(({ issued }) => issued),
        total_successful_requests: since(({ successful }) => successful),
        total_error_requests: since(({ failed }) => failed),
        total_requests_in_progress: now.inProgress,
      },
    ],
  };
}
