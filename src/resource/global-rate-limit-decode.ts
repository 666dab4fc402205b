import type { GlobalRateLimitConfig, GlobalRateLimitRouteConfig } from './global-rate-limit.ts';
import { decodeHeaderValueOptions } from './header-mutation-decode.ts';
import type { MessageReader } from './message-reader.ts';
import { decodeRuntimeFraction } from './percent-decode.ts';
import { decodeRateLimitedStatus } from './rate-limit-decode.ts';
import { decodeEmbeddedRateLimits, decodeStage } from './rate-limit-policy-decode.ts';
import type { GrpcUpstreamService } from './upstream-service.ts';
import { decodeGrpcUpstreamService } from './upstream-service-decode.ts';

/** Envoy's. */
const DEFAULT_TIMEOUT_MS = 20;
const DEFAULT_STATUS_ON_ERROR = 500;

const REQUEST_TYPES: ReadonlyMap<string, GlobalRateLimitConfig['requestType']> = new Map([
  ['', 'both'],
  ['both', 'both'],
  ['internal', 'internal'],
  ['external', 'external'],
]);

/** envoy.extensions.filters.http.ratelimit.v3.RateLimit. */
export function decodeGlobalRateLimit(reader: MessageReader): GlobalRateLimitConfig {
  const failureModeDeny = decodeRuntimeFraction(reader.message('failure_mode_deny_percent'));
  return {
    kind: 'rateLimit',
    domain: reader.requiredString('domain'),
    stage: decodeStage(reader, reader.number('stage')),
    requestType: decodeRequestType(reader),
    service: decodeService(reader),
    filterEnabled: decodeRuntimeFraction(reader.message('filter_enabled')) ?? 1,
    filterEnforced: decodeRuntimeFraction(reader.message('filter_enforced')) ?? 1,
    failureModeDeny: failureModeDeny ?? (reader.boolean('failure_mode_deny') ? 1 : 0),
    rateLimitedStatus: decodeRateLimitedStatus(reader.message('rate_limited_status')),
    statusOnError: decodeStatusOnError(reader.message('status_on_error')),
    rateLimitedAsResourceExhausted: reader.boolean('rate_limited_as_resource_exhausted'),
    responseHeadersToAdd: decodeHeaderValueOptions(reader, 'response_headers_to_add'),
    addsLimitHeaders: reader.choice('enable_x_ratelimit_headers', LIMIT_HEADERS, false),
    addsLimitedHeader: !reader.boolean('disable_x_envoy_ratelimited_header'),
    statPrefix: reader.string('stat_prefix'),
    rateLimits: decodeEmbeddedRateLimits(reader),
  };
}

const LIMIT_HEADERS = { OFF: false, DRAFT_VERSION_03: true } as const;

const VIRTUAL_HOST_LIMITS = { OVERRIDE: 'override', INCLUDE: 'include', IGNORE: 'ignore' } as const;
const OVERRIDE_OPTIONS = {
  DEFAULT: 'default',
  OVERRIDE_POLICY: 'override',
  INCLUDE_POLICY: 'include',
  IGNORE_POLICY: 'ignore',
} as const;

/** envoy.extensions.filters.http.ratelimit.v3.RateLimitPerRoute. `override_option` is the newer word for `vh_rate_limits`. */
export function decodeRateLimitPerRoute(reader: MessageReader): GlobalRateLimitRouteConfig {
  const older = reader.choice('vh_rate_limits', VIRTUAL_HOST_LIMITS, 'override');
  const newer = reader.choice('override_option', OVERRIDE_OPTIONS, 'default');
  return {
    kind: 'rateLimitOptions',
    virtualHostLimits: newer === 'default' ? older : newer,
    domain: reader.string('domain'),
    rateLimits: decodeEmbeddedRateLimits(reader),
  };
}

function decodeRequestType(reader: MessageReader): GlobalRateLimitConfig['requestType'] {
  const text = reader.string('request_type');
  const type = REQUEST_TYPES.get(text);
  if (type === undefined) reader.fault('request_type', `${text} must be one of internal, external, both`);
  return type ?? 'both';
}

/** The filter's own `timeout` is the one that counts, as in Envoy. */
function decodeService(reader: MessageReader): GrpcUpstreamService {
  const config = reader.requiredMessage('rate_limit_service');
  config?.choice('transport_api_version', { V3: 3 }, 3);
  const service = decodeGrpcUpstreamService(config?.requiredMessage('grpc_service'), DEFAULT_TIMEOUT_MS);
  return { ...service, timeoutMs: reader.positiveDurationMs('timeout') ?? DEFAULT_TIMEOUT_MS };
}

function decodeStatusOnError(reader: MessageReader | undefined): number {
  const code = reader?.enumNumber('code') ?? 0;
  if (code === 0) return DEFAULT_STATUS_ON_ERROR;
  if (code < 200 || code > 599) reader?.fault('code', `must be from 200 to 599, not ${code}`);
  return code;
}
