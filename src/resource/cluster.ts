import type { ClusterLoadAssignment } from './cluster-load-assignment.ts';
import type { InitialFetchTimeout } from './config-source-decode.ts';
import type { Http2Options } from './http2-options.ts';
import type { FilterMetadata } from './route-configuration.ts';
import type { TransportSocket } from './transport-socket.ts';

/** envoy.config.cluster.v3.Cluster, narrowed to what a sidecar obeys. Durations are milliseconds. */
export interface Cluster {
  readonly name: string;
  readonly discovery:
    | ({ readonly kind: 'eds'; readonly serviceName: string } & InitialFetchTimeout)
    | { readonly kind: 'static'; readonly assignment: ClusterLoadAssignment }
    | { readonly kind: 'strictDns'; readonly assignment: ClusterLoadAssignment; readonly refreshMs: number }
    | { readonly kind: 'logicalDns'; readonly assignment: ClusterLoadAssignment; readonly refreshMs: number }
    | OriginalDstDiscovery
    /** envoy.clusters.aggregate: other clusters by name, the next taking what those before it cannot. */
    | { readonly kind: 'aggregate'; readonly clusters: readonly string[] };
  /** Envoy's default 5,000. */
  readonly connectTimeoutMs: number;
  readonly loadBalancing: LoadBalancingPolicy;
  readonly circuitBreakers: CircuitBreakerThresholds;
  readonly outlierDetection: OutlierDetection | undefined;
  readonly healthChecks: readonly HealthCheck[];
  readonly healthyPanicThresholdPercent: number;
  readonly overprovisioningFactorPercent: number;
  readonly localityWeighted: boolean;
  readonly closeConnectionsOnHostHealthFailure: boolean;
  readonly upstreamProtocol: UpstreamProtocol;
  readonly transportSocket: TransportSocket | undefined;
  /** By what an endpoint's metadata says; the first that matches is meant, `transportSocket` where none does. */
  readonly transportSocketMatches: readonly TransportSocketMatch[];
  /** 0: no limit. */
  readonly maxRequestsPerConnection: number;
  /** `common_http_protocol_options.idle_timeout`; Envoy's default 3,600,000. */
  readonly idleTimeoutMs: number;
  readonly maxConnectionDurationMs: number | undefined;
  readonly perConnectionBufferLimitBytes: number;
  readonly altStatName: string | undefined;
  readonly metadata: FilterMetadata;
  /** `lrs_server: { self: {} }`: its loads are reported to the control server. */
  readonly reportsLoads?: boolean;
}

/** Type ORIGINAL_DST: the host of each connection or request is the address that it was meant for. */
export interface OriginalDstDiscovery {
  readonly kind: 'originalDst';
  /** In lower case; a request that carries it goes where it says. undefined: no header counts. */
  readonly httpHeaderName: string | undefined;
  /** Dynamic metadata that say the address, before the header does. */
  readonly metadataKey: { readonly filter: string; readonly path: readonly string[] } | undefined;
  /** Instead of the port of the destination. */
  readonly upstreamPortOverride: number | undefined;
  /** Hosts that nobody used for so long go away; Envoy's default 5,000. */
  readonly cleanupIntervalMs: number;
}

/** Cluster.TransportSocketMatch: each key must be in the endpoint's `envoy.transport_socket_match` metadata, with that value. */
export interface TransportSocketMatch {
  readonly match: Readonly<Record<string, unknown>>;
  readonly transportSocket: TransportSocket | undefined;
}

/** HttpProtocolOptions.upstream_protocol_options, or HTTP/1.1 where a cluster has none. */
export type UpstreamProtocol =
  | { readonly kind: 'explicitHttp1' }
  | { readonly kind: 'explicitHttp2'; readonly http2: Http2Options }
  | { readonly kind: 'useDownstreamProtocol'; readonly http2: Http2Options }
  | { readonly kind: 'auto'; readonly http2: Http2Options };

/** The first supported entry of `load_balancing_policy.policies`, or what `lb_policy` says. */
export type LoadBalancingPolicy =
  | { readonly kind: 'roundRobin'; readonly slowStart: SlowStart | undefined }
  | {
      readonly kind: 'leastRequest';
      readonly choiceCount: number;
      readonly activeRequestBias: number;
      readonly selection: 'nChoices' | 'fullScan';
      readonly slowStart: SlowStart | undefined;
    }
  | { readonly kind: 'random' }
  | { readonly kind: 'ringHash'; readonly minimumRingSize: number; readonly maximumRingSize: number }
  | { readonly kind: 'maglev'; readonly tableSize: number };

export interface SlowStart {
  readonly windowMs: number;
  readonly aggression: number;
  readonly minWeightPercent: number;
}

/** Default-priority thresholds; Envoy's defaults are 1024, 1024, 1024, 3. */
export interface CircuitBreakerThresholds {
  readonly maxConnections: number;
  readonly maxPendingRequests: number;
  readonly maxRequests: number;
  readonly maxRetries: number;
  readonly retryBudget: { readonly budgetPercent: number; readonly minRetryConcurrency: number } | undefined;
  readonly maxConnectionsPerHost: number | undefined;
}

export interface OutlierDetection {
  readonly consecutive5xx: number;
  readonly enforcingConsecutive5xxPercent: number;
  readonly consecutiveGatewayFailure: number;
  readonly enforcingConsecutiveGatewayFailurePercent: number;
  readonly intervalMs: number;
  readonly baseEjectionTimeMs: number;
  readonly maxEjectionTimeMs: number;
  readonly maxEjectionPercent: number;
}

export interface HealthCheck {
  readonly timeoutMs: number;
  readonly intervalMs: number;
  readonly unhealthyThreshold: number;
  readonly healthyThreshold: number;
  readonly checker:
    | { readonly kind: 'tcp' }
    | {
        readonly kind: 'http';
        readonly path: string;
        readonly host: string;
        readonly expectedStatuses: readonly (readonly [number, number])[];
      }
    | { readonly kind: 'grpc'; readonly serviceName: string };
}
