import type { NetworkFilterConfig } from './filter-config.ts';
import type { MessageReader } from './message-reader.ts';
import { decodeTokenBucket } from './rate-limit-decode.ts';
import { decodeRbac } from './rbac-decode.ts';

const NETWORK = 'envoy.extensions.filters.network';

/** Decoders of network filters that stand before the terminal one, by full message name. */
export const NETWORK_FILTER_DECODERS: ReadonlyMap<string, (reader: MessageReader) => NetworkFilterConfig> = new Map<
  string,
  (reader: MessageReader) => NetworkFilterConfig
>([
  [`${NETWORK}.rbac.v3.RBAC`, decodeNetworkRbac],
  [`${NETWORK}.connection_limit.v3.ConnectionLimit`, decodeConnectionLimit],
  [`${NETWORK}.local_ratelimit.v3.LocalRateLimit`, decodeNetworkRateLimit],
]);

/** Rules are judged once, when the connection opens; judging them again and again is refused. */
function decodeNetworkRbac(reader: MessageReader): NetworkFilterConfig {
  reader.refuse('matcher', 'shadow_matcher');
  reader.choice('enforcement_type', { ONE_TIME_ON_FIRST_BYTE: true }, true);
  return {
    kind: 'rbac',
    statPrefix: reader.requiredString('stat_prefix'),
    rules: decodeRbac(reader.message('rules')),
    shadowRules: decodeRbac(reader.message('shadow_rules')),
    rulesStatPrefix: '',
    shadowRulesStatPrefix: reader.string('shadow_rules_stat_prefix'),
  };
}

function decodeConnectionLimit(reader: MessageReader): NetworkFilterConfig {
  const maxConnections = reader.wrappedNumber('max_connections') ?? 0;
  if (maxConnections < 1) reader.fault('max_connections', 'must be at least 1');
  return {
    kind: 'connectionLimit',
    statPrefix: reader.requiredString('stat_prefix'),
    maxConnections,
    delayMs: reader.durationMs('delay') ?? 0,
  };
}

function decodeNetworkRateLimit(reader: MessageReader): NetworkFilterConfig {
  reader.refuse('share_key');
  const bucket = reader.requiredMessage('token_bucket');
  return {
    kind: 'localRateLimit',
    statPrefix: reader.requiredString('stat_prefix'),
    tokenBucket:
      bucket === undefined ? { maxTokens: 1, tokensPerFill: 1, fillIntervalMs: 1000 } : decodeTokenBucket(bucket),
  };
}
