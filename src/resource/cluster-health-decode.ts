import type { CircuitBreakerThresholds, HealthCheck, OutlierDetection } from './cluster.ts';
import type { MessageReader } from './message-reader.ts';
import { decodePercent } from './percent-decode.ts';

/** Envoy's thresholds. */
const DEFAULT_MAX_CONNECTIONS = 1024;
const DEFAULT_MAX_PENDING_REQUESTS = 1024;
const DEFAULT_MAX_REQUESTS = 1024;
const DEFAULT_MAX_RETRIES = 3;
const DEFAULT_BUDGET_PERCENT = 20;
const DEFAULT_MIN_RETRY_CONCURRENCY = 3;

/** envoy.config.cluster.v3.CircuitBreakers: the thresholds of default priority. */
export function decodeCircuitBreakers(reader: MessageReader | undefined): CircuitBreakerThresholds {
  const thresholds = defaultPriority(reader?.messages('thresholds'));
  const budget = thresholds?.message('retry_budget');
  return {
    maxConnections: thresholds?.wrappedNumber('max_connections') ?? DEFAULT_MAX_CONNECTIONS,
    maxPendingRequests: thresholds?.wrappedNumber('max_pending_requests') ?? DEFAULT_MAX_PENDING_REQUESTS,
    maxRequests: thresholds?.wrappedNumber('max_requests') ?? DEFAULT_MAX_REQUESTS,
    maxRetries: thresholds?.wrappedNumber('max_retries') ?? DEFAULT_MAX_RETRIES,
    retryBudget: budget && {
      budgetPercent: decodePercent(budget.message('budget_percent')) ?? DEFAULT_BUDGET_PERCENT,
      minRetryConcurrency: budget.wrappedNumber('min_retry_concurrency') ?? DEFAULT_MIN_RETRY_CONCURRENCY,
    },
    maxConnectionsPerHost: defaultPriority(reader?.messages('per_host_thresholds'))?.wrappedNumber('max_connections'),
  };
}

const PRIORITIES = { DEFAULT: 'default', HIGH: 'high' } as const;

function defaultPriority(thresholds: readonly MessageReader[] | undefined): MessageReader | undefined {
  return thresholds?.find((entry) => entry.choice('priority', PRIORITIES, 'default') === 'default');
}

/** envoy.config.cluster.v3.OutlierDetection. Detection by success rate and failure percentage is read past. */
export function decodeOutlierDetection(reader: MessageReader | undefined): OutlierDetection | undefined {
  if (reader === undefined) return undefined;
  const baseEjectionTimeMs = reader.positiveDurationMs('base_ejection_time') ?? 30_000;
  return {
    consecutive5xx: reader.wrappedNumber('consecutive_5xx') ?? 5,
    enforcingConsecutive5xxPercent: percentOf(reader, 'enforcing_consecutive_5xx', 100),
    consecutiveGatewayFailure: reader.wrappedNumber('consecutive_gateway_failure') ?? 5,
    enforcingConsecutiveGatewayFailurePercent: percentOf(reader, 'enforcing_consecutive_gateway_failure', 0),
    intervalMs: reader.positiveDurationMs('interval') ?? 10_000,
    baseEjectionTimeMs,
    // As in Envoy: never below the base time.
    maxEjectionTimeMs: Math.max(reader.positiveDurationMs('max_ejection_time') ?? 300_000, baseEjectionTimeMs),
    maxEjectionPercent: percentOf(reader, 'max_ejection_percent', 10),
  };
}

function percentOf(reader: MessageReader, field: string, absent: number): number {
  const percent = reader.wrappedNumber(field) ?? absent;
  if (percent > 100) reader.fault(field, `must be from 0 to 100, not ${percent}`);
  return percent;
}

/** envoy.config.core.v3.HealthCheck: what Envoy requires is required. Jitter, events and idle intervals are read past. */
export function decodeHealthCheck(reader: MessageReader): HealthCheck {
  reader.refuse('alt_port', 'tls_options', 'transport_socket_match_criteria');
  return {
    timeoutMs: requiredDuration(reader, 'timeout'),
    intervalMs: requiredDuration(reader, 'interval'),
    unhealthyThreshold: requiredCount(reader, 'unhealthy_threshold'),
    healthyThreshold: requiredCount(reader, 'healthy_threshold'),
    checker: decodeChecker(reader),
  };
}

function requiredDuration(reader: MessageReader, field: string): number {
  const milliseconds = reader.positiveDurationMs(field);
  if (milliseconds === undefined) reader.fault(field, 'must be set');
  return milliseconds ?? 1000;
}

function requiredCount(reader: MessageReader, field: string): number {
  const count = reader.wrappedNumber(field);
  if (count === undefined) reader.fault(field, 'must be set');
  return Math.max(count ?? 1, 1);
}

function decodeChecker(reader: MessageReader): HealthCheck['checker'] {
  const specifier = reader.oneof('health_checker');
  const specified = specifier === undefined ? undefined : reader.message(specifier);
  if (specifier === undefined || specified === undefined) {
    reader.fault('', 'must have one of http_health_check, tcp_health_check, grpc_health_check');
    return { kind: 'tcp' };
  }
  switch (specifier) {
    case 'http_health_check':
      return decodeHttpChecker(specified);
    case 'grpc_health_check':
      return { kind: 'grpc', serviceName: specified.string('service_name') };
    case 'tcp_health_check':
      specified.refuse('send', 'receive', 'proxy_protocol_config');
      return { kind: 'tcp' };
    default:
      reader.refuse(specifier);
      return { kind: 'tcp' };
  }
}

function decodeHttpChecker(reader: MessageReader): HealthCheck['checker'] {
  reader.refuse('send', 'receive', 'request_headers_to_add', 'request_headers_to_remove', 'service_name_matcher');
  reader.choice('codec_client_type', { HTTP1: true }, true);
  reader.choice('method', { METHOD_UNSPECIFIED: true, GET: true }, true);
  const path = reader.requiredString('path');
  if (/[\s\0]/.test(path)) reader.fault('path', 'must not hold white space');
  const ranges = reader.messages('expected_statuses').map(decodeStatusRange);
  return {
    kind: 'http',
    path,
    host: reader.string('host'),
    expectedStatuses: ranges.length === 0 ? [[200, 201]] : ranges,
  };
}

/** envoy.type.v3.Int64Range is half open: the end is not in it. */
function decodeStatusRange(reader: MessageReader): readonly [number, number] {
  const start = reader.number('start');
  const end = reader.number('end');
  if (start < 100 || end > 600 || end <= start) reader.fault('', `[${start}, ${end}) must lie within [100, 600)`);
  return [start, end];
}
