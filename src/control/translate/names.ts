import type { Target } from './discovery-chain.ts';

/** What Consul calls things in Envoy's configuration, so that people find in ours what they know. */
export const LOCAL_CLUSTER = 'local_app';
export const PUBLIC_LISTENER = 'public_listener';

/** Where the mesh has no CA yet and therefore no trust domain. */
export const DEFAULT_TRUST_DOMAIN = 'weft';

/** `[<subset>.]<service>.default.<datacenter>.internal.<trust domain>`: a cluster's name, its assignment's, and later its SNI. */
export function targetName({ service, subset, datacenter }: Target, trustDomain: string): string {
  const prefix = subset === '' ? '' : `${subset}.`;
  return `${prefix}${service}.default.${datacenter}.internal.${trustDomain}`;
}

/**
 * The name of a target's assignment: the target's own, or, where instances of others follow at lower priorities, one that says
 * so, since the target may be somebody's failover itself, and is alone there.
 */
export function assignmentName(target: Target, trustDomain: string): string {
  const name = targetName(target, trustDomain);
  return target.failover.length === 0 ? name : failoverAssignment(name);
}

export function failoverAssignment(targetsName: string): string {
  return `failover~${targetsName}`;
}

/** A cluster that one upstream wants different from the others' has its digest before the name, as in Consul. */
export function clusterName(target: Target, trustDomain: string, customization: string): string {
  const name = targetName(target, trustDomain);
  return customization === '' ? name : `${customization}~${name}`;
}

/** `web`, or `web?dc=east` for an upstream in another datacenter. */
export function upstreamName(service: string, datacenter: string): string {
  return datacenter === '' ? service : `${service}?dc=${datacenter}`;
}

/** Milliseconds as ProtoJSON writes a Duration: `5s`, `0.25s`. */
export function durationJson(durationMs: number): string {
  const nanos = Math.round(durationMs * 1e6);
  const seconds = Math.trunc(nanos / 1e9);
  const rest = nanos % 1e9;
  return rest === 0 ? `${seconds}s` : `${seconds}.${String(rest).padStart(9, '0').replace(/0+$/, '')}s`;
}
