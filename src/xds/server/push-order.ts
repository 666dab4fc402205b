import {
  CLUSTER_LOAD_ASSIGNMENT_TYPE,
  CLUSTER_TYPE,
  LISTENER_TYPE,
  ROUTE_CONFIGURATION_TYPE,
} from '../../resource/type-url.ts';

/** What a step may send: additions and changes only, or also what takes resources away. */
export type StepScope = 'additions' | 'everything';

/** One step of a push. */
export interface PushStep {
  readonly typeUrl: string;
  readonly scope: StepScope;
}

/**
 * Make before break: what is referred to is there, and answered for, before what refers to it; clusters and endpoints go last, when no
 * route names them any more. A step begins when the one before it has been answered (ACK or NACK), but for endpoints that come new.
 */
export const PUSH_ORDER: readonly PushStep[] = [
  { typeUrl: CLUSTER_TYPE, scope: 'additions' },
  { typeUrl: CLUSTER_LOAD_ASSIGNMENT_TYPE, scope: 'additions' },
  { typeUrl: LISTENER_TYPE, scope: 'everything' },
  { typeUrl: ROUTE_CONFIGURATION_TYPE, scope: 'everything' },
  { typeUrl: CLUSTER_TYPE, scope: 'everything' },
  { typeUrl: CLUSTER_LOAD_ASSIGNMENT_TYPE, scope: 'everything' },
];

const ORDERED_TYPES: ReadonlySet<string> = new Set(PUSH_ORDER.map((step) => step.typeUrl));

/**
 * New endpoints do not wait for the answer about clusters: Envoy answers for a new cluster only once it is warm, and it warms with its
 * endpoints.
 */
export function warmsClusters(step: PushStep): boolean {
  return step.scope === 'additions' && step.typeUrl === CLUSTER_LOAD_ASSIGNMENT_TYPE;
}

/** Whether a type waits for others; any other type is pushed by itself. */
export function isOrdered(typeUrl: string): boolean {
  return ORDERED_TYPES.has(typeUrl);
}

/** A step that only takes away clusters or endpoints, which a refused listener or route may still need. */
export function isWithdrawal(step: PushStep): boolean {
  return (
    step.scope === 'everything' && (step.typeUrl === CLUSTER_TYPE || step.typeUrl === CLUSTER_LOAD_ASSIGNMENT_TYPE)
  );
}

/** LDS and CDS: an empty first request means everything, and in SotW a response always holds the whole set. */
export function isCompleteType(typeUrl: string): boolean {
  return typeUrl === LISTENER_TYPE || typeUrl === CLUSTER_TYPE;
}
