import type { AdaptiveConcurrencyConfig } from '../../resource/overload-filter-config.ts';
import type { FilterContext } from './filter-context.ts';
import type { CompiledFilter, FilterStream } from './filter-stream.ts';
import { GradientController, GradientStats } from './gradient-controller.ts';
import { plainReply } from './local-replies.ts';

/**
 * envoy.filters.http.adaptive_concurrency: as many requests at a time as pass without taking longer. Each worker measures
 * and limits by itself, so that what a sidecar lets through is the sum over its workers.
 */
export function createAdaptiveConcurrency(
  name: string,
  config: AdaptiveConcurrencyConfig,
  { metrics, statPrefix, random, turn }: FilterContext,
): CompiledFilter {
  const stats = new GradientStats(metrics, { kind: 'http', name: statPrefix });
  if (!config.isEnabled) return { name };
  const controller = new GradientController(config.gradient, random, stats, turn.nowMs);
  const reply = plainReply(config.exceededStatus, 'reached_concurrency_limit', 'reached concurrency limit');
  const beganAtMs = new Map<FilterStream, number>();
  return {
    name,
    onRequestHead(stream) {
      if (!controller.tryBegin(turn.nowMs)) {
        stream.sendLocalReply(reply, '');
        return 'stop';
      }
      beganAtMs.set(stream, turn.nowMs);
      return 'continue';
    },
    onStreamEnd(stream) {
      const began = beganAtMs.get(stream);
      if (began === undefined) return;
      beganAtMs.delete(stream);
      if (isCutOff(stream)) controller.cancel();
      else controller.finish(began, turn.nowMs);
    },
  };
}

/** The caller left or nothing was answered: how long that took says nothing about load. */
function isCutOff({ record }: FilterStream): boolean {
  return record.status === 0 || record.responseFlags.split(',').includes('DC');
}
