import type { StringMatcher } from './matcher.ts';

/** envoy.type.matcher.v3.MetadataMatcher: a value that a filter before has left about the request. */
export interface MetadataMatcher {
  readonly filter: string;
  readonly path: readonly string[];
  readonly value: ValueMatcher;
  readonly invert: boolean;
}

/** envoy.type.matcher.v3.ValueMatcher. */
export type ValueMatcher =
  | { readonly kind: 'null' }
  | { readonly kind: 'string'; readonly matcher: StringMatcher }
  | { readonly kind: 'bool'; readonly value: boolean }
  | { readonly kind: 'present'; readonly present: boolean }
  /** A list of which one element fits. */
  | { readonly kind: 'list'; readonly oneOf: ValueMatcher }
  | { readonly kind: 'or'; readonly matchers: readonly ValueMatcher[] };
