import type { Random } from '../../base/random.ts';
import type { TypedExtension } from '../../resource/route-configuration.ts';
import type { MetricsRegistry } from '../../telemetry/metrics/metrics.ts';
import type { EventTurn, TlsMaterials } from '../../transport-socket/transport-socket.ts';
import type { ClusterSet, SharedLimits } from '../cluster/cluster.ts';
import type { CompiledFilter, FilterStream } from './filter-stream.ts';
import type { UpstreamCalls } from './upstream-calls.ts';

/** What a filter may use of its worker. */
export interface FilterContext {
  readonly turn: EventTurn;
  readonly random: Random;
  readonly metrics: MetricsRegistry;
  /** For filters that look at the health of clusters. */
  readonly clusters: Pick<ClusterSet, 'get'>;
  /** For filters that ask a service of the mesh about a request. */
  readonly calls: UpstreamCalls;
  /** Limits that hold for all workers together. */
  readonly limits: SharedLimits;
  /** Contents of files that configuration names, the newest good ones. */
  readonly files: Pick<TlsMaterials, 'fileText'>;
  /** Where the chain stands, the same on every worker: the key of its limits begins with it. */
  readonly limitKey: string;
  /** The connection manager's. */
  readonly statPrefix: string;
  /** What the sidecar's own bootstrap calls the service it stands beside. */
  readonly nodeCluster: string;
  /** Whether a request comes from an address that configuration calls internal. */
  isInternal(stream: FilterStream): boolean;
}

/** Compiles a filter's configuration; throws an Error that names the field where it cannot. */
export type FilterFactory = (name: string, config: TypedExtension, context: FilterContext) => CompiledFilter;
