import type { Json } from '../snapshot/resource-literal.ts';
import type { HeaderMatch, HttpMatch, QueryParameterMatch, TextMatch } from './config-entries.ts';

/** `Match.HTTP` of a service-router as envoy.config.route.v3.RouteMatch. */
export function routeMatchJson(match: HttpMatch): Json {
  const headers = match.headers.map(headerMatcherJson);
  if (match.methods.length > 0) headers.push(methodMatcherJson(match.methods));
  return {
    ...pathJson(match.path),
    ...(match.caseInsensitive && match.path.kind !== 'regex' ? { caseSensitive: false } : {}),
    ...(headers.length === 0 ? {} : { headers }),
    ...(match.queryParameters.length === 0 ? {} : { queryParameters: match.queryParameters.map(queryParameterJson) }),
  };
}

/** Matches everything: the route at the end of every virtual host. */
export const MATCH_ALL: Json = { prefix: '/' };

/** The part of a RouteMatch that is about the path. */
export function pathJson(path: HttpMatch['path']): Json {
  switch (path.kind) {
    case 'any':
      return MATCH_ALL;
    case 'exact':
      return { path: path.value };
    case 'prefix':
      return { prefix: path.value };
    case 'regex':
      return { safeRegex: { regex: path.value } };
  }
}

export function headerMatcherJson({ name, match, invert, ignoreCase }: HeaderMatch): Json {
  return {
    name,
    ...(match.kind === 'present' ? { presentMatch: true } : { stringMatch: stringMatcherJson(match, ignoreCase) }),
    ...(invert ? { invertMatch: true } : {}),
  };
}

export function methodMatcherJson(methods: readonly string[]): Json {
  const [only] = methods;
  const stringMatch = methods.length === 1 ? { exact: only } : { safeRegex: { regex: methods.join('|') } };
  return { name: ':method', stringMatch };
}

function queryParameterJson({ name, match }: QueryParameterMatch): Json {
  return {
    name,
    ...(match.kind === 'present' ? { presentMatch: true } : { stringMatch: stringMatcherJson(match, false) }),
  };
}

/** A regular expression has its own way to ignore case, `(?i)`, and Envoy refuses both together. */
function stringMatcherJson(match: Exclude<TextMatch, { kind: 'present' }>, ignoreCase: boolean): Json {
  if (match.kind === 'regex') return { safeRegex: { regex: ignoreCase ? `(?i)${match.value}` : match.value } };
  return { [match.kind]: match.value, ...(ignoreCase ? { ignoreCase: true } : {}) };
}
