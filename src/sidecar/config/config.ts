/**
 * Configuration of a sidecar: the resources accepted so far, which of them are warm enough to run, and the immutable
 * runtime config that workers swap in. Main-thread half: ResourceStore → activate → updateFor. Worker half:
 * RuntimeConfigBuilder. Knows resources and what refers to what. Does not know where resources come from, sockets or
 * threads.
 */
export { type Activation, activate, NOTHING_ACTIVE } from './activation.ts';
export { wantedAssignments, wantedRouteConfigurations } from './references.ts';
export { type ResourceChange, ResourceStore } from './resource-store.ts';
export { RuntimeConfigBuilder } from './runtime-config-builder.ts';
export { SlotAllocator } from './slot-allocator.ts';
export { filePaths, secretNames, tlsContextsOfCluster, tlsContextsOfListener } from './tls-references.ts';
export { UpdateMaker } from './update-maker.ts';
export type { WorkerUpdate } from './worker-update.ts';
