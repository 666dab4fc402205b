/**
 * Routes: compiles virtual hosts and routes once, when config arrives, and matches a request to one. Knows heads and
 * matchers. Does not know clusters beyond their names, hosts, sockets or time; chance comes in as an argument.
 */
export { type ClusterChoice, CompiledRoute } from './compiled-route.ts';
export { compileHeaderMatcher, compileRange, type MatchableRequest } from './header-match.ts';
export { applyHeaderValueOption, CompiledMutations } from './header-mutation.ts';
export { CompiledRetryPolicy } from './retry-policy.ts';
export { compileRouteMatch } from './route-match.ts';
export { RouteTable } from './route-table.ts';
export { compileStringMatcher, type StringPredicate } from './string-match.ts';
