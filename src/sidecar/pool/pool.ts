/**
 * Connections to one host: opened, lent for one exchange (HTTP/1.1) or for many at a time (HTTP/2), kept, counted and
 * closed. Knows sockets, both codecs, and limits. Does not know clusters, routes, retries or whom a response is for.
 */

export { AutoHostPool } from './auto-host-pool.ts';
export { CopiedFields } from './copied-fields.ts';
export { HostPool } from './host-pool.ts';
export { Http2HostPool } from './http2-host-pool.ts';
export { PoolCounters } from './pool-counters.ts';
export { type ClusterLimits, LONGEST_SAFE_IDLE_MS, PENDING_TIMEOUT_MS, type PoolOptions } from './pool-limits.ts';
export { dialledTls, type PoolTls } from './pool-tls.ts';
export type { ConnectionWaiter, UpstreamExchange, UpstreamPool, UpstreamRequestLine } from './upstream-exchange.ts';
export type { PoolFailure, ResetReason, UpstreamSink } from './upstream-sink.ts';
