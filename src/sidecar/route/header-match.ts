import type { HeaderFields } from '../../http/header-fields.ts';
import type { HeaderMatcher, QueryParameterMatcher } from '../../resource/matcher.ts';
import { compileStringMatcher } from './string-match.ts';

/** What a matcher may look at: fields, and pseudo-headers by their HTTP/2 names. */
export interface MatchableRequest {
  readonly method: string;
  readonly scheme: string;
  readonly authority: string;
  readonly path: string;
  readonly fields: HeaderFields;
}

export type RequestPredicate = (request: MatchableRequest) => boolean;

/**
 * Compiles one HeaderMatcher. A repeated field is matched as its values joined by a comma, as Envoy does, so that a rule
 * sees every value and not only the first.
 */
export function compileHeaderMatcher(matcher: HeaderMatcher): RequestPredicate {
  const { name, match, invertMatch } = matcher;
  if (match.kind === 'present') {
    const wanted = match.present !== invertMatch;
    return (request) => (headerValue(request, name) !== undefined) === wanted;
  }
  const accepts = match.kind === 'string' ? compileStringMatcher(match.matcher) : compileRange(match.start, match.end);
  const missing = matcher.treatMissingHeaderAsEmpty ? '' : undefined;
  return (request) => {
    const value = headerValue(request, name) ?? missing;
    // Envoy: a missing header never matches, inverted or not.
    return value !== undefined && accepts(value) !== invertMatch;
  };
}

/** Compiles one QueryParameterMatcher; the first occurrence of the parameter counts, percent-decoding is not applied. */
export function compileQueryParameterMatcher(matcher: QueryParameterMatcher): (query: string) => boolean {
  const { name, match } = matcher;
  if (match.kind === 'present') return (query) => (queryParameter(query, name) !== undefined) === match.present;
  const accepts = compileStringMatcher(match.matcher);
  return (query) => {
    const value = queryParameter(query, name);
    return value !== undefined && accepts(value);
  };
}

export function headerValue(request: MatchableRequest, name: string): string | undefined {
  if (name.charCodeAt(0) === 0x3a) return pseudoHeader(request, name);
  const { fields } = request;
  let index = fields.indexOf(name);
  if (index < 0) return undefined;
  let joined = fields.valueAt(index);
  for (index = fields.indexOf(name, index + 1); index >= 0; index = fields.indexOf(name, index + 1)) {
    joined += `,${fields.valueAt(index)}`;
  }
  return joined;
}

function pseudoHeader(request: MatchableRequest, name: string): string | undefined {
  switch (name) {
    case ':method':
      return request.method;
    case ':path':
      return request.path;
    case ':authority':
      return request.authority;
    case ':scheme':
      return request.scheme;
    default:
      return undefined;
  }
}

/** `start` included, `end` excluded (envoy.type.v3.Int64Range); only a plain decimal integer is in any range. */
export function compileRange(start: number, end: number): (text: string) => boolean {
  return (text) => {
    if (!/^-?\d{1,15}$/.test(text)) return false;
    const value = Number(text);
    return value >= start && value < end;
  };
}

export function queryParameter(query: string, name: string): string | undefined {
  for (const pair of query.split('&')) {
    const equals = pair.indexOf('=');
    if ((equals < 0 ? pair : pair.slice(0, equals)) === name) return equals < 0 ? '' : pair.slice(equals + 1);
  }
  return undefined;
}
