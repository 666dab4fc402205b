import type { HeaderMatcher, StringMatcher } from '../../../resource/matcher.ts';
import { compileRange, compileStringMatcher } from '../../route/route.ts';
import { type FieldSource, requestValues } from '../effective-fields.ts';
import { guarded, MAYBE, NO, not, type Verdict, verdictOf, YES } from './verdict.ts';

/**
 * One HeaderMatcher as a rule about access. Envoy joins the lines of a repeated field by commas and matches that; others
 * read the first line, or the last. So a field in several lines matches only where all readings do (CVE-2026-26308).
 */
export function compileFieldRule(matcher: HeaderMatcher): (source: FieldSource) => Verdict {
  const { name, match, invertMatch } = matcher;
  if (match.kind === 'present') {
    const wanted = match.present !== invertMatch;
    return (source) => verdictOf(requestValues(source, name).length > 0 === wanted);
  }
  const accepts =
    match.kind === 'string' ? valueTest(name, match.matcher) : guarded(compileRange(match.start, match.end));
  return (source) => {
    const values = requestValues(source, name);
    // Envoy: a missing field never matches, inverted or not.
    if (values.length === 0 && !matcher.treatMissingHeaderAsEmpty) return NO;
    const verdict = judge(values, accepts);
    return invertMatch ? not(verdict) : verdict;
  };
}

function valueTest(name: string, matcher: StringMatcher): (value: string) => Verdict {
  const exactly = guarded(compileStringMatcher(matcher));
  if ((name !== ':authority' && name !== 'host') || matcher.kind === 'safeRegex') return exactly;
  // Names of hosts have no case and may end in a dot: what differs only there may be the same host.
  const loosely = guarded(compileStringMatcher({ ...matcher, ignoreCase: true }));
  return (value) => {
    const verdict = exactly(value);
    return verdict === NO && loosely(value.replace(/\.(?=:\d*$|$)/, '')) !== NO ? MAYBE : verdict;
  };
}

function judge(values: readonly string[], accepts: (value: string) => Verdict): Verdict {
  const [only = ''] = values;
  if (values.length <= 1) return judgeLine(only, accepts);
  const whole = accepts(values.join(','));
  return values.every((value) => judgeLine(value, accepts) === whole) ? whole : MAYBE;
}

/** RFC 9110 §5.3: a list in one line says what several lines would. */
function judgeLine(value: string, accepts: (value: string) => Verdict): Verdict {
  const whole = accepts(value);
  if (whole === YES || !value.includes(',')) return whole;
  return value.split(',').every((element) => accepts(element.trim()) === NO) ? whole : MAYBE;
}
