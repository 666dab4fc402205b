/**
 * Consul's `?filter=` expressions over plain JSON rows: `==`, `!=`, `in`, `not in`, `contains`, `matches`, `is empty`, with
 * `and`, `or`, `not` and brackets. Knows nothing of which rows there are: the caller says which selectors they have.
 * Lists along a selector match when any of their elements does, as in go-bexpr.
 */
import { RE2JS } from 're2js';
import { type Expression, FilterError, type Match } from './expression.ts';
import { parseExpression } from './parse.ts';
import { checkMatch, type LeafType, type SelectorTree } from './selector.ts';

export { FilterError } from './expression.ts';
export type { SelectorTree, SelectorType } from './selector.ts';

export type Predicate = (row: unknown) => boolean;

/** Throws FilterError when the text is no expression, its selectors do not exist, or an operator does not fit one of them. */
export function compileFilter(source: string, selectors: SelectorTree): Predicate {
  return compile(parseExpression(source), selectors);
}

/** Throws FilterError when the text is no expression; what it selects is not looked at. */
export function checkFilterSyntax(source: string): void {
  parseExpression(source);
}

function compile(expression: Expression, selectors: SelectorTree): Predicate {
  switch (expression.kind) {
    case 'and': {
      const left = compile(expression.left, selectors);
      const right = compile(expression.right, selectors);
      return (row) => left(row) && right(row);
    }
    case 'or': {
      const left = compile(expression.left, selectors);
      const right = compile(expression.right, selectors);
      return (row) => left(row) || right(row);
    }
    case 'not': {
      const operand = compile(expression.operand, selectors);
      return (row) => !operand(row);
    }
    case 'match':
      return compileMatch(expression.match, selectors);
  }
}

function compileMatch(match: Match, selectors: SelectorTree): Predicate {
  const test = leafTest(match, checkMatch(match, selectors));
  return (row) => anyAlong(row, match.selector, 0, test);
}

type LeafTest = (leaf: unknown) => boolean;

function leafTest(match: Match, type: LeafType): LeafTest {
  const { value } = match;
  switch (match.operator) {
    case 'equal':
      return equality(type, value);
    case 'not-equal': {
      const equal = equality(type, value);
      return (leaf) => !equal(leaf);
    }
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
      return (leaf) => pattern(typeof leaf === 'string' ? leaf : '') === wanted;
    }
  }
}

/** What a row leaves out has Go's zero value. */
function equality(type: LeafType, value: string): LeafTest {
  if (type === 'number') {
    const wanted = Number(value);
    return (leaf) => (typeof leaf === 'number' ? leaf : 0) === wanted;
  }
  if (type === 'boolean') {
    const wanted = ['true', '1', 't'].includes(value.toLowerCase());
    return (leaf) => (leaf === true) === wanted;
  }
  return (leaf) => (typeof leaf === 'string' ? leaf : '') === value;
}

function compilePattern(source: string): (text: string) => boolean {
  try {
    const pattern = RE2JS.compile(source);
    return (text) => pattern.matcher(text).find();
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : 'it does not compile';
    throw new FilterError(`${JSON.stringify(source)} is not a regular expression RE2 accepts: ${reason}`);
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

function contains(leaf: unknown, value: string): boolean {
  if (Array.isArray(leaf)) return leaf.includes(value);
  if (typeof leaf === 'string') return leaf.includes(value);
  if (typeof leaf === 'object' && leaf !== null) return Object.hasOwn(leaf, value);
  return false;
}

function isEmpty(leaf: unknown): boolean {
  if (leaf === undefined || leaf === null) return true;
  if (Array.isArray(leaf)) return leaf.length === 0;
  return typeof leaf === 'object' && Object.keys(leaf).length === 0;
}
