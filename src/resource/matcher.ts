/**
 * envoy.type.matcher.v3.StringMatcher. `safeRegex` patterns are RE2 syntax and are compiled with a linear-time engine by
 * whoever evaluates them; JavaScript's RegExp never sees one.
 */
export type StringMatcher =
  | { readonly kind: 'exact'; readonly value: string; readonly ignoreCase: boolean }
  | { readonly kind: 'prefix'; readonly value: string; readonly ignoreCase: boolean }
  | { readonly kind: 'suffix'; readonly value: string; readonly ignoreCase: boolean }
  | { readonly kind: 'contains'; readonly value: string; readonly ignoreCase: boolean }
  | { readonly kind: 'safeRegex'; readonly pattern: string };

/** envoy.config.route.v3.HeaderMatcher. `name` is in lower case. */
export interface HeaderMatcher {
  readonly name: string;
  readonly match:
    | { readonly kind: 'string'; readonly matcher: StringMatcher }
    | { readonly kind: 'present'; readonly present: boolean }
    | { readonly kind: 'range'; readonly start: number; readonly end: number };
  readonly invertMatch: boolean;
  readonly treatMissingHeaderAsEmpty: boolean;
}

/** envoy.config.route.v3.QueryParameterMatcher. */
export interface QueryParameterMatcher {
  readonly name: string;
  readonly match:
    | { readonly kind: 'string'; readonly matcher: StringMatcher }
    | { readonly kind: 'present'; readonly present: boolean };
}

/** envoy.type.v3.FractionalPercent as a share between 0 and 1. */
export type Fraction = number;
