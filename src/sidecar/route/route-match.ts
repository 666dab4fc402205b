import type { RouteMatch } from '../../resource/route-configuration.ts';
import { isGrpc } from './compiled-route.ts';
import { compileHeaderMatcher, compileQueryParameterMatcher, type MatchableRequest } from './header-match.ts';
import { compilePathMatch } from './path-match.ts';

/** A RouteMatch that belongs to a filter's rule instead of a route; without chance. `path` has no query. */
export function compileRouteMatch(match: RouteMatch): (request: MatchableRequest, path: string) => boolean {
  const matchesPath = compilePathMatch(match.path, match.caseSensitive);
  const headers = match.headers.map(compileHeaderMatcher);
  const query = match.queryParameters.map(compileQueryParameterMatcher);
  return (request, path) => {
    if (!matchesPath(path) || !headers.every((matches) => matches(request))) return false;
    if (match.grpc && !isGrpc(request)) return false;
    if (query.length === 0) return true;
    const queryAt = request.path.indexOf('?');
    const asked = queryAt < 0 ? '' : request.path.slice(queryAt + 1);
    return query.every((matches) => matches(asked));
  };
}
