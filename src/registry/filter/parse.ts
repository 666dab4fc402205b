import { type Expression, FilterError, type Match, type Operator } from './expression.ts';
import { type Token, tokenize } from './tokens.ts';

const MAX_NESTING = 64;

/** Precedence as in go-bexpr: `or` binds loosest, then `and`, then `not`. */
export function parseExpression(source: string): Expression {
  const parser = new Parser(tokenize(source));
  const expression = parser.or(0);
  parser.expectEnd();
  return expression;
}

class Parser {
  readonly #tokens: readonly Token[];
  #at = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  or(depth: number): Expression {
    let left = this.#and(depth);
    while (this.#takeWord('or')) left = { kind: 'or', left, right: this.#and(depth) };
    return left;
  }

  expectEnd(): void {
    const token = this.#peek();
    if (token.kind !== 'end') throw unexpected(token, 'and, or, or the end');
  }

  #and(depth: number): Expression {
    let left = this.#not(depth);
    while (this.#takeWord('and')) left = { kind: 'and', left, right: this.#not(depth) };
    return left;
  }

  #not(depth: number): Expression {
    if (depth > MAX_NESTING) throw new FilterError(`filter is nested deeper than ${MAX_NESTING} levels`);
    if (this.#isWord('not') && !this.#nextIsWord('in')) {
      this.#at += 1;
      return { kind: 'not', operand: this.#not(depth + 1) };
    }
    if (this.#takeSymbol('(')) {
      const inner = this.or(depth + 1);
      if (!this.#takeSymbol(')')) throw unexpected(this.#peek(), '")"');
      return inner;
    }
    return { kind: 'match', match: this.#match() };
  }

  /** `value in Selector` or `Selector operator value`; which one shows only behind the first operand. */
  #match(): Match {
    const start = this.#at;
    const first = this.#peek();
    if (first.kind === 'string' || first.kind === 'word') {
      this.#at += 1;
      const operator = this.#membership();
      if (operator !== undefined) return { selector: this.#selector(), operator, value: first.text };
      this.#at = start;
    }
    const selector = this.#selector();
    return this.#operation(selector);
  }

  #operation(selector: readonly string[]): Match {
    if (this.#takeSymbol('==')) return { selector, operator: 'equal', value: this.#value() };
    if (this.#takeSymbol('!=')) return { selector, operator: 'not-equal', value: this.#value() };
    if (this.#takeWord('is')) {
      const negated = this.#takeWord('not');
      if (!this.#takeWord('empty')) throw unexpected(this.#peek(), '"empty"');
      return { selector, operator: negated ? 'is-not-empty' : 'is-empty', value: '' };
    }
    const negated = this.#takeWord('not');
    if (this.#takeWord('contains')) return { selector, operator: negated ? 'not-in' : 'in', value: this.#value() };
    if (this.#takeWord('matches')) {
      return { selector, operator: negated ? 'not-matches' : 'matches', value: this.#value() };
    }
    throw unexpected(this.#peek(), '==, !=, is, contains, matches or in');
  }

  #membership(): Operator | undefined {
    if (this.#takeWord('in')) return 'in';
    if (this.#isWord('not') && this.#nextIsWord('in')) {
      this.#at += 2;
      return 'not-in';
    }
    return undefined;
  }

  #selector(): readonly string[] {
    const first = this.#peek();
    if (first.kind !== 'word') throw unexpected(first, 'a selector such as Service.Meta.version');
    this.#at += 1;
    const parts = [first.text];
    for (;;) {
      if (this.#takeSymbol('.')) {
        const part = this.#peek();
        if (part.kind === 'end' || part.kind === 'symbol') throw unexpected(part, 'a field name');
        this.#at += 1;
        parts.push(part.text);
      } else if (this.#takeSymbol('[')) {
        const key = this.#peek();
        if (key.kind !== 'string') throw unexpected(key, 'a quoted key');
        this.#at += 1;
        if (!this.#takeSymbol(']')) throw unexpected(this.#peek(), '"]"');
        parts.push(key.text);
      } else {
        return parts;
      }
    }
  }

  /** A bare value may hold dots: `1.2.3` needs no quotes. */
  #value(): string {
    const first = this.#peek();
    if (first.kind !== 'string' && first.kind !== 'word') throw unexpected(first, 'a value');
    this.#at += 1;
    let text = first.text;
    while (first.kind === 'word' && this.#takeSymbol('.')) {
      const next = this.#peek();
      if (next.kind !== 'word') throw unexpected(next, 'the rest of the value');
      this.#at += 1;
      text += `.${next.text}`;
    }
    return text;
  }

  #peek(): Token {
    return this.#tokens[this.#at] ?? { kind: 'end', text: '', at: 0 };
  }

  #isWord(text: string): boolean {
    const token = this.#peek();
    return token.kind === 'word' && token.text.toLowerCase() === text;
  }

  #nextIsWord(text: string): boolean {
    const token = this.#tokens[this.#at + 1];
    return token !== undefined && token.kind === 'word' && token.text.toLowerCase() === text;
  }

  #takeWord(text: string): boolean {
    if (!this.#isWord(text)) return false;
    this.#at += 1;
    return true;
  }

  #takeSymbol(text: string): boolean {
    const token = this.#peek();
    if (token.kind !== 'symbol' || token.text !== text) return false;
    this.#at += 1;
    return true;
  }
}

function unexpected(token: Token, expected: string): FilterError {
  const got = token.kind === 'end' ? 'the end of the filter' : JSON.stringify(token.text);
  return new FilterError(`expected ${expected} at offset ${token.at}, got ${got}`);
}
