import type { Json } from '../snapshot/resource-literal.ts';
import type { RouteDestination } from './config-entries.ts';

/**
 * Retries that are always safe: nothing of the request reached an application. A sidecar says so with a header on its 503
 * when it could not hand the request over at all.
 */
const NOT_PROCESSED_HEADER = 'x-weft-not-processed';
const SAFE_RETRY_ON = ['connect-failure', 'refused-stream', 'retriable-headers'];
const DEFAULT_NUM_RETRIES = 2;
/** How often a pick is repeated to find a host that was not tried yet. */
const HOST_SELECTION_ATTEMPTS = 5;
const PREVIOUS_HOSTS_PREDICATE: Json = {
  name: 'envoy.retry_host_predicates.previous_hosts',
  typedConfig: { '@type': 'type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate' },
};

/** The route's own wishes on top of the safe retries. Undefined where an upstream switched retrying off. */
export function retryPolicyJson(
  destination: RouteDestination | undefined,
  upstreamNumRetries: number | undefined,
): Json | undefined {
  const asked = destination !== undefined && destination.numRetries > 0 ? destination.numRetries : undefined;
  const numRetries = asked ?? upstreamNumRetries ?? (asksForRetries(destination) ? 1 : DEFAULT_NUM_RETRIES);
  if (numRetries === 0) return undefined;
  const retryOn = new Set(SAFE_RETRY_ON);
  for (const condition of destination?.retryOn ?? []) retryOn.add(condition);
  const statusCodes = destination?.retryOnStatusCodes ?? [];
  if (statusCodes.length > 0) retryOn.add('retriable-status-codes');
  return {
    retryOn: [...retryOn].join(','),
    numRetries,
    ...(statusCodes.length === 0 ? {} : { retriableStatusCodes: statusCodes }),
    retriableHeaders: [{ name: NOT_PROCESSED_HEADER, presentMatch: true }],
    retryHostPredicate: [PREVIOUS_HOSTS_PREDICATE],
    hostSelectionRetryMaxAttempts: HOST_SELECTION_ATTEMPTS,
  };
}

/** A route that says when to retry and not how often is retried once, as Envoy does. */
function asksForRetries(destination: RouteDestination | undefined): boolean {
  if (destination === undefined) return false;
  const { retryOn, retryOnStatusCodes, retryOnConnectFailure } = destination;
  return retryOnConnectFailure || retryOn.length > 0 || retryOnStatusCodes.length > 0;
}
