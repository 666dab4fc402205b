import { decodeStringMatcher } from './matcher-decode.ts';
import type { MessageReader } from './message-reader.ts';
import type { MetadataMatcher, ValueMatcher } from './metadata-matcher.ts';

/** Nothing fits it: what a refused one reads as. */
const NO_VALUE: ValueMatcher = { kind: 'or', matchers: [] };

/** envoy.type.matcher.v3.MetadataMatcher. */
export function decodeMetadataMatcher(reader: MessageReader): MetadataMatcher {
  const path = reader.messages('path').map((segment) => segment.requiredString('key'));
  if (path.length === 0) reader.fault('path', 'must not be empty');
  const value = reader.requiredMessage('value');
  return {
    filter: reader.requiredString('filter'),
    path,
    value: value === undefined ? NO_VALUE : decodeValueMatcher(value),
    invert: reader.boolean('invert'),
  };
}

function decodeValueMatcher(reader: MessageReader): ValueMatcher {
  const pattern = reader.oneof('match_pattern');
  switch (pattern) {
    case 'null_match':
      return { kind: 'null' };
    case 'string_match':
      return { kind: 'string', matcher: decodeStringMatcher(reader.message(pattern)) };
    case 'bool_match':
      return { kind: 'bool', value: reader.boolean(pattern) };
    case 'present_match':
      return { kind: 'present', present: reader.boolean(pattern) };
    case 'list_match': {
      const oneOf = reader.message(pattern)?.requiredMessage('one_of');
      return oneOf === undefined ? NO_VALUE : { kind: 'list', oneOf: decodeValueMatcher(oneOf) };
    }
    case 'or_match': {
      const matchers = reader.message(pattern)?.messages('value_matchers') ?? [];
      if (matchers.length < 2) reader.fault('or_match.value_matchers', 'must have at least two');
      return { kind: 'or', matchers: matchers.map(decodeValueMatcher) };
    }
    case undefined:
      reader.fault('', 'must have a match_pattern');
      return NO_VALUE;
    default:
      reader.refuse(pattern);
      return NO_VALUE;
  }
}
