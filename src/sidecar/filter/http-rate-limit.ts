import { GRPC_STATUS } from '../../base/grpc-status.ts';
import type { LocalRateLimitConfig } from '../../resource/filter-config.ts';
import type { Fraction } from '../../resource/matcher.ts';
import { applyHeaderValueOption } from '../route/route.ts';
import type { DownstreamPeer } from './downstream-peer.ts';
import type { FilterContext } from './filter-context.ts';
import type { CompiledFilter, FilterStream } from './filter-stream.ts';
import { plainReply } from './local-replies.ts';
import { TokenBucket } from './token-bucket.ts';

const LIMITED = 'local_rate_limited';

/** envoy.filters.http.local_ratelimit: one bucket for all workers of this sidecar, or one for each connection. */
export function createHttpRateLimit(
  name: string,
  config: LocalRateLimitConfig,
  context: FilterContext,
): CompiledFilter {
  const { random, metrics } = context;
  const scope = { kind: 'httpRateLimit', name: config.statPrefix } as const;
  const enabled = metrics.counter(scope, 'http_local_rate_limit.enabled');
  const enforced = metrics.counter(scope, 'http_local_rate_limit.enforced');
  const ok = metrics.counter(scope, 'http_local_rate_limit.ok');
  const limited = metrics.counter(scope, 'http_local_rate_limit.rate_limited');
  const take = bucketOf(name, config, context);
  const grpcStatus = config.rateLimitedAsResourceExhausted ? GRPC_STATUS.resourceExhausted : GRPC_STATUS.unavailable;
  const reply = plainReply(config.status, LIMITED, LIMITED, 'RL', grpcStatus);
  return {
    name,
    onRequestHead(stream) {
      if (take === undefined || !happens(config.filterEnabled, random.next())) return 'continue';
      enabled.increment();
      if (take(stream)) {
        ok.increment();
        return 'continue';
      }
      limited.increment();
      if (!happens(config.filterEnforced, random.next())) return 'continue';
      enforced.increment();
      for (const option of config.responseHeadersToAdd) {
        applyHeaderValueOption(stream.responseEdits, NO_FIELDS, option);
      }
      stream.sendLocalReply(reply, '');
      return 'stop';
    },
    forRoute([own], routeName) {
      if (own?.kind !== 'localRateLimit') return this;
      return createHttpRateLimit(name, own, { ...context, limitKey: `${context.limitKey}/${routeName}` });
    },
  };
}

/** How a request takes its token; undefined where there is no limit. */
function bucketOf(
  name: string,
  { tokenBucket, statPrefix, perDownstreamConnection }: LocalRateLimitConfig,
  { limits, limitKey, turn }: FilterContext,
): ((stream: FilterStream) => boolean) | undefined {
  if (tokenBucket === undefined) return undefined;
  if (!perDownstreamConnection) {
    const bucket = limits.bucket(`${limitKey}/${name}/${statPrefix}`, tokenBucket);
    return () => bucket.take();
  }
  const buckets = new WeakMap<DownstreamPeer, TokenBucket>();
  return ({ peer }) => {
    let bucket = buckets.get(peer);
    if (bucket === undefined) {
      bucket = new TokenBucket(tokenBucket, turn.nowMs);
      buckets.set(peer, bucket);
    }
    return bucket.take(turn.nowMs);
  };
}

function happens(fraction: Fraction, point: number): boolean {
  return fraction >= 1 || point < fraction;
}

const NO_FIELDS = {
  count: 0,
  nameAt: () => '',
  valueAt: () => '',
  indexOf: () => -1,
  get: () => undefined,
  isHopByHop: () => false,
};
