import type { Random } from '../../base/random.ts';
import type { TypedExtension } from '../../resource/route-configuration.ts';
import type { MetricsRegistry } from '../../telemetry/metrics/metrics.ts';
import type { EventTurn } from '../../transport-socket/transport-socket.ts';
import type { CompiledFilter } from './filter-stream.ts';

/** What a filter may use of its worker. */
export interface FilterContext {
  readonly turn: EventTurn;
  readonly random: Random;
  readonly metrics: MetricsRegistry;
  /** The connection manager's. */
  readonly statPrefix: string;
}

/** Compiles a filter's configuration; throws an Error that names the field where it cannot. */
export type FilterFactory = (name: string, config: TypedExtension, context: FilterContext) => CompiledFilter;
