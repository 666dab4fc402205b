import { createHash } from 'node:crypto';
import type { EncodedResource } from '../encoded-resource.ts';
import type { Snapshot, TypeSnapshot } from './snapshot-source.ts';

/**
 * Makes a snapshot from a node's resources, and reuses the previous snapshot's parts wherever their content is equal: a stream compares
 * by identity before it looks inside. Two resources of one type with one name are the caller's mistake and throw.
 */
export function buildSnapshot(resources: Iterable<EncodedResource>, previous?: Snapshot): Snapshot {
  const byType = new Map<string, Map<string, EncodedResource>>();
  for (const resource of resources) {
    let ofType = byType.get(resource.typeUrl);
    if (ofType === undefined) {
      ofType = new Map();
      byType.set(resource.typeUrl, ofType);
    }
    if (ofType.has(resource.name)) {
      throw new Error(
        `snapshot: two resources of ${resource.typeUrl} are named "${resource.name}"; names must be unique`,
      );
    }
    ofType.set(resource.name, resource);
  }
  const types = new Map<string, TypeSnapshot>();
  const digest = createHash('sha256');
  for (const typeUrl of [...byType.keys()].sort()) {
    const built = buildTypeSnapshot(byType.get(typeUrl) ?? new Map());
    const before = previous?.types.get(typeUrl);
    types.set(typeUrl, before?.version === built.version ? before : built);
    digest.update(`${typeUrl}\0${built.version}\0`);
  }
  const version = digest.digest('hex').slice(0, 16);
  return previous?.version === version ? previous : { version, types };
}

function buildTypeSnapshot(resources: ReadonlyMap<string, EncodedResource>): TypeSnapshot {
  const digest = createHash('sha256');
  for (const name of [...resources.keys()].sort()) {
    digest.update(`${name}\0${resources.get(name)?.version ?? ''}\0`);
  }
  return { version: digest.digest('hex').slice(0, 16), resources };
}

/** A type without resources, shared by all snapshots that lack it. */
export const EMPTY_TYPE_SNAPSHOT: TypeSnapshot = { version: 'empty', resources: new Map() };
