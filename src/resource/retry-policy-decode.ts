import { decodeHeaderMatcher } from './matcher-decode.ts';
import type { MessageReader } from './message-reader.ts';
import type { HedgePolicy, RetryPolicy } from './route-configuration.ts';

const PREVIOUS_PRIORITIES = 'envoy.extensions.retry.priority.previous_priorities.v3.PreviousPrioritiesConfig';
const PREVIOUS_HOSTS = 'envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate';

/** Envoy's `upstream.base_retry_backoff_ms`. */
const DEFAULT_BASE_INTERVAL_MS = 25;

/** Envoy: the longest interval is ten base intervals unless it is set. */
const MAX_INTERVAL_FACTOR = 10;

/**
 * envoy.config.route.v3.RetryPolicy. `rate_limited_retry_back_off` and `per_try_idle_timeout` only say how well a retry is placed in
 * time; they are read past.
 */
export function decodeRetryPolicy(reader: MessageReader | undefined): RetryPolicy | undefined {
  if (reader === undefined) return undefined;
  reader.refuse('retriable_request_headers', 'retry_options_predicates');
  return {
    retryOn: wordsOf(reader.string('retry_on')),
    numRetries: reader.wrappedNumber('num_retries') ?? 1,
    perTryTimeoutMs: reader.durationMs('per_try_timeout') ?? 0,
    retriableStatusCodes: reader.numbers('retriable_status_codes'),
    retriableHeaders: reader.messages('retriable_headers').map(decodeHeaderMatcher),
    backOff: decodeBackOff(reader.message('retry_back_off')),
    previousHosts: decodeHostPredicates(reader),
    ...decodeRetryPriority(reader.message('retry_priority')),
    hostSelectionRetryMaxAttempts: Math.max(reader.number('host_selection_retry_max_attempts'), 1),
  };
}

/** envoy.config.route.v3.HedgePolicy, undefined where absent. */
export function decodeHedgePolicy(reader: MessageReader | undefined): HedgePolicy | undefined {
  if (reader === undefined) return undefined;
  if (reader.wrappedNumber('initial_requests') === 0) reader.fault('initial_requests', 'must be at least 1');
  return { hedgeOnPerTryTimeout: reader.boolean('hedge_on_per_try_timeout') };
}

function wordsOf(commaSeparated: string): readonly string[] {
  return commaSeparated
    .split(',')
    .map((word) => word.trim())
    .filter((word) => word !== '');
}

function decodeBackOff(reader: MessageReader | undefined): RetryPolicy['backOff'] {
  if (reader !== undefined && !reader.has('base_interval')) reader.fault('base_interval', 'must be set');
  const baseIntervalMs = reader?.positiveDurationMs('base_interval') ?? DEFAULT_BASE_INTERVAL_MS;
  const maxIntervalMs = reader?.positiveDurationMs('max_interval') ?? baseIntervalMs * MAX_INTERVAL_FACTOR;
  if (maxIntervalMs < baseIntervalMs) reader?.fault('max_interval', 'must not be below base_interval');
  return { baseIntervalMs, maxIntervalMs };
}

function decodeRetryPriority(
  reader: MessageReader | undefined,
): Pick<RetryPolicy, 'previousPrioritiesUpdateFrequency'> {
  const config = reader?.opened('typed_config');
  if (config === undefined) return {};
  if (config.typeName !== PREVIOUS_PRIORITIES) {
    reader?.fault('typed_config', `${config.typeName} is not supported; the one known is previous_priorities`);
    return {};
  }
  const previousPrioritiesUpdateFrequency = config.number('update_frequency');
  if (previousPrioritiesUpdateFrequency < 1) config.fault('update_frequency', 'must be above 0');
  return { previousPrioritiesUpdateFrequency };
}

/** A predicate is known by its typed config, or by name alone as older control planes write it. */
function decodeHostPredicates(reader: MessageReader): boolean {
  const predicates = reader.messages('retry_host_predicate');
  for (const predicate of predicates) {
    const named = predicate.string('name') === 'envoy.retry_host_predicates.previous_hosts';
    const typeName = predicate.has('typed_config') ? predicate.opened('typed_config')?.typeName : undefined;
    if (typeName === PREVIOUS_HOSTS || (typeName === undefined && named)) continue;
    predicate.fault('', `${predicate.string('name')} is not supported; the one known is previous_hosts`);
  }
  return predicates.length > 0;
}
