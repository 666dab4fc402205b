import { RE2JS } from 're2js';
import type { HeaderMatcher, QueryParameterMatcher, StringMatcher } from './matcher.ts';
import type { MessageReader } from './message-reader.ts';

/** Longest pattern taken; a program compiled from a longer one costs more memory than any rule is worth. */
const MAX_PATTERN_LENGTH = 4096;

const MATCHES_NOTHING: StringMatcher = { kind: 'exact', value: '', ignoreCase: false };

/** envoy.type.matcher.v3.StringMatcher. */
export function decodeStringMatcher(reader: MessageReader | undefined): StringMatcher {
  if (reader === undefined) return MATCHES_NOTHING;
  const ignoreCase = reader.boolean('ignore_case');
  const kind = reader.oneof('match_pattern');
  switch (kind) {
    case 'exact':
      return { kind, value: reader.string(kind), ignoreCase };
    case 'prefix':
    case 'suffix':
    case 'contains':
      return { kind, value: reader.requiredString(kind), ignoreCase };
    case 'safe_regex':
      return { kind: 'safeRegex', pattern: decodeRegex(reader.message(kind)) };
    case 'custom':
      reader.refuse('custom');
      return MATCHES_NOTHING;
    default:
      reader.fault('', 'must have one of exact, prefix, suffix, contains, safe_regex');
      return MATCHES_NOTHING;
  }
}

/** envoy.type.matcher.v3.RegexMatcher: the pattern, known to compile. */
export function decodeRegex(reader: MessageReader | undefined): string {
  if (reader === undefined) return '';
  const pattern = reader.requiredString('regex');
  if (pattern.length > MAX_PATTERN_LENGTH) {
    reader.fault('regex', `must be at most ${MAX_PATTERN_LENGTH} characters, not ${pattern.length}`);
    return pattern;
  }
  try {
    RE2JS.compile(pattern);
  } catch (error) {
    reader.fault('regex', `is not RE2 syntax: ${error instanceof Error ? error.message : String(error)}`);
  }
  return pattern;
}

/** envoy.type.matcher.v3.RegexMatchAndSubstitute, undefined where absent. */
export function decodeRegexRewrite(
  reader: MessageReader | undefined,
): { readonly pattern: string; readonly substitution: string } | undefined {
  if (reader === undefined) return undefined;
  return { pattern: decodeRegex(reader.requiredMessage('pattern')), substitution: reader.string('substitution') };
}

/** envoy.config.route.v3.HeaderMatcher, its older spellings (`exact_match` and its kin) included. */
export function decodeHeaderMatcher(reader: MessageReader): HeaderMatcher {
  return {
    name: reader.requiredString('name').toLowerCase(),
    match: decodeHeaderMatch(reader),
    invertMatch: reader.boolean('invert_match'),
    treatMissingHeaderAsEmpty: reader.boolean('treat_missing_header_as_empty'),
  };
}

/** envoy.config.route.v3.QueryParameterMatcher; without a specifier the parameter must be present. */
export function decodeQueryParameterMatcher(reader: MessageReader): QueryParameterMatcher {
  const name = reader.requiredString('name');
  if (reader.oneof('query_parameter_match_specifier') === 'string_match') {
    return { name, match: { kind: 'string', matcher: decodeStringMatcher(reader.message('string_match')) } };
  }
  const present = reader.oneof('query_parameter_match_specifier') === undefined || reader.boolean('present_match');
  return { name, match: { kind: 'present', present } };
}

function decodeHeaderMatch(reader: MessageReader): HeaderMatcher['match'] {
  const specifier = reader.oneof('header_match_specifier');
  switch (specifier) {
    case undefined:
      return { kind: 'present', present: true };
    case 'present_match':
      return { kind: 'present', present: reader.boolean('present_match') };
    case 'range_match':
      return decodeRange(reader.message('range_match'));
    case 'string_match':
      return { kind: 'string', matcher: decodeStringMatcher(reader.message('string_match')) };
    case 'safe_regex_match':
      return { kind: 'string', matcher: { kind: 'safeRegex', pattern: decodeRegex(reader.message(specifier)) } };
    default:
      return { kind: 'string', matcher: decodeOldSpelling(reader, specifier) };
  }
}

function decodeRange(reader: MessageReader | undefined): HeaderMatcher['match'] {
  const start = reader?.number('start') ?? 0;
  const end = reader?.number('end') ?? 0;
  if (end < start) reader?.fault('end', `must not be below start (${start})`);
  return { kind: 'range', start, end };
}

function decodeOldSpelling(reader: MessageReader, specifier: string): StringMatcher {
  const value = specifier === 'exact_match' ? reader.string(specifier) : reader.requiredString(specifier);
  switch (specifier) {
    case 'prefix_match':
      return { kind: 'prefix', value, ignoreCase: false };
    case 'suffix_match':
      return { kind: 'suffix', value, ignoreCase: false };
    case 'contains_match':
      return { kind: 'contains', value, ignoreCase: false };
    default:
      return { kind: 'exact', value, ignoreCase: false };
  }
}
