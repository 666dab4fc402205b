import { RE2JS } from 're2js';
import type { StringMatcher } from '../../resource/matcher.ts';

export type StringPredicate = (text: string) => boolean;

/**
 * Compiles a matcher once, when config arrives. Patterns run in linear time (RE2) and must match the whole text, as in Envoy.
 * Texts are bytes, one character each, as they came; what configuration says is taken as the bytes of its UTF-8.
 */
export function compileStringMatcher(matcher: StringMatcher): StringPredicate {
  if (matcher.kind === 'safeRegex') return compileFullMatch(matcher.pattern);
  const value = utf8Bytes(matcher.value);
  if (!matcher.ignoreCase) return compileCaseSensitive(matcher.kind, value);
  const predicate = compileCaseSensitive(matcher.kind, lowerCaseAscii(value));
  return (text) => predicate(lowerCaseAscii(text));
}

/** Throws RE2JSException for a pattern RE2 refuses; the resource decoder has refused such patterns before. */
export function compileFullMatch(pattern: string): StringPredicate {
  const compiled = RE2JS.compile(utf8Bytes(pattern));
  return (text) => compiled.matches(text);
}

function utf8Bytes(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}

/** Other letters are bytes of something. */
function lowerCaseAscii(text: string): string {
  return /[A-Z]/.test(text) ? text.replaceAll(/[A-Z]+/g, (letters) => letters.toLowerCase()) : text;
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
