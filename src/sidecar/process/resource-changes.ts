import type { AnyResource } from '../../resource/decode.ts';
import {
  CLUSTER_LOAD_ASSIGNMENT_TYPE,
  CLUSTER_TYPE,
  LISTENER_TYPE,
  ROUTE_CONFIGURATION_TYPE,
} from '../../resource/type-url.ts';
import type { ResourceChange } from '../config/config.ts';

const KIND_OF_TYPE: Readonly<Record<string, Exclude<ResourceChange['kind'], 'resolvedAssignments'>>> = {
  [LISTENER_TYPE]: 'listeners',
  [ROUTE_CONFIGURATION_TYPE]: 'routeConfigurations',
  [CLUSTER_TYPE]: 'clusters',
  [CLUSTER_LOAD_ASSIGNMENT_TYPE]: 'assignments',
};

/** Accepted resources of one type as a change of the store; undefined for a type that a sidecar does not hold. */
export function resourceChange(
  typeUrl: string,
  changed: readonly AnyResource[],
  removed: readonly string[],
): ResourceChange | undefined {
  switch (KIND_OF_TYPE[typeUrl]) {
    case 'listeners':
      return {
        kind: 'listeners',
        removed,
        changed: changed.flatMap((one) => (one.kind === 'listener' ? [one.value] : [])),
      };
    case 'routeConfigurations':
      return {
        kind: 'routeConfigurations',
        removed,
        changed: changed.flatMap((one) => (one.kind === 'routeConfiguration' ? [one.value] : [])),
      };
    case 'clusters':
      return {
        kind: 'clusters',
        removed,
        changed: changed.flatMap((one) => (one.kind === 'cluster' ? [one.value] : [])),
      };
    case 'assignments':
      return {
        kind: 'assignments',
        removed,
        changed: changed.flatMap((one) => (one.kind === 'clusterLoadAssignment' ? [one.value] : [])),
      };
    default:
      return undefined;
  }
}
