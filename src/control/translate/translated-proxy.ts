import type { ResourceLiteral } from '../snapshot/resource-literal.ts';
import type { HealthQuery } from './catalog.ts';
import type { Problem } from './problem.ts';

/** One ClusterLoadAssignment: its name, and the instances it is made of. The same for every proxy that refers to it. */
export interface EndpointGroup extends EndpointSource {
  readonly name: string;
  /** Whose instances follow at lower priorities, in this order. */
  readonly failover?: readonly EndpointSource[];
}

export interface EndpointSource {
  readonly query: HealthQuery;
  /** Warning counts as failing: a resolver subset's `OnlyPassing`. */
  readonly onlyPassing: boolean;
}

/**
 * A part of a proxy that stands or falls as one: its inbound side, or one upstream. Its listener, routes and clusters
 * refer only to each other, so that a part with a fault can be held at its last good form while the others move.
 */
export interface TranslatedUnit {
  readonly key: string;
  readonly resources: readonly ResourceLiteral[];
  readonly endpointGroups: readonly EndpointGroup[];
}

export interface TranslatedProxy {
  /** In a stable order: the inbound side, then the upstreams as registered. */
  readonly units: readonly TranslatedUnit[];
  /** Units that are wanted and could not be made: hold them at their last good form. */
  readonly faultyUnits: readonly string[];
  readonly problems: readonly Problem[];
  /** Whose entries had a say, or would have had one: a change of any other service's leaves all of this as it is. */
  readonly services: ReadonlySet<string>;
}
