/**
 * Consul's `?filter=` expressions over plain JSON rows: `==`, `!=`, `in`, `not in`, `contains`, `matches`, `is empty`, with
 * `and`, `or`, `not` and brackets. Knows nothing of which rows there are: the caller names the selectors that may stand first.
 * Lists along a selector match when any of their elements does, as in go-bexpr.
 */
import { RE2JS } from 're2js';
import { type Expression, FilterError, type Match } from './expression.ts';
import { parseExpression } from './parse.ts';

export { FilterError } from './expression.ts';

export type Predicate = (row: unknown) => boolean;

/** Throws FilterError when the text is not an expression or its selectors do not exist. */
export function compileFilter(source: string, roots: readonly string[]): Predicate {
  return compile(parseExpression(source), new Set(roots));
}

function compile(expression: Expression, roots: ReadonlySet<string>): Predicate {
  switch (expression.kind) {
    case 'and': {
      const left = compile(expression.left, roots);
      const right = compile(expression.right, roots);
      return (row) => left(row) && right(row);
    }
    case 'or': {
      const left = compile(expression.left, roots);
      const right = compile(expression.right, roots);
      return (row) => left(row) || right(row);
    }
    case 'not': {
      const operand = compile(expression.operand, roots);
      return (row) => !operand(row);
    }
    case 'match':
      return compileMatch(expression.match, roots);
  }
}

function compileMatch(match: Match, roots: ReadonlySet<string>): Predicate {
  const [root] = match.selector;
  if (root === undefined || !roots.has(root)) {
    const known = [...roots].join(', ');
    throw new FilterError(
      `Selector ${JSON.stringify(match.selector.join('.'))} is not valid; it may begin with ${known}`,
    );
  }
  const test = leafTest(match);
  return (row) => anyAlong(row, match.selector, 0, test);
}

type LeafTest = (leaf: unknown) => boolean;

function leafTest(match: Match): LeafTest {
  const { value } = match;
  switch (match.operator) {
    case 'equal':
      return (leaf) => textOf(leaf) === value;
    case 'not-equal':
      return (leaf) => textOf(leaf) !== value;
    case 'in':
      return (leaf) => contains(leaf, value);
    case 'not-in':
      return (leaf) => !contains(leaf, value);
    case 'is-empty':
      return isEmpty;
    case 'is-not-empty':
      return (leaf) => !isEmpty(leaf);
    case 'matches':
    case 'not-matches': {
      const pattern = compilePattern(value);
      const wanted = match.operator === 'matches';
      return (leaf) => pattern(textOf(leaf) ?? '') === wanted;
    }
  }
}

function compilePattern(source: string): (text: string) => boolean {
  try {
    const pattern = RE2JS.compile(source);
    return (text) => pattern.matcher(text).find();
  } catch (cause) {
    throw new FilterError(`${JSON.stringify(source)} is not a regular expression RE2 accepts: ${String(cause)}`);
  }
}

function anyAlong(value: unknown, selector: readonly string[], depth: number, test: LeafTest): boolean {
  const field = selector[depth];
  if (field === undefined) return test(value);
  if (Array.isArray(value)) return value.some((item) => anyAlong(item, selector, depth, test));
  if (typeof value !== 'object' || value === null) return test(undefined);
  return anyAlong(ownField(value, field), selector, depth + 1, test);
}

function ownField(value: object, field: string): unknown {
  return Object.hasOwn(value, field) ? Reflect.get(value, field) : undefined;
}

/** An absent map key equals no value, not even the empty string; numbers and booleans compare by their text. */
function textOf(leaf: unknown): string | undefined {
  if (typeof leaf === 'string') return leaf;
  if (typeof leaf === 'number' || typeof leaf === 'boolean') return String(leaf);
  return undefined;
}

function contains(leaf: unknown, value: string): boolean {
  if (Array.isArray(leaf)) return leaf.some((item) => textOf(item) === value);
  if (typeof leaf === 'string') return leaf.includes(value);
  if (typeof leaf === 'object' && leaf !== null) return Object.hasOwn(leaf, value);
  return false;
}

function isEmpty(leaf: unknown): boolean {
  if (leaf === undefined || leaf === null || leaf === '') return true;
  if (Array.isArray(leaf)) return leaf.length === 0;
  return typeof leaf === 'object' && Object.keys(leaf).length === 0;
}
