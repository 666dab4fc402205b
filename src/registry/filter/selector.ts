/** Which selectors a row has, and what may be asked of each: a filter that cannot mean anything is refused before it runs. */
import { FilterError, type Match, type Operator } from './expression.ts';

export type SelectorType =
  | 'string'
  | 'number'
  | 'boolean'
  /** A list of strings. */
  | 'list'
  /** Strings by key. */
  | 'map'
  /** One object, or a list of such objects: a list matches when any of its elements does. */
  | SelectorTree
  /** Objects by key. */
  | { readonly each: SelectorTree };

export interface SelectorTree {
  readonly fields: Readonly<Record<string, SelectorType>>;
}

export type LeafType = 'string' | 'number' | 'boolean' | 'list' | 'map' | 'objects';

const OPERATOR_NAMES: Readonly<Record<Operator, string>> = {
  equal: 'Equal',
  'not-equal': 'Not Equal',
  in: 'In',
  'not-in': 'Not In',
  matches: 'Matches',
  'not-matches': 'Not Matches',
  'is-empty': 'Is Empty',
  'is-not-empty': 'Is Not Empty',
};

const EQUALITY: readonly Operator[] = ['equal', 'not-equal'];
const MEMBERSHIP: readonly Operator[] = ['in', 'not-in'];
const EMPTINESS: readonly Operator[] = ['is-empty', 'is-not-empty'];
const ALLOWED: Readonly<Record<LeafType, readonly Operator[]>> = {
  string: [...EQUALITY, ...MEMBERSHIP, 'matches', 'not-matches'],
  number: EQUALITY,
  boolean: EQUALITY,
  list: [...MEMBERSHIP, ...EMPTINESS],
  map: [...MEMBERSHIP, ...EMPTINESS],
  objects: EMPTINESS,
};

/** The type of what a match looks at; throws FilterError when there is no such thing or the operator does not fit it. */
export function checkMatch(match: Match, tree: SelectorTree): LeafType {
  const name = JSON.stringify(match.selector.join('.'));
  const leaf = leafOf(match.selector, tree);
  if (leaf === undefined) throw new FilterError(`Selector ${name} is not valid`);
  if (!ALLOWED[leaf].includes(match.operator)) {
    throw new FilterError(
      `Invalid match operator ${JSON.stringify(OPERATOR_NAMES[match.operator])} for selector ${name}`,
    );
  }
  const isNumber = /^-?\d+(\.\d+)?$/.test(match.value);
  const isBoolean = ['true', 'false', '1', '0', 't', 'f', 'T', 'F', 'TRUE', 'FALSE', 'True', 'False'].includes(
    match.value,
  );
  if ((leaf === 'number' && !isNumber) || (leaf === 'boolean' && !isBoolean)) {
    throw new FilterError(
      `Failed to coerce value ${JSON.stringify(match.value)} for selector ${name}: it must be a ${leaf}`,
    );
  }
  return leaf;
}

function leafOf(selector: readonly string[], tree: SelectorTree): LeafType | undefined {
  let at: SelectorType = tree;
  for (const [depth, part] of selector.entries()) {
    if (typeof at === 'string') return at === 'map' && depth === selector.length - 1 ? 'string' : undefined;
    if ('each' in at) {
      at = at.each;
      continue;
    }
    const next: SelectorType | undefined = Object.hasOwn(at.fields, part) ? at.fields[part] : undefined;
    if (next === undefined) return undefined;
    at = next;
  }
  return typeof at === 'string' ? at : 'objects';
}
