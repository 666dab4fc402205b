/**
 * Connections to one host: opened, lent for one exchange, kept, counted and closed. Knows sockets, HTTP/1 framing of
 * responses, and limits. Does not know clusters, routes, retries or whom a response is for.
 */
export { type ConnectionWaiter, HostPool } from './host-pool.ts';
export { Http1UpstreamConnection } from './http1-upstream-connection.ts';
export { PoolCounters } from './pool-counters.ts';
export { type ClusterLimits, LONGEST_SAFE_IDLE_MS, PENDING_TIMEOUT_MS, type PoolOptions } from './pool-limits.ts';
export type { PoolFailure, ResetReason, UpstreamSink } from './upstream-sink.ts';
