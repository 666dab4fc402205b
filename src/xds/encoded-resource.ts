import { encodeFields } from './wire.ts';

/**
 * One resource as it travels: encoded once per version, and the same bytes shared by every stream that is sent it. Never changed after
 * it is made.
 */
export interface EncodedResource {
  readonly name: string;
  /** Equal content has an equal version, whichever control server made it: that lets a proxy resume at another one. */
  readonly version: string;
  readonly typeUrl: string;
  /** An encoded google.protobuf.Any: type URL and message. */
  readonly any: Buffer;
  /**
   * For a Cluster whose ClusterLoadAssignment has another name than the cluster itself: that name (`eds_cluster_config.service_name`).
   * A changed cluster has its assignment sent again, because a proxy warms the new cluster with it.
   */
  readonly assignmentName?: string;
}

/** What {@link encodedResource} needs: the resource's own message bytes, not yet wrapped. */
export interface ResourceParts {
  readonly name: string;
  readonly version: string;
  readonly typeUrl: string;
  readonly message: Buffer;
  readonly assignmentName?: string;
}

/** Wraps message bytes in an Any, once. */
export function encodedResource(parts: ResourceParts): EncodedResource {
  const { name, version, typeUrl, message, assignmentName } = parts;
  const any = encodeFields([
    { field: 1, value: typeUrl },
    { field: 2, value: message },
  ]);
  return assignmentName === undefined
    ? { name, version, typeUrl, any }
    : { name, version, typeUrl, any, assignmentName };
}
