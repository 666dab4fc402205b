import type { FilterMetadata } from './route-configuration.ts';

/** A whole number that metadata may hold, by the name that the data plane has for it. */
export interface MetadataLimit<Name extends string> {
  readonly name: Name;
  readonly smallest: number;
  readonly largest: number;
}

export interface MetadataLimitProblem {
  readonly key: string;
  readonly problem: string;
}

export interface MetadataLimits<Name extends string> {
  readonly values: Readonly<Partial<Record<Name, number>>>;
  readonly problems: readonly MetadataLimitProblem[];
}

/** What metadata says under one namespace of ours, and what of it cannot be obeyed. */
export function readMetadataLimits<Name extends string>(
  metadata: FilterMetadata,
  namespace: string,
  keys: ReadonlyMap<string, MetadataLimit<Name>>,
): MetadataLimits<Name> {
  const values: Partial<Record<Name, number>> = {};
  const problems: MetadataLimitProblem[] = [];
  for (const [key, value] of Object.entries(metadata[namespace] ?? {})) {
    const known = keys.get(key);
    if (known === undefined) {
      problems.push({ key, problem: `is not known; there are ${[...keys.keys()].join(', ')}` });
    } else if (
      typeof value !== 'number' ||
      !Number.isInteger(value) ||
      value < known.smallest ||
      value > known.largest
    ) {
      problems.push({ key, problem: `must be a whole number from ${known.smallest} to ${known.largest}` });
    } else values[known.name] = value;
  }
  return { values, problems };
}
