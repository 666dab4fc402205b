/**
 * Clusters: hosts by priority and locality, their health, circuit breakers, and the plan by which one is picked. Counts
 * that workers share live in SharedCounters. Does not know connections, requests' contents, listeners or the wire.
 */
export { type BreakerKind, CircuitBreakers } from './circuit-breakers.ts';
export { ClusterSet, type SlottedAssignment } from './cluster-set.ts';
export type { DestinationHost } from './destination-host.ts';
export { type DestinationHosts, MAX_DESTINATION_HOSTS } from './destination-hosts.ts';
export { Host } from './host.ts';
export { type Ejection, OutlierDetector } from './outlier-detector.ts';
export { type PickContext, PLAIN_PICK, RuntimeCluster, type SlottedCluster } from './runtime-cluster.ts';
export { createSharedCounterMemory, SharedCounters, settleLedger } from './shared-counters.ts';
export { type ConcurrencyLimit, SharedLimits, type SharedTokenBucket } from './shared-limits.ts';
