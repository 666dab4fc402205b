import type { MessageReader } from './message-reader.ts';
import type { AdaptiveConcurrencyConfig, AdmissionControlConfig, GradientConfig } from './overload-filter-config.ts';
import { decodePercent } from './percent-decode.ts';

/** What Envoy takes for success where no criteria are given: no 5xx, and no gRPC status that tells of a server in trouble. */
const DEFAULT_STATUSES = [{ start: 100, end: 500 }];
const DEFAULT_GRPC_STATUSES = [0, 1, 2, 3, 5, 6, 9, 11, 12, 16];
const LAST_GRPC_STATUS = 16;

/** envoy.extensions.filters.http.admission_control.v3.AdmissionControl. */
export function decodeAdmissionControl(reader: MessageReader): AdmissionControlConfig {
  const criteria = reader.requiredMessage('success_criteria');
  const aggression = reader.message('aggression')?.number('default_value') ?? 1;
  const successRateThreshold = runtimeShare(reader, 'sr_threshold', 95);
  if (successRateThreshold < 0.01) reader.fault('sr_threshold.default_value', 'must be at least 1 (percent)');
  const samplingWindowMs = reader.durationMs('sampling_window') ?? 30_000;
  if (samplingWindowMs < 1_000) reader.fault('sampling_window', 'must be at least 1s');
  if (samplingWindowMs > MAX_WINDOW_MS) reader.fault('sampling_window', `must be at most ${MAX_WINDOW_MS / 1000}s`);
  return {
    kind: 'admissionControl',
    isEnabled: enabled(reader),
    successStatuses: decodeStatuses(criteria?.message('http_criteria')),
    successGrpcStatuses: decodeGrpcStatuses(criteria?.message('grpc_criteria')),
    // Whole seconds, as in Envoy: the window moves by the second.
    samplingWindowMs: Math.floor(samplingWindowMs / 1_000) * 1_000,
    aggression: Math.max(1, aggression),
    successRateThreshold,
    requestsPerSecondThreshold: reader.message('rps_threshold')?.number('default_value') ?? 0,
    maxRejectionProbability: runtimeShare(reader, 'max_rejection_probability', 80),
  };
}

/** A window keeps two numbers for each of its seconds. */
const MAX_WINDOW_MS = 3_600_000;

function decodeStatuses(reader: MessageReader | undefined): AdmissionControlConfig['successStatuses'] {
  if (reader === undefined) return DEFAULT_STATUSES;
  const ranges = reader.messages('http_success_status');
  if (ranges.length === 0) reader.fault('http_success_status', 'must not be empty');
  return ranges.map((range) => {
    const start = range.number('start');
    const end = range.number('end');
    if (start < 100 || end > 600 || end <= start) range.fault('', `[${start}, ${end}) must lie within [100, 600)`);
    return { start, end };
  });
}

function decodeGrpcStatuses(reader: MessageReader | undefined): ReadonlySet<number> {
  if (reader === undefined) return new Set(DEFAULT_GRPC_STATUSES);
  const statuses = reader.numbers('grpc_success_status');
  if (statuses.length === 0) reader.fault('grpc_success_status', 'must not be empty');
  const unknown = statuses.find((status) => status > LAST_GRPC_STATUS);
  if (unknown !== undefined) reader.fault('grpc_success_status', `gRPC has no status ${unknown}`);
  return new Set(statuses);
}

/** envoy.extensions.filters.http.adaptive_concurrency.v3.AdaptiveConcurrency. */
export function decodeAdaptiveConcurrency(reader: MessageReader): AdaptiveConcurrencyConfig {
  const code = reader.message('concurrency_limit_exceeded_status')?.enumNumber('code') ?? 0;
  if (code > 599) reader.fault('concurrency_limit_exceeded_status.code', `must be an HTTP status, not ${code}`);
  const gradient = reader.requiredMessage('gradient_controller_config');
  return {
    kind: 'adaptiveConcurrency',
    isEnabled: enabled(reader),
    exceededStatus: code < 400 ? 503 : code,
    gradient: gradient === undefined ? REFUSED : decodeGradient(gradient),
  };
}

const REFUSED: GradientConfig = {
  samplePercentile: 0.5,
  maxConcurrencyLimit: 1000,
  concurrencyUpdateIntervalMs: 1_000,
  minRoundTrip: { intervalMs: 60_000, requestCount: 50, jitter: 0.15, minConcurrency: 3, buffer: 0.25 },
};

function decodeGradient(reader: MessageReader): GradientConfig {
  const limit = reader.requiredMessage('concurrency_limit_params');
  const minimum = reader.requiredMessage('min_rtt_calc_params');
  const samplePercentile = share(reader, 'sample_aggregate_percentile', 50);
  if (limit === undefined || minimum === undefined) return REFUSED;
  const maxConcurrencyLimit = positive(limit, 'max_concurrency_limit', 1000);
  const minConcurrency = positive(minimum, 'min_concurrency', 3);
  if (minConcurrency > maxConcurrencyLimit) {
    minimum.fault('min_concurrency', `must not be above max_concurrency_limit, which is ${maxConcurrencyLimit}`);
  }
  return {
    samplePercentile,
    maxConcurrencyLimit,
    concurrencyUpdateIntervalMs: interval(limit, 'concurrency_update_interval'),
    minRoundTrip: {
      intervalMs: interval(minimum, 'interval'),
      requestCount: positive(minimum, 'request_count', 50),
      jitter: share(minimum, 'jitter', 15),
      minConcurrency,
      buffer: share(minimum, 'buffer', 25),
    },
  };
}

function interval(reader: MessageReader, name: string): number {
  const milliseconds = reader.durationMs(name);
  if (milliseconds === undefined) reader.fault(name, 'must be set');
  else if (milliseconds < 1) reader.fault(name, 'must be at least 0.001s');
  return milliseconds ?? 1_000;
}

function positive(reader: MessageReader, name: string, fallback: number): number {
  const value = reader.wrappedNumber(name) ?? fallback;
  if (value < 1) reader.fault(name, 'must be at least 1');
  return value;
}

function share(reader: MessageReader, name: string, fallbackPercent: number): number {
  return (decodePercent(reader.message(name)) ?? fallbackPercent) / 100;
}

/** envoy.config.core.v3.RuntimePercent: its default value, as no runtime layer overrides it here. */
function runtimeShare(reader: MessageReader, name: string, fallbackPercent: number): number {
  return (decodePercent(reader.message(name)?.message('default_value')) ?? fallbackPercent) / 100;
}

/** envoy.config.core.v3.RuntimeFeatureFlag: on unless it says otherwise. */
function enabled(reader: MessageReader): boolean {
  return reader.message('enabled')?.wrappedBoolean('default_value') ?? true;
}
