import type { HealthCheckFilterConfig } from '../../resource/filter-config.ts';
import { compileHeaderMatcher } from '../route/route.ts';
import type { FilterContext } from './filter-context.ts';
import type { CompiledFilter, FilterStream } from './filter-stream.ts';
import { plainReply } from './local-replies.ts';

/** The app's last answer to a health check that was passed on. */
interface KnownAnswer {
  readonly status: number;
  readonly untilMs: number;
}

/**
 * envoy.filters.http.health_check: answers checks itself, by the health of the clusters it is told to watch, or passes them
 * on and remembers the answer for a while.
 */
export function createHealthCheck(
  name: string,
  config: HealthCheckFilterConfig,
  context: FilterContext,
): CompiledFilter {
  const matchers = config.headers.map(compileHeaderMatcher);
  const passedOn = new Set<FilterStream>();
  let known: KnownAnswer | undefined;
  return {
    name,
    onRequestHead(stream) {
      if (!matchers.every((matches) => matches(stream.head))) return 'continue';
      if (!config.passThroughMode) {
        const sick = [...config.clusterMinHealthyPercentages].find(
          ([cluster, percent]) => healthyPercent(cluster, context) < percent,
        );
        const reply =
          sick === undefined
            ? plainReply(200, 'health_check_ok', '')
            : plainReply(503, 'health_check_failed_cluster_unhealthy', '', 'FH');
        stream.sendLocalReply(reply, '');
        return 'stop';
      }
      if (known !== undefined && known.untilMs > context.turn.nowMs) {
        stream.sendLocalReply(
          plainReply(known.status, 'health_check_cached', '', known.status === 200 ? '' : 'FH'),
          '',
        );
        return 'stop';
      }
      if (config.cacheTimeMs !== undefined) passedOn.add(stream);
      return 'continue';
    },
    onResponseHead(stream, head) {
      if (passedOn.has(stream) && !stream.isLocalReply) {
        known = { status: head.status, untilMs: context.turn.nowMs + (config.cacheTimeMs ?? 0) };
      }
      return 'continue';
    },
    onStreamEnd: (stream) => void passedOn.delete(stream),
  };
}

/** 0 for a cluster that is not there, as in Envoy; 100 for one that has no hosts and wants none. */
function healthyPercent(clusterName: string, { clusters }: FilterContext): number {
  const hosts = clusters.get(clusterName)?.hosts;
  if (hosts === undefined || hosts.length === 0) return 0;
  return (hosts.filter((host) => host.isEligible()).length / hosts.length) * 100;
}
