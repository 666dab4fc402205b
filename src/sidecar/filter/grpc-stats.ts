import { GRPC_STATUS_NAMES } from '../../base/grpc-status.ts';
import { GrpcMessageCounter } from '../../http/grpc/grpc.ts';
import type { HttpFilterConfig } from '../../resource/filter-config.ts';
import type { Counter, MetricsRegistry } from '../../telemetry/metrics/metrics.ts';
import type { FilterContext } from './filter-context.ts';
import type { CompiledFilter, FilterStream } from './filter-stream.ts';

type GrpcStatsConfig = Extract<HttpFilterConfig, { readonly kind: 'grpcStats' }>;

/** Methods that have statistics of their own, per filter; clients choose their names, so further ones share one. */
const MAX_METHODS = 512;
const OTHER = '_other';

/** What is remembered of one call. */
interface Call {
  readonly method: string | undefined;
  readonly requests: GrpcMessageCounter;
  readonly responses: GrpcMessageCounter;
}

/**
 * envoy.filters.http.grpc_stats: calls by how they ended and messages, per cluster and, where asked for, per method
 * (`cluster.<name>.grpc.<service>.<method>.success`). Messages are counted as they pass; nothing of them is kept.
 */
export function createGrpcStats(name: string, config: GrpcStatsConfig, context: FilterContext): CompiledFilter {
  const calls = new Map<FilterStream, Call>();
  const methods = new MethodNames(config);
  const counters = new CallCounters(context.metrics);
  return {
    name,
    onRequestHead(stream) {
      if (stream.isGrpcCall) {
        const method = methods.nameOf(stream.head.path);
        calls.set(stream, { method, requests: new GrpcMessageCounter(), responses: new GrpcMessageCounter() });
      }
      return 'continue';
    },
    onRequestBody(stream, { buffer, start, end }) {
      calls.get(stream)?.requests.add(buffer, start, end);
    },
    onResponseBody(stream, { buffer, start, end }) {
      calls.get(stream)?.responses.add(buffer, start, end);
    },
    onStreamEnd(stream) {
      const call = calls.get(stream);
      if (call === undefined) return;
      calls.delete(stream);
      const { clusterName, grpcStatus } = stream.record;
      // Without a cluster the call reached nobody, and Envoy counts it nowhere either.
      if (clusterName !== '') counters.count(clusterName, call, grpcStatus);
    },
  };
}

/** Names of methods as part of a statistic's name, bounded. */
class MethodNames {
  readonly #config: GrpcStatsConfig;
  readonly #known = new Map<string, string>();

  constructor(config: GrpcStatsConfig) {
    this.#config = config;
  }

  /** undefined: the call counts for its cluster only. */
  nameOf(path: string): string | undefined {
    if (!this.#config.statsForAllMethods && !this.#config.allowlist.has(path)) return undefined;
    const known = this.#known.get(path);
    if (known !== undefined) return known;
    const match = /^\/([\w.]+)\/(\w+)$/.exec(path);
    if (match === null || path.length > 256 || this.#known.size >= MAX_METHODS) return OTHER;
    const [, service = '', method = ''] = match;
    const made = `${this.#config.replaceDots ? service.replaceAll('.', '_') : service}.${method}`;
    this.#known.set(path, made);
    return made;
  }
}

/** Envoy's counters of calls, made when they are first needed. */
class CallCounters {
  readonly #metrics: MetricsRegistry;

  constructor(metrics: MetricsRegistry) {
    this.#metrics = metrics;
  }

  count(cluster: string, { method, requests, responses }: Call, grpcStatus: number): void {
    const prefix = method === undefined ? 'grpc' : `grpc.${method}`;
    const counter = (suffix: string): Counter =>
      this.#metrics.counter({ kind: 'cluster', name: cluster }, `${prefix}.${suffix}`);
    counter('total').increment();
    counter(grpcStatus === 0 ? 'success' : 'failure').increment();
    if (GRPC_STATUS_NAMES[grpcStatus] !== undefined) counter(String(grpcStatus)).increment();
    counter('request_message_count').add(requests.messages);
    counter('response_message_count').add(responses.messages);
  }
}
