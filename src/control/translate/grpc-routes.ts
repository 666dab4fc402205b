import type { Json } from '../snapshot/resource-literal.ts';
import { originText } from './catalog.ts';
import type { HeaderMatch, HeaderModifiers, HttpMatch, RouteDestination, TextMatch } from './config-entries.ts';
import type { ChainRoute, ChainSplit, DiscoveryChain, Target } from './discovery-chain.ts';
import { durationJson } from './names.ts';
import { type Problem, warningAt } from './problem.ts';
import { WEIGHT_SCALE } from './route-configuration.ts';
import { pathJson } from './route-match.ts';

/** gRFC A44: what a gRPC client retries on; anything else it passes over. */
const RETRIABLE = new Set(['cancelled', 'deadline-exceeded', 'internal', 'resource-exhausted', 'unavailable']);

/**
 * A chain as a RouteConfiguration that gRPC clients obey: the same routes and weights as sidecars get, and nothing that
 * makes one refuse the whole. What a client cannot do is told as a problem.
 */
export function grpcRouteConfigurationJson(
  name: string,
  chain: DiscoveryChain,
  clusterOf: (target: Target) => string,
): { readonly json: Json; readonly problems: readonly Problem[] } {
  const taken = chain.routes.filter(({ route }) => route === undefined || canMatch(route.match));
  const routes = taken.map((route) => ({
    match: route.route === undefined ? { prefix: '' } : matchJson(route.route.match),
    route: actionJson(route, clusterOf),
  }));
  const json = { name, virtualHosts: [{ name: chain.service, domains: ['*'], routes }] };
  return { json, problems: taken.flatMap((route) => notObeyed(chain.service, route)) };
}

/** A gRPC request is a POST without a query: a route that wants another never matches one. */
function canMatch({ methods, queryParameters }: HttpMatch): boolean {
  return queryParameters.length === 0 && (methods.length === 0 || methods.includes('POST'));
}

function matchJson({ path, caseInsensitive, headers }: HttpMatch): Json {
  return {
    ...pathJson(path),
    ...(caseInsensitive && path.kind !== 'regex' ? { caseSensitive: false } : {}),
    ...(headers.length === 0 ? {} : { headers: headers.map(headerMatcherJson) }),
  };
}

/** In the fields that clients of all ages and makes take: `string_match` is too new for some, `contains_match` for others. */
function headerMatcherJson({ name, match, invert, ignoreCase }: HeaderMatch): Json {
  return { name, ...textMatchJson(match, ignoreCase), ...(invert ? { invertMatch: true } : {}) };
}

function textMatchJson(match: TextMatch, ignoreCase: boolean): Json {
  if (match.kind === 'present') return { presentMatch: true };
  if (match.kind === 'regex') return { safeRegexMatch: { regex: ignoreCase ? `(?i)${match.value}` : match.value } };
  if (!ignoreCase && match.kind !== 'contains') return { [`${match.kind}Match`]: match.value };
  const literal = match.value.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);
  const before = match.kind === 'suffix' || match.kind === 'contains' ? '.*' : '';
  const after = match.kind === 'prefix' || match.kind === 'contains' ? '.*' : '';
  return { safeRegexMatch: { regex: `${ignoreCase ? '(?i)' : ''}${before}${literal}${after}` } };
}

function actionJson(
  { route, next, requestTimeoutMs, hashPolicies }: ChainRoute,
  clusterOf: (target: Target) => string,
): Json {
  const hashPolicy = hashPolicies.flatMap((policy) =>
    policy.field === 'header'
      ? [{ header: { headerName: policy.value }, ...(policy.terminal ? { terminal: true } : {}) }]
      : [],
  );
  return {
    ...clusterJson(next, clusterOf),
    ...(requestTimeoutMs === undefined
      ? {}
      : { maxStreamDuration: { maxStreamDuration: durationJson(requestTimeoutMs) } }),
    ...retryJson(route?.destination),
    ...(hashPolicy.length === 0 ? {} : { hashPolicy }),
  };
}

function clusterJson(next: ChainSplit, clusterOf: (target: Target) => string): Json {
  if (next.kind === 'target') return { cluster: clusterOf(next.target) };
  const clusters = next.splits.map(({ target, weight }) => ({
    name: clusterOf(target),
    weight: Math.round(weight * WEIGHT_SCALE),
  }));
  return { weightedClusters: { clusters } };
}

/** Only what an entry asks for: what never reached a server, clients send again by themselves. */
function retryJson(destination: RouteDestination | undefined): Json {
  const retryOn = (destination?.retryOn ?? []).filter((condition) => RETRIABLE.has(condition));
  if (destination === undefined || retryOn.length === 0) return {};
  return { retryPolicy: { retryOn: retryOn.join(','), numRetries: Math.max(1, destination.numRetries) } };
}

function notObeyed(service: string, { route, next, origin, hashPolicies }: ChainRoute): readonly Problem[] {
  const found = [
    ...(route === undefined ? [] : notObeyedIn(route.destination)),
    ...(hashPolicies.some(({ field }) => field !== 'header') ? ['hash policies other than of a header'] : []),
    ...(next.kind === 'split' && next.splits.some((split) => modifies(split.requestHeaders, split.responseHeaders))
      ? ['the header changes of Splits']
      : []),
  ];
  if (found.length === 0 || origin === undefined) return [];
  return [warningAt(originText(origin), `gRPC clients of "${service}" do without ${found.join(', ')}; sidecars obey`)];
}

function notObeyedIn(destination: RouteDestination): readonly string[] {
  return [
    ...(destination.prefixRewrite === '' ? [] : ['PrefixRewrite']),
    ...(destination.idleTimeoutMs === undefined ? [] : ['IdleTimeout']),
    ...(modifies(destination.requestHeaders, destination.responseHeaders)
      ? ['RequestHeaders and ResponseHeaders']
      : []),
    ...(destination.retryOnStatusCodes.length === 0 ? [] : ['RetryOnStatusCodes']),
  ];
}

function modifies(...modifiers: readonly HeaderModifiers[]): boolean {
  return modifiers.some(({ add, set, remove }) => add.length + set.length + remove.length > 0);
}
