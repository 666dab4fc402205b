import type { GrpcMethod } from '../../resource/grpc-service.ts';
import type { WireMessage } from '../../resource/protos.ts';
import { isPlainObject } from '../../resource/struct-json.ts';
import { type CallHandler, GrpcStatus, NO_HANDLER, type ServerCall } from './grpc/grpc-server.ts';

/**
 * envoy.service.load_stats.v3.LoadReportingService: clients tell how many requests they sent to each cluster and how these ended. It is
 * kept as totals by cluster; who reports is not authenticated, so nothing is decided by it.
 */

/** What all clients together have sent to one cluster since this server started, but for what is under way. */
export interface ClusterLoad {
  readonly cluster: string;
  readonly issued: number;
  readonly successful: number;
  readonly failed: number;
  /** Requests that clients turned away before they chose a host. */
  readonly dropped: number;
  /** Of the last report of each client that is connected. */
  readonly inProgress: number;
  readonly reporters: number;
}

export interface LoadReportCounters {
  streams: number;
  reports: number;
  /** Clusters that found no more room in the table. */
  clustersDropped: number;
}

interface Totals {
  issued: number;
  successful: number;
  failed: number;
  dropped: number;
  /** By stream, what it last said is under way. */
  readonly inProgress: Map<number, number>;
}

const REPORT_INTERVAL = { seconds: 10, nanos: 0 };
const MAX_CLUSTERS = 10_000;
const MAX_STREAMS = 10_000;
const MAX_NAME_LENGTH = 2_048;

export class LoadReports {
  readonly counters: LoadReportCounters = { streams: 0, reports: 0, clustersDropped: 0 };
  readonly #clusters = new Map<string, Totals>();
  #lastStreamId = 0;

  /** StreamLoadStats. */
  answer(call: ServerCall, method: GrpcMethod): CallHandler {
    if (this.counters.streams >= MAX_STREAMS) {
      call.end({ code: GrpcStatus.RESOURCE_EXHAUSTED, details: `${MAX_STREAMS} clients report already` });
      return NO_HANDLER;
    }
    this.#lastStreamId += 1;
    const streamId = this.#lastStreamId;
    let isAsked = false;
    this.counters.streams += 1;
    return {
      onMessage: (bytes) => {
        const report = decodeOrEnd(bytes, method, call);
        if (report === undefined) return;
        this.#take(streamId, report);
        if (isAsked) return;
        isAsked = true;
        call.send(method.responseSerialize({ send_all_clusters: true, load_reporting_interval: REPORT_INTERVAL }));
      },
      onWritable: () => undefined,
      onHalfClose: () => call.end({ code: GrpcStatus.OK, details: '' }),
      onClosed: () => {
        this.counters.streams -= 1;
        for (const { inProgress } of this.#clusters.values()) inProgress.delete(streamId);
      },
    };
  }

  /** Sorted by name. */
  view(): readonly ClusterLoad[] {
    return [...this.#clusters]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([cluster, { issued, successful, failed, dropped, inProgress }]) => ({
        cluster,
        issued,
        successful,
        failed,
        dropped,
        inProgress: [...inProgress.values()].reduce((sum, count) => sum + count, 0),
        reporters: inProgress.size,
      }));
  }

  #take(streamId: number, report: WireMessage): void {
    const clusters = listOf(report['cluster_stats']);
    if (clusters.length > 0) this.counters.reports += 1;
    for (const cluster of clusters) this.#takeCluster(streamId, cluster);
  }

  #takeCluster(streamId: number, cluster: WireMessage): void {
    const given = cluster['cluster_name'];
    const name = typeof given === 'string' ? given.slice(0, MAX_NAME_LENGTH) : '';
    const totals = this.#clusters.get(name) ?? this.#open(name);
    if (totals === undefined) {
      this.counters.clustersDropped += 1;
      return;
    }
    let inProgress = 0;
    for (const locality of listOf(cluster['upstream_locality_stats'])) {
      totals.issued += count(locality['total_issued_requests']);
      totals.successful += count(locality['total_successful_requests']);
      totals.failed += count(locality['total_error_requests']);
      inProgress += count(locality['total_requests_in_progress']);
    }
    totals.dropped += count(cluster['total_dropped_requests']);
    totals.inProgress.set(streamId, inProgress);
  }

  #open(name: string): Totals | undefined {
    if (name === '' || this.#clusters.size >= MAX_CLUSTERS) return undefined;
    const totals: Totals = { issued: 0, successful: 0, failed: 0, dropped: 0, inProgress: new Map() };
    this.#clusters.set(name, totals);
    return totals;
  }
}

/** Bytes that are no report end their stream, and nothing else. */
function decodeOrEnd(bytes: Buffer, method: GrpcMethod, call: ServerCall): WireMessage | undefined {
  try {
    return method.requestDeserialize(bytes);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    call.end({ code: GrpcStatus.INVALID_ARGUMENT, details: `the request is no load report: ${reason}` });
    return undefined;
  }
}

function listOf(value: unknown): readonly WireMessage[] {
  return Array.isArray(value) ? value.filter(isPlainObject) : [];
}

/** 64-bit numbers arrive as text; a report that claims more than can be counted counts as nothing. */
function count(value: unknown): number {
  const number = Number(value ?? 0);
  return Number.isSafeInteger(number) && number >= 0 ? number : 0;
}
