import type { Random } from '../../base/random.ts';
import { lineOf } from '../../http/header-edits.ts';
import { DEFAULT_HTTP1_LIMITS, type Http1Limits, isCanonicalValue } from '../../http/http1/http1.ts';
import type { Http2Limits } from '../../http/http2/http2.ts';
import type { HttpConnectionManager } from '../../resource/http-connection-manager.ts';
import type { FilterMetadata } from '../../resource/route-configuration.ts';
import type { MetricsRegistry } from '../../telemetry/metrics/metrics.ts';
import { allOf, type StreamObserver } from '../../telemetry/telemetry.ts';
import type { TraceStarter } from '../../telemetry/trace/trace.ts';
import type { EventTurn, TlsMaterials } from '../../transport-socket/transport-socket.ts';
import type { SharedLimits } from '../cluster/cluster.ts';
import {
  compileFilterChain,
  FILTER_FACTORIES,
  type FilterChain,
  type FilterFactory,
  grpcMessageLimits,
} from '../filter/filter.ts';
import { FilterCalls, type Upstreams } from '../filter/router/router.ts';
import type { RouteTable } from '../route/route.ts';
import type { AccessLogs } from './access-logs.ts';
import { downstreamHttp2Limits } from './http2-limits.ts';
import { internalTest } from './internal-request.ts';
import { ManagerCounters } from './manager-counters.ts';
import { RequestIds } from './request-id.ts';

/** What every connection of one worker shares. */
export interface ManagerContext {
  readonly turn: EventTurn;
  readonly random: Random;
  readonly metrics: MetricsRegistry;
  readonly upstreams: Upstreams;
  /** Secrets and files that configuration names, as this worker has them. */
  readonly tlsMaterials: TlsMaterials;
  /** Limits of filters that hold for all workers together. */
  readonly limits: SharedLimits;
  /** Beside access logs and traces. */
  readonly observer?: StreamObserver;
  /** undefined: no access logs on this worker, whatever configuration says. */
  readonly accessLogs?: AccessLogs;
  /** undefined: no tracing on this worker, whatever configuration says. */
  readonly traces: TraceStarter | undefined;
  readonly workerId: number;
  /** `node.cluster` of the bootstrap: what the service beside us is called. */
  readonly nodeCluster: string;
  /** Filters by type URL; undefined: all there are. */
  readonly filterFactories?: ReadonlyMap<string, FilterFactory> | undefined;
}

/** Where a listener stands: goes into each record. */
export interface ListenerPlace {
  readonly name: string;
  readonly direction: 'inbound' | 'outbound';
  /** As bound, port included. */
  readonly host: string;
  readonly port: number;
}

/** The slowest a request head may arrive where `request_headers_timeout` says nothing. */
const DEFAULT_HEAD_TIMEOUT_MS = 10_000;
const MAX_WATERMARK_BYTES = 65_536;

/** An HTTP filter chain made ready for this worker. Immutable; a connection looks at the newest one for each request. */
export class HttpChain {
  readonly manager: HttpConnectionManager;
  readonly routes: RouteTable;
  readonly filters: FilterChain;
  readonly counters: ManagerCounters;
  readonly requestIds: RequestIds;
  readonly limits: Http1Limits;
  readonly http2Limits: Http2Limits;
  readonly place: ListenerPlace;
  readonly headTimeoutMs: number;
  /** Share of root traces to keep; undefined where the chain does not trace. */
  readonly tracingShare: number | undefined;
  readonly highWaterMarkBytes: number;
  readonly normalizesPath: boolean;
  /** The configured `server` value may be written without a look at each response. */
  readonly isServerNameChecked: boolean;
  readonly serverLine: string;
  /** The worker's observer and the chain's own access logs. */
  readonly observer: StreamObserver;
  /** Somebody reads every record, whether its trace is kept or not. */
  readonly showsRecords: boolean;

  constructor(
    context: ManagerContext,
    manager: HttpConnectionManager,
    routes: RouteTable,
    place: ListenerPlace,
    bufferLimitBytes: number,
    listenerMetadata: FilterMetadata,
  ) {
    this.manager = manager;
    this.routes = routes;
    this.place = place;
    const { turn, random, metrics } = context;
    const { limits, upstreams } = context;
    const filterContext = {
      turn,
      random,
      metrics,
      limits,
      clusters: upstreams.clusters,
      calls: new FilterCalls(upstreams),
      files: context.tlsMaterials,
      limitKey: `${place.name}/${manager.statPrefix}`,
      statPrefix: manager.statPrefix,
      nodeCluster: context.nodeCluster,
      isInternal: internalTest(manager),
    };
    const factories = context.filterFactories ?? FILTER_FACTORIES;
    const grpcLimits = grpcMessageLimits(listenerMetadata, routes.all, filterContext);
    this.filters = compileFilterChain(manager.httpFilters, factories, filterContext, grpcLimits);
    // Compiled ahead, so that a fault is the configuration's and not some request's.
    for (const route of routes.routesWithFilterConfigs()) this.filters.forRoute(route);
    this.counters = new ManagerCounters(metrics, manager.statPrefix);
    this.requestIds = new RequestIds(random);
    this.isServerNameChecked = isCanonicalValue(manager.serverName);
    this.serverLine = lineOf('server', manager.serverName);
    this.limits = {
      ...DEFAULT_HTTP1_LIMITS,
      maxHeadBytes: manager.maxRequestHeadersBytes,
      maxFields: manager.maxHeadersCount,
      headersWithUnderscores: UNDERSCORES[manager.headersWithUnderscoresAction],
      acceptHttp10: manager.acceptHttp10,
    };
    this.headTimeoutMs =
      manager.requestHeadersTimeoutMs > 0 ? manager.requestHeadersTimeoutMs : DEFAULT_HEAD_TIMEOUT_MS;
    this.http2Limits = downstreamHttp2Limits(manager, this.headTimeoutMs, listenerMetadata);
    const { tracing } = manager;
    this.tracingShare = tracing === undefined ? undefined : Math.min(tracing.randomSampling, tracing.overallSampling);
    this.highWaterMarkBytes = Math.min(bufferLimitBytes, MAX_WATERMARK_BYTES);
    const logs =
      context.accessLogs === undefined ? [] : manager.accessLogs.map((logger) => context.accessLogs?.get(logger));
    const observers = [context.observer, ...logs].filter((observer) => observer !== undefined);
    this.observer = allOf(observers);
    this.showsRecords = observers.length > 0;
    this.normalizesPath =
      manager.normalizePath || manager.mergeSlashes || manager.pathWithEscapedSlashesAction !== 'keepUnchanged';
  }
}

const UNDERSCORES = { allow: 'allow', rejectRequest: 'reject', dropHeader: 'drop' } as const;

/** The newest version of one filter chain: what its connections read, and what an update writes. */
export class ChainSlot {
  current: HttpChain;
  /** Streams that all connections of this slot have open. */
  openStreams = 0;

  constructor(chain: HttpChain) {
    this.current = chain;
  }
}
