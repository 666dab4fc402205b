import type { Json } from '../snapshot/resource-literal.ts';
import type { EntryOrigin } from './catalog.ts';
import type { LoadBalancerHashPolicy, ServiceRoute } from './config-entries.ts';
import type { ChainRoute, ChainSplit, DiscoveryChain, Target } from './discovery-chain.ts';
import { headerMutationsJson } from './header-mutations.ts';
import { durationJson } from './names.ts';
import { retryPolicyJson } from './retry-policy.ts';
import { MATCH_ALL, routeMatchJson } from './route-match.ts';

/** Consul keeps weights in percent with two decimals; Envoy wants whole numbers. */
export const WEIGHT_SCALE = 100;

export interface RouteContext {
  readonly clusterOf: (target: Target) => string;
  readonly numRetries: number | undefined;
}

/** A chain as envoy.config.route.v3.RouteConfiguration: one virtual host for everything, the router's routes in their order. */
export function routeConfigurationJson(name: string, chain: DiscoveryChain, context: RouteContext): Json {
  const routes = chain.routes.map((route) => routeJson(route, context));
  return { name, virtualHosts: [{ name: chain.service, domains: ['*'], routes }] };
}

function routeJson(chainRoute: ChainRoute, context: RouteContext): Json {
  const { route, origin } = chainRoute;
  const destination = route?.destination;
  return {
    match: route === undefined ? MATCH_ALL : routeMatchJson(route.match),
    route: actionJson(chainRoute, context),
    ...(destination === undefined ? {} : headerMutationsJson(destination.requestHeaders, destination.responseHeaders)),
    ...metadataJson(origin),
  };
}

/** Which Consul entry made this route: a trace and an explanation can name it. */
function metadataJson(origin: EntryOrigin | undefined): Json {
  if (origin === undefined) return {};
  const weft = { config_entry: `${origin.kind}/${origin.name}`, modify_index: origin.modifyIndex };
  return { metadata: { filterMetadata: { weft } } };
}

function actionJson({ route, next, requestTimeoutMs, hashPolicies }: ChainRoute, context: RouteContext): Json {
  const destination = route?.destination;
  const retryPolicy = retryPolicyJson(destination, context.numRetries);
  const hashPolicy = hashPolicies.map(hashPolicyJson);
  return {
    ...clusterJson(next, context),
    ...(requestTimeoutMs === undefined ? {} : { timeout: durationJson(requestTimeoutMs) }),
    ...(destination?.idleTimeoutMs === undefined ? {} : { idleTimeout: durationJson(destination.idleTimeoutMs) }),
    ...(route === undefined ? {} : pathRewriteJson(route)),
    ...(retryPolicy === undefined ? {} : { retryPolicy }),
    ...(hashPolicy.length === 0 ? {} : { hashPolicy }),
  };
}

function clusterJson(next: ChainSplit, { clusterOf }: RouteContext): Json {
  if (next.kind === 'target') return { cluster: clusterOf(next.target) };
  const clusters = next.splits.map((split) => ({
    name: clusterOf(split.target),
    weight: Math.round(split.weight * WEIGHT_SCALE),
    ...headerMutationsJson(split.requestHeaders, split.responseHeaders),
  }));
  return { weightedClusters: { clusters } };
}

/**
 * `PrefixRewrite: "/"` takes the prefix away. Envoy's prefix_rewrite would leave two slashes of `/admin/users` there, so that
 * the slash after the prefix goes with it, as in Consul.
 */
function pathRewriteJson({ match, destination: { prefixRewrite } }: ServiceRoute): Json {
  if (prefixRewrite === '') return {};
  const { path } = match;
  if (prefixRewrite !== '/' || path.kind !== 'prefix' || path.value.endsWith('/')) return { prefixRewrite };
  const literal = path.value.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);
  const regex = `${match.caseInsensitive ? '(?i)' : ''}^${literal}/?(.*)`;
  return { regexRewrite: { pattern: { regex }, substitution: String.raw`/\1` } };
}

function hashPolicyJson(policy: LoadBalancerHashPolicy): Json {
  const terminal = policy.terminal ? { terminal: true } : {};
  switch (policy.field) {
    case 'header':
      return { header: { headerName: policy.value }, ...terminal };
    case 'query_parameter':
      return { queryParameter: { name: policy.value }, ...terminal };
    case 'source_ip':
      return { connectionProperties: { sourceIp: true }, ...terminal };
    case 'cookie': {
      const ttl = policy.ttlMs === undefined ? {} : { ttl: durationJson(policy.ttlMs) };
      const path = policy.path === '' ? {} : { path: policy.path };
      return { cookie: { name: policy.value, ...ttl, ...path }, ...terminal };
    }
  }
}

/** The targets of one step, first to last. */
export function targetsOf(next: ChainSplit): readonly Target[] {
  return next.kind === 'target' ? [next.target] : next.splits.map(({ target }) => target);
}
