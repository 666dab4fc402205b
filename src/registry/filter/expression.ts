/** A parsed filter: what `go-bexpr` calls an expression, in the subset that Consul's HTTP API documents. */
export type Expression =
  | { readonly kind: 'and' | 'or'; readonly left: Expression; readonly right: Expression }
  | { readonly kind: 'not'; readonly operand: Expression }
  | { readonly kind: 'match'; readonly match: Match };

export interface Match {
  readonly selector: readonly string[];
  readonly operator: Operator;
  /** Absent for `is empty` and `is not empty`. */
  readonly value: string;
}

export type Operator =
  | 'equal'
  | 'not-equal'
  | 'in'
  | 'not-in'
  | 'matches'
  | 'not-matches'
  | 'is-empty'
  | 'is-not-empty';

/** The expression cannot be read or does not apply; the text says where and why. */
export class FilterError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'FilterError';
  }
}
