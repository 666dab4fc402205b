/**
 * One sidecar as a process: a main thread that takes resources, and workers that carry traffic. Starts workers, hands
 * updates over, merges what they count, drains and replaces them. Does not know where resources come from, nor what a
 * request is.
 */
export { clusterTotals } from './cluster-totals.ts';
export { DataPlane, type DataPlaneOptions } from './data-plane.ts';
export { FirstConfig } from './first-config.ts';
export { sidecarMetrics } from './main-metrics.ts';
export type { BoundListener, ListenerFailure } from './messages.ts';
export { type AnyResource, decodeAnyResource, resourceChange, staticChanges } from './resource-changes.ts';
export { SidecarAdmin } from './sidecar-admin.ts';
export { UnknownFieldLog } from './unknown-field-log.ts';
