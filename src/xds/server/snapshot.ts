import { type ContentSum, minus, plus, sumFromText, sumText, ZERO_SUM } from '../content-sum.ts';
import type { EncodedResource } from '../encoded-resource.ts';
import type { Snapshot, TypeSnapshot } from './snapshot-source.ts';

/**
 * Makes a snapshot from a node's resources, and reuses the previous snapshot's parts wherever their content is equal: a stream compares
 * by identity before it looks inside. Two resources of one type with one name are the caller's mistake and throw.
 */
export function buildSnapshot(resources: Iterable<EncodedResource>, previous?: Snapshot): Snapshot {
  const made = typesOf(resources);
  if (previous === undefined) return composeSnapshot(made);
  return composeSnapshot(
    new Map([...made].map(([typeUrl, now]) => [typeUrl, withChange(now, previous.types.get(typeUrl))] as const)),
    previous,
  );
}

/** Says how a type differs from its state before, where nothing has gone from it. */
function withChange(now: TypeSnapshot, before: TypeSnapshot | undefined): TypeSnapshot {
  if (before === undefined) return now;
  for (const name of before.resources.keys()) if (!now.resources.has(name)) return now;
  const names = [...now.resources.values()]
    .filter(({ name, version }) => before.resources.get(name)?.version !== version)
    .map(({ name }) => name);
  return { ...now, change: { basedOn: before.version, names } };
}

/** The types of some resources, each versioned by its content. */
export function typesOf(resources: Iterable<EncodedResource>): ReadonlyMap<string, TypeSnapshot> {
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
  return new Map([...byType].map(([typeUrl, ofType]) => [typeUrl, typeSnapshot(ofType)] as const));
}

/**
 * A snapshot of types that were made apart: a change of one type costs nothing of the others. Types whose content is as before are the
 * previous objects, and so is a snapshot that is as before.
 */
export function composeSnapshot(made: ReadonlyMap<string, TypeSnapshot>, previous?: Snapshot): Snapshot {
  const types = new Map<string, TypeSnapshot>();
  let isAsBefore = previous?.types.size === made.size;
  for (const [typeUrl, now] of made) {
    const before = previous?.types.get(typeUrl);
    const isSame = before?.version === now.version;
    types.set(typeUrl, isSame ? before : now);
    if (!isSame) isAsBefore = false;
  }
  return isAsBefore && previous !== undefined ? previous : new ComposedSnapshot(types);
}

/** The same snapshot with another state of one type: what a change of endpoints makes of every snapshot that holds them. */
export function snapshotWithType(before: Snapshot, typeUrl: string, now: TypeSnapshot): Snapshot {
  if (before.types.get(typeUrl)?.version === now.version) return before;
  return new ComposedSnapshot(new Map(before.types).set(typeUrl, now));
}

/** Its own version is for people, and made when one looks. */
class ComposedSnapshot implements Snapshot {
  readonly types: ReadonlyMap<string, TypeSnapshot>;

  constructor(types: ReadonlyMap<string, TypeSnapshot>) {
    this.types = types;
  }

  get version(): string {
    let sum = ZERO_SUM;
    for (const { version } of this.types.values()) sum = plus(sum, sumFromText(version));
    return sumText(sum);
  }
}

/** A type in which these resources are new or another; all others stay. It costs a copy of the names, whatever is behind them. */
export function changedTypeSnapshot(before: TypeSnapshot, changed: readonly EncodedResource[]): TypeSnapshot {
  const resources = new Map(before.resources);
  let sum = sumFromText(before.version);
  for (const resource of changed) {
    const replaced = resources.get(resource.name);
    sum = plus(replaced === undefined ? sum : minus(sum, replaced.sum), resource.sum);
    resources.set(resource.name, resource);
  }
  const names = changed.map(({ name }) => name);
  return { version: sumText(sum), resources, change: { basedOn: before.version, names } };
}

function typeSnapshot(resources: ReadonlyMap<string, EncodedResource>): TypeSnapshot {
  let sum: ContentSum = ZERO_SUM;
  for (const resource of resources.values()) sum = plus(sum, resource.sum);
  return { version: sumText(sum), resources };
}

/** A type without resources, shared by all snapshots that lack it. */
export const EMPTY_TYPE_SNAPSHOT: TypeSnapshot = { version: 'empty', resources: new Map() };
