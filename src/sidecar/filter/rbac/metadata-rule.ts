import type { MetadataMatcher, ValueMatcher } from '../../../resource/metadata-matcher.ts';
import { compileStringMatcher } from '../../route/route.ts';
import type { RbacSubject } from './rbac-subject.ts';
import { MAYBE, type Verdict, verdictOf } from './verdict.ts';

/** A rule about what filters before have said of a request, such as the claims of its token. */
export function compileMetadataRule({
  filter,
  path,
  value,
  invert,
}: MetadataMatcher): (subject: RbacSubject) => Verdict {
  const accepts = compileValueMatcher(value);
  return ({ request, metadata }) => {
    if (request === undefined) return MAYBE;
    try {
      return verdictOf(accepts(metadata?.at(filter, path)) !== invert);
    } catch {
      return MAYBE;
    }
  };
}

function compileValueMatcher(matcher: ValueMatcher): (value: unknown) => boolean {
  switch (matcher.kind) {
    case 'null':
      return (value) => value === null;
    case 'string': {
      const accepts = compileStringMatcher(matcher.matcher);
      // Matchers compare bytes.
      return (value) => typeof value === 'string' && accepts(Buffer.from(value, 'utf8').toString('latin1'));
    }
    case 'bool':
      return (value) => value === matcher.value;
    case 'present':
      // As Envoy: `false` fits nothing.
      return (value) => value !== undefined && matcher.present;
    case 'list': {
      const accepts = compileValueMatcher(matcher.oneOf);
      return (value) => Array.isArray(value) && value.some(accepts);
    }
    case 'or': {
      const matchers = matcher.matchers.map(compileValueMatcher);
      return (value) => matchers.some((accepts) => accepts(value));
    }
  }
}
