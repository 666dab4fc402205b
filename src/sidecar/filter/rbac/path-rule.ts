import type { StringMatcher } from '../../../resource/matcher.ts';
import { compileStringMatcher } from '../../route/route.ts';
import type { FieldSource } from '../effective-fields.ts';
import { agreed, MAYBE, type Verdict } from './verdict.ts';

/**
 * A rule about the path, without query and fragment. It matches only where the path as it goes upstream matches and so does
 * the plainest spelling of it: a server that decodes, merges or resolves more than this listener was told to must not be
 * reached by a spelling that the rule does not know (CVE-2019-9901 and its many kin).
 */
export function compilePathRule(matcher: StringMatcher): (source: FieldSource) => Verdict {
  const accepts = compileStringMatcher(matcher);
  return ({ head }) => {
    const path = pathOnly(head.path);
    try {
      const matches = accepts(path);
      const plain = plainPath(path);
      return agreed(matches, plain === path ? matches : accepts(plain));
    } catch {
      return MAYBE;
    }
  };
}

/** Bytes that some server reads as something else. */
const AMBIGUOUS = /%|\\|;|\/\/|\/\.{1,2}(?:\/|$)/;
const ESCAPED = /%([0-9a-fA-F]{2})/g;
/** RFC 3986 §2.3, and the two slashes. */
const DECODED = /[A-Za-z0-9\-._~/\\;]/;

/** Escapes decoded that need none, slashes of all kinds made one, parameters of segments and dot segments taken out. */
export function plainPath(path: string): string {
  if (!AMBIGUOUS.test(path)) return path;
  const decoded = path.replaceAll(ESCAPED, (escaped, digits: string) => {
    const character = String.fromCharCode(Number.parseInt(digits, 16));
    return DECODED.test(character) ? character : escaped;
  });
  const kept: string[] = [];
  const segments = decoded.split(/[/\\]/).map((segment) => segment.replace(/;.*$/, ''));
  for (const segment of segments) {
    if (segment === '..') kept.pop();
    else if (segment !== '' && segment !== '.') kept.push(segment);
  }
  const last = segments.at(-1);
  const endsInSlash = kept.length > 0 && (last === '' || last === '.' || last === '..');
  return `/${kept.join('/')}${endsInSlash ? '/' : ''}`;
}

function pathOnly(target: string): string {
  const end = target.search(/[?#]/);
  return end < 0 ? target : target.slice(0, end);
}
