import { createHash } from 'node:crypto';
import { buildSnapshot, type EncodedResource, type Snapshot, type TypeSnapshot } from '../../xds/server/server.ts';

export type Types = ReadonlyMap<string, TypeSnapshot>;

/** The types of some resources, each versioned by its content. */
export function typesOf(resources: Iterable<EncodedResource>): Types {
  return buildSnapshot(resources).types;
}

/**
 * A snapshot of types made apart. A change of endpoints so costs a digest of the endpoints, and not of everything else
 * the proxy holds. Types whose content is as before are the previous objects, and so is a snapshot that is as before.
 */
export function composeSnapshot(parts: readonly Types[], previous: Snapshot | undefined): Snapshot {
  const made = new Map(parts.flatMap((types) => [...types]));
  const types = new Map<string, TypeSnapshot>();
  const digest = createHash('sha256');
  for (const typeUrl of [...made.keys()].sort()) {
    const now = made.get(typeUrl);
    const before = previous?.types.get(typeUrl);
    const chosen = before?.version === now?.version ? before : now;
    if (chosen === undefined) continue;
    types.set(typeUrl, chosen);
    digest.update(`${typeUrl}\0${chosen.version}\0`);
  }
  const version = digest.digest('hex').slice(0, 16);
  return previous?.version === version ? previous : { version, types };
}
