import type { Json } from '../snapshot/resource-literal.ts';
import type { LoadBalancer } from './config-entries.ts';
import type { Target } from './discovery-chain.ts';
import { durationJson } from './names.ts';
import { isHttp, isHttp2, type Protocol } from './protocol.ts';
import type { PassiveHealthCheck, UpstreamLimits, UpstreamOptions } from './upstream-options.ts';

/** Well below the hour after which the inbound side closes an idle connection, so that a reused one is rarely dead. */
const POOL_IDLE_TIMEOUT_MS = 300_000;
/**
 * Retries in flight, as a share of the requests in flight, and how many are always allowed. Every request may be retried at
 * once: when an instance dies, all that were sent to it are, and none of them reached an application. Less is for upstreams
 * whose routes also retry what did.
 */
const DEFAULT_RETRY_BUDGET_PERCENT = 100;
const MIN_RETRY_CONCURRENCY = 3;

/** RingHashLbConfig.minimum_ring_size where nothing is said. */
const DEFAULT_MINIMUM_RING_SIZE = 1024;

export type RingSizes = Partial<Pick<LoadBalancer, 'minimumRingSize' | 'maximumRingSize'>>;

/** Where an assignment is asked for: over the stream that is open anyway. */
export const ADS_CONFIG_SOURCE: Json = { ads: {}, resourceApiVersion: 'V3' };

export interface ClusterNames {
  readonly cluster: string;
  readonly assignment: string;
}

/** One target of a chain as envoy.config.cluster.v3.Cluster; `transport` says how connections to it are secured. */
export function targetClusterJson(
  names: ClusterNames,
  target: Target,
  protocol: Protocol,
  options: UpstreamOptions,
  transport: Json,
): Json {
  const connectTimeoutMs = options.connectTimeoutMs ?? target.connectTimeoutMs;
  return {
    name: names.cluster,
    type: 'EDS',
    edsClusterConfig: {
      edsConfig: ADS_CONFIG_SOURCE,
      ...(names.assignment === names.cluster ? {} : { serviceName: names.assignment }),
    },
    connectTimeout: durationJson(connectTimeoutMs),
    ...loadBalancingJson(target.loadBalancer, options),
    circuitBreakers: { thresholds: [thresholdsJson(options)] },
    outlierDetection: outlierDetectionJson(options.passiveHealthCheck),
    // As Consul: with no healthy endpoint left, requests fail instead of going to endpoints known to be bad.
    commonLbConfig: { healthyPanicThreshold: { value: 0 } },
    ...(isHttp(protocol) ? httpProtocolJson(protocol, POOL_IDLE_TIMEOUT_MS) : {}),
    ...transport,
  };
}

/** HttpProtocolOptions: which HTTP the next hop is spoken to in, and how long a pooled connection may idle. */
export function httpProtocolJson(protocol: Protocol, idleTimeoutMs: number): Json {
  const explicitHttpConfig = isHttp2(protocol) ? { http2ProtocolOptions: {} } : { httpProtocolOptions: {} };
  return {
    typedExtensionProtocolOptions: {
      'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
        '@type': 'type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions',
        commonHttpProtocolOptions: { idleTimeout: durationJson(idleTimeoutMs) },
        explicitHttpConfig,
      },
    },
  };
}

/** The resolver's word first, then the extension key, then Consul's default. */
function loadBalancingJson(loadBalancer: LoadBalancer | undefined, options: UpstreamOptions): Json {
  const policy = loadBalancer?.policy || options.loadBalancingPolicy || 'round_robin';
  const slowStart =
    options.slowStartMs === undefined || options.slowStartMs === 0
      ? {}
      : { slowStartConfig: { slowStartWindow: durationJson(options.slowStartMs) } };
  switch (policy) {
    case 'round_robin':
      return { lbPolicy: 'ROUND_ROBIN', ...nonEmpty('roundRobinLbConfig', slowStart) };
    case 'random':
      return { lbPolicy: 'RANDOM' };
    case 'least_request': {
      const choice = loadBalancer?.choiceCount === undefined ? {} : { choiceCount: loadBalancer.choiceCount };
      return { lbPolicy: 'LEAST_REQUEST', ...nonEmpty('leastRequestLbConfig', { ...choice, ...slowStart }) };
    }
    case 'ring_hash':
      return { lbPolicy: 'RING_HASH', ...nonEmpty('ringHashLbConfig', ringSizesJson(loadBalancer ?? {})) };
    case 'maglev':
      return { lbPolicy: 'MAGLEV' };
  }
}

/** The sizes asked for, as RingHashLbConfig. A largest ring below Envoy's smallest by default is of that size exactly. */
export function ringSizesJson({ minimumRingSize, maximumRingSize }: RingSizes): Json {
  const minimum =
    minimumRingSize === undefined && maximumRingSize !== undefined && maximumRingSize < DEFAULT_MINIMUM_RING_SIZE
      ? maximumRingSize
      : minimumRingSize;
  return {
    ...(minimum === undefined ? {} : { minimumRingSize: minimum }),
    ...(maximumRingSize === undefined ? {} : { maximumRingSize }),
  };
}

function thresholdsJson({ limits, retryBudgetPercent }: UpstreamOptions): Json {
  return {
    ...limitsJson(limits),
    retryBudget: {
      budgetPercent: { value: retryBudgetPercent ?? DEFAULT_RETRY_BUDGET_PERCENT },
      minRetryConcurrency: MIN_RETRY_CONCURRENCY,
    },
  };
}

function limitsJson(limits: UpstreamLimits | undefined): Json {
  return {
    ...(limits?.maxConnections === undefined ? {} : { maxConnections: limits.maxConnections }),
    ...(limits?.maxPendingRequests === undefined ? {} : { maxPendingRequests: limits.maxPendingRequests }),
    ...(limits?.maxConcurrentRequests === undefined ? {} : { maxRequests: limits.maxConcurrentRequests }),
  };
}

/** Present even when nothing is set: Consul's meshes eject on Envoy's defaults. */
function outlierDetectionJson(check: PassiveHealthCheck | undefined): Json {
  if (check === undefined) return {};
  return {
    ...(check.intervalMs === undefined ? {} : { interval: durationJson(check.intervalMs) }),
    ...(check.maxFailures === undefined || check.maxFailures === 0 ? {} : { consecutive5xx: check.maxFailures }),
    ...(check.enforcingConsecutive5xx === undefined ? {} : { enforcingConsecutive5xx: check.enforcingConsecutive5xx }),
    ...(check.maxEjectionPercent === undefined ? {} : { maxEjectionPercent: check.maxEjectionPercent }),
    ...(check.baseEjectionTimeMs === undefined ? {} : { baseEjectionTime: durationJson(check.baseEjectionTimeMs) }),
  };
}

function nonEmpty(key: string, json: Json): Json {
  return Object.keys(json).length === 0 ? {} : { [key]: json };
}
