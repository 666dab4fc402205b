/** envoy.extensions.filters.http.admission_control.v3.AdmissionControl. Shares are from 0 to 1. */
export interface AdmissionControlConfig {
  readonly kind: 'admissionControl';
  readonly isEnabled: boolean;
  /** Half open ranges of HTTP statuses that count as success. */
  readonly successStatuses: readonly { readonly start: number; readonly end: number }[];
  readonly successGrpcStatuses: ReadonlySet<number>;
  readonly samplingWindowMs: number;
  readonly aggression: number;
  readonly successRateThreshold: number;
  readonly requestsPerSecondThreshold: number;
  readonly maxRejectionProbability: number;
}

/** envoy.extensions.filters.http.adaptive_concurrency.v3.AdaptiveConcurrency. Shares are from 0 to 1. */
export interface AdaptiveConcurrencyConfig {
  readonly kind: 'adaptiveConcurrency';
  readonly isEnabled: boolean;
  readonly exceededStatus: number;
  readonly gradient: GradientConfig;
}

export interface GradientConfig {
  /** Of a window's latencies the one that stands for it. */
  readonly samplePercentile: number;
  readonly maxConcurrencyLimit: number;
  readonly concurrencyUpdateIntervalMs: number;
  readonly minRoundTrip: {
    readonly intervalMs: number;
    readonly requestCount: number;
    readonly jitter: number;
    readonly minConcurrency: number;
    /** How much slower than the smallest round trip is still no sign of load. */
    readonly buffer: number;
  };
}
