import { addressText } from '../../resource/address.ts';
import type { Listener } from '../../resource/listener.ts';
import type { MetricsRegistry } from '../../telemetry/metrics/metrics.ts';
import type { InspectionPlan } from './connection-inspection.ts';
import { InspectionCounters } from './listener-counters.ts';
import { compileListenerFilters, needsListenerFilters } from './listener-filters.ts';

/** undefined: a chain is chosen at once. */
export function compilePlan(listener: Listener, metrics: MetricsRegistry): InspectionPlan | undefined {
  if (!needsListenerFilters(listener)) return undefined;
  const counters = new InspectionCounters(metrics, addressText(listener.address));
  return {
    filters: compileListenerFilters(listener, counters),
    asksForDestination: listener.listenerFilters.some(({ kind }) => kind === 'originalDst'),
    counters,
    timeoutMs: listener.listenerFiltersTimeoutMs,
    continueOnTimeout: listener.continueOnListenerFiltersTimeout,
  };
}
