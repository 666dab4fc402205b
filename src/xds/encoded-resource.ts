import { type ContentSum, sumOfText } from './content-sum.ts';
import { durationMessage, encodeFields, encodeKeptFields, type WireField } from './wire.ts';

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
  /** An encoded discovery.v3.Resource: name, version, time to live and the Any, as delta responses carry it. */
  readonly wrapped: Buffer;
  /** Digest of type, name and version: sets of resources add these up. */
  readonly sum: ContentSum;
  /** The client drops the resource when it has not heard of it for so long; undefined keeps it. */
  readonly ttlMs?: number;
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
  readonly ttlMs?: number;
  readonly assignmentName?: string;
}

const EMPTY = Buffer.alloc(0);

/** Wraps message bytes, once. */
export function encodedResource(parts: ResourceParts): EncodedResource {
  const { name, version, typeUrl, message, ttlMs, assignmentName } = parts;
  const any = encodeFields([
    { field: 1, value: typeUrl },
    { field: 2, value: message },
  ]);
  const wrapped = encodeKeptFields([...wrapperFields(name, version, ttlMs), { field: 2, value: any }]);
  return {
    name,
    version,
    typeUrl,
    // The Any is written last, so that it is the end of the wrapper and its bytes are kept once.
    any: wrapped.subarray(wrapped.length - any.length),
    wrapped,
    sum: sumOfText(`${typeUrl}\0${name}\0${version}`),
    ...(ttlMs === undefined ? {} : { ttlMs }),
    ...(assignmentName === undefined ? {} : { assignmentName }),
  };
}

const heartbeats = new WeakMap<EncodedResource, EncodedResource>();

/** The resource without its content: it is as before and lives on (xDS protocol, "TTL"). Made once for all streams. */
export function heartbeatOf(resource: EncodedResource): EncodedResource {
  const known = heartbeats.get(resource);
  if (known !== undefined) return known;
  const { name, version, ttlMs } = resource;
  const wrapped = encodeKeptFields(wrapperFields(name, version, ttlMs));
  const made = { ...resource, any: EMPTY, wrapped };
  heartbeats.set(resource, made);
  return made;
}

function wrapperFields(name: string, version: string, ttlMs: number | undefined): readonly WireField[] {
  return [
    { field: 1, value: version },
    { field: 3, value: name },
    ...(ttlMs === undefined ? [] : [{ field: 6, value: durationMessage(ttlMs) }]),
  ];
}
