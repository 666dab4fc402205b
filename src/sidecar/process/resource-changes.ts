import { systemClock } from '../../base/clock.ts';
import type { Bootstrap } from '../../resource/bootstrap.ts';
import type { Cluster } from '../../resource/cluster.ts';
import type { ClusterLoadAssignment } from '../../resource/cluster-load-assignment.ts';
import { decodeResource, decodeStaticJson } from '../../resource/decode.ts';
import type { Decoded, Fault } from '../../resource/fault.ts';
import type { Listener } from '../../resource/listener.ts';
import type { RouteConfiguration } from '../../resource/route-configuration.ts';
import type { Secret } from '../../resource/secret.ts';
import {
  CLUSTER_LOAD_ASSIGNMENT_TYPE,
  CLUSTER_TYPE,
  LISTENER_TYPE,
  ROUTE_CONFIGURATION_TYPE,
  SECRET_TYPE,
} from '../../resource/type-url.ts';
import type { ResourceChange } from '../config/config.ts';
import { clusterFaults, listenerFaults } from './data-plane-support.ts';
import { secretFaults } from './tls-faults.ts';

/** A decoded resource of any of the types a sidecar holds, with the wall-clock milliseconds at which it came. */
export type AnyResource = TaggedResource & { readonly receivedAtWallMs: number };

type TaggedResource =
  | { readonly kind: 'listener'; readonly value: Listener }
  | { readonly kind: 'routeConfiguration'; readonly value: RouteConfiguration }
  | { readonly kind: 'cluster'; readonly value: Cluster }
  | { readonly kind: 'assignment'; readonly value: ClusterLoadAssignment }
  | { readonly kind: 'secret'; readonly value: Secret };

/** The bytes of a resource, by its type URL; every fault where it is not good. */
export function decodeAnyResource(typeUrl: string, bytes: Uint8Array, wallMs: number): Decoded<AnyResource> {
  const decoded = decodeTagged(typeUrl, bytes, wallMs);
  return decoded.ok ? { ok: true, value: { ...decoded.value, receivedAtWallMs: wallMs } } : decoded;
}

function decodeTagged(typeUrl: string, bytes: Uint8Array, wallMs: number): Decoded<TaggedResource> {
  switch (typeUrl) {
    case LISTENER_TYPE:
      return tagged(runnable(decodeResource(LISTENER_TYPE, bytes), listenerFaults), (value) => ({
        kind: 'listener',
        value,
      }));
    case ROUTE_CONFIGURATION_TYPE:
      return tagged(decodeResource(ROUTE_CONFIGURATION_TYPE, bytes), (value) => ({
        kind: 'routeConfiguration',
        value,
      }));
    case CLUSTER_TYPE:
      return tagged(runnable(decodeResource(CLUSTER_TYPE, bytes), clusterFaults), (value) => ({
        kind: 'cluster',
        value,
      }));
    case CLUSTER_LOAD_ASSIGNMENT_TYPE:
      return tagged(decodeResource(CLUSTER_LOAD_ASSIGNMENT_TYPE, bytes), (value) => ({
        kind: 'assignment',
        value,
      }));
    case SECRET_TYPE:
      return tagged(
        runnable(decodeResource(SECRET_TYPE, bytes), (secret) => secretFaults(secret, wallMs)),
        (value) => ({ kind: 'secret', value }),
      );
    default:
      return { ok: false, faults: [{ field: 'type_url', message: `${typeUrl} is no type that a sidecar holds` }] };
  }
}

/** Accepted resources of one type as a change of the store. */
export function resourceChange(
  typeUrl: string,
  changed: readonly AnyResource[],
  removed: readonly string[],
): ResourceChange {
  switch (typeUrl) {
    case LISTENER_TYPE:
      return {
        kind: 'listeners',
        removed,
        changed: changed.flatMap((one) => (one.kind === 'listener' ? one.value : [])),
      };
    case ROUTE_CONFIGURATION_TYPE:
      return {
        kind: 'routeConfigurations',
        removed,
        changed: changed.flatMap((one) => (one.kind === 'routeConfiguration' ? one.value : [])),
      };
    case CLUSTER_TYPE:
      return {
        kind: 'clusters',
        removed,
        changed: changed.flatMap((one) => (one.kind === 'cluster' ? one.value : [])),
      };
    case SECRET_TYPE:
      return {
        kind: 'secrets',
        removed,
        changed: changed.flatMap((one) => (one.kind === 'secret' ? one.value : [])),
      };
    default:
      return {
        kind: 'assignments',
        removed,
        changed: changed.flatMap((one) => (one.kind === 'assignment' ? one.value : [])),
      };
  }
}

/** Static resources of a bootstrap; throws an Error that names the resource and every fault. */
export function staticChanges(bootstrap: StaticResources): readonly ResourceChange[] {
  const { staticSecrets, staticClusters, staticListeners } = bootstrap;
  const wallMs = systemClock.wallMs();
  const secrets = staticSecrets.map((json, index) =>
    accepted(
      `secrets[${index}]`,
      runnable(decodeStaticJson(SECRET_TYPE, json), (secret) => secretFaults(secret, wallMs)),
    ),
  );
  const clusters = staticClusters.map((json, index) =>
    accepted(`clusters[${index}]`, runnable(decodeStaticJson(CLUSTER_TYPE, json), clusterFaults)),
  );
  const listeners = staticListeners.map((json, index) =>
    accepted(`listeners[${index}]`, runnable(decodeStaticJson(LISTENER_TYPE, json), listenerFaults)),
  );
  return [
    { kind: 'secrets', removed: [], changed: secrets },
    { kind: 'clusters', removed: [], changed: clusters },
    { kind: 'listeners', removed: [], changed: listeners },
  ];
}

type StaticResources = Pick<Bootstrap, 'staticSecrets' | 'staticClusters' | 'staticListeners'>;

function accepted<T>(path: string, decoded: Decoded<T>): T {
  if (decoded.ok) return decoded.value;
  const faults = decoded.faults.map((fault) => `static_resources.${path}.${fault.field}: ${fault.message}`);
  throw new Error(`bootstrap: ${faults.join('; ')}`);
}

function tagged<T>(decoded: Decoded<T>, tag: (value: T) => TaggedResource): Decoded<TaggedResource> {
  return decoded.ok ? { ok: true, value: tag(decoded.value) } : decoded;
}

/** A resource that decodes is still refused where it asks for what no worker could carry out. */
function runnable<T>(decoded: Decoded<T>, faultsOf: (value: T) => readonly Fault[]): Decoded<T> {
  if (!decoded.ok) return decoded;
  const faults = faultsOf(decoded.value);
  return faults.length === 0 ? decoded : { ok: false, faults };
}
