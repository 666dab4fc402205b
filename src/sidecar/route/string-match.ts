import { RE2JS } from 're2js';
import type { StringMatcher } from '../../resource/matcher.ts';

export type StringPredicate = (text: string) => boolean;

/** Compiles a matcher once, when config arrives. Patterns run in linear time (RE2) and must match the whole text, as in Envoy. */
export function compileStringMatcher(matcher: StringMatcher): StringPredicate {
  if (matcher.kind === 'safeRegex') return compileFullMatch(matcher.pattern);
  if (!matcher.ignoreCase) return compileCaseSensitive(matcher.kind, matcher.value);
  const predicate = compileCaseSensitive(matcher.kind, matcher.value.toLowerCase());
  return (text) => predicate(text.toLowerCase());
}

/** Throws RE2JSException for a pattern RE2 refuses; the resource decoder has refused such patterns before. */
export function compileFullMatch(pattern: string): StringPredicate {
  const compiled = RE2JS.compile(pattern);
  return (text) => compiled.matches(text);
}

function compileCaseSensitive(kind: 'exact' | 'prefix' | 'suffix' | 'contains', value: string): StringPredicate {
  switch (kind) {
    case 'exact':
      return (text) => text === value;
    case 'prefix':
      return (text) => text.startsWith(value);
    case 'suffix':
      return (text) => text.endsWith(value);
    case 'contains':
      return (text) => text.includes(value);
  }
}
