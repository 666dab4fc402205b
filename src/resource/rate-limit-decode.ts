import type { LocalRateLimitConfig, TokenBucketConfig } from './filter-config.ts';
import { decodeHeaderValueOptions } from './header-mutation-decode.ts';
import type { MessageReader } from './message-reader.ts';
import { decodeRuntimeFraction } from './percent-decode.ts';

/** Envoy refills no faster. */
const SHORTEST_FILL_INTERVAL_MS = 50;

/** envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit. Rate limit headers in replies are read past. */
export function decodeLocalRateLimit(reader: MessageReader): LocalRateLimitConfig {
  reader.refuse('descriptors', 'local_cluster_rate_limit', 'request_headers_to_add_when_not_enforced');
  const bucket = reader.message('token_bucket');
  return {
    kind: 'localRateLimit',
    statPrefix: reader.requiredString('stat_prefix'),
    tokenBucket: bucket && decodeTokenBucket(bucket),
    status: decodeRateLimitedStatus(reader.message('status')),
    // As in Envoy: a limit is off until a share is given.
    filterEnabled: decodeRuntimeFraction(reader.message('filter_enabled')) ?? 0,
    filterEnforced: decodeRuntimeFraction(reader.message('filter_enforced')) ?? 0,
    perDownstreamConnection: reader.boolean('local_rate_limit_per_downstream_connection'),
    rateLimitedAsResourceExhausted: reader.boolean('rate_limited_as_resource_exhausted'),
    responseHeadersToAdd: decodeHeaderValueOptions(reader, 'response_headers_to_add'),
  };
}

/** envoy.type.v3.TokenBucket. */
export function decodeTokenBucket(reader: MessageReader): TokenBucketConfig {
  const maxTokens = reader.number('max_tokens');
  const tokensPerFill = reader.wrappedNumber('tokens_per_fill') ?? 1;
  if (maxTokens < 1) reader.fault('max_tokens', 'must be at least 1');
  if (tokensPerFill < 1) reader.fault('tokens_per_fill', 'must be at least 1');
  const fillIntervalMs = reader.positiveDurationMs('fill_interval');
  if (fillIntervalMs === undefined) reader.fault('fill_interval', 'must be set');
  else if (fillIntervalMs < SHORTEST_FILL_INTERVAL_MS) {
    reader.fault('fill_interval', `must be at least ${SHORTEST_FILL_INTERVAL_MS / 1000}s`);
  }
  return { maxTokens, tokensPerFill, fillIntervalMs: fillIntervalMs ?? SHORTEST_FILL_INTERVAL_MS };
}

/** envoy.type.v3.HttpStatus; Envoy answers 429 where it is absent or below 400. */
export function decodeRateLimitedStatus(reader: MessageReader | undefined): number {
  const code = reader?.enumNumber('code') ?? 0;
  if (code > 599) reader?.fault('code', `must be an HTTP status, not ${code}`);
  return code < 400 ? 429 : code;
}
