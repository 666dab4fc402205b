/**
 * The router filter: forwards one stream to a host of its route's cluster, with timeouts, retries and limits. Knows
 * routes, clusters and pools. Does not know listeners, downstream connections, or how an answer is written to one.
 */
export { ClusterCounters } from './cluster-counters.ts';
export { FilterCalls } from './filter-call.ts';
export { Forwarding } from './forwarding.ts';
export { type Mirror, startMirrors } from './mirror.ts';
export { MAX_REPLAY_BYTES } from './request-body.ts';
export type { RoutedStream } from './routed-stream.ts';
export { propagateTrace } from './trace-propagation.ts';
export { type HostOutcomeListener, UpstreamCluster, Upstreams, type UpstreamsOptions } from './upstreams.ts';
