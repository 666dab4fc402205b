import type { MetricsRegistry } from '../../../telemetry/metrics/metrics.ts';
import type { SharedLimits } from '../../cluster/cluster.ts';

/** What a network filter may use of its worker. */
export interface NetworkFilterContext {
  readonly metrics: MetricsRegistry;
  readonly limits: SharedLimits;
  /** Where the filter chain stands, the same on every worker: the key of its limits begins with it. */
  readonly limitKey: string;
}
