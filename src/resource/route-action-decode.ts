import { decodeRegexRewrite } from './matcher-decode.ts';
import type { MessageReader } from './message-reader.ts';
import { decodeRuntimeFraction } from './percent-decode.ts';
import { decodeRateLimits } from './rate-limit-policy-decode.ts';
import { decodeHedgePolicy, decodeRetryPolicy } from './retry-policy-decode.ts';
import type { ClusterSpecifier, HashPolicy, RequestMirrorPolicy, RouteAction } from './route-configuration.ts';
import { decodeWeightedClusters } from './weighted-clusters-decode.ts';

/** Envoy's default for a whole request. */
const DEFAULT_ROUTE_TIMEOUT_MS = 15_000;

/**
 * envoy.config.route.v3.RouteAction. Fields that would send a request elsewhere or change what the application sees are
 * refused where Weft does not obey them; those that only tune (`early_data_policy`,
 * `append_x_forwarded_host`) are read past.
 */
export function decodeRouteAction(reader: MessageReader, inherited: readonly RequestMirrorPolicy[]): RouteAction {
  reader.refuse('metadata_match', 'path_rewrite_policy', 'retry_policy_typed_config', 'internal_redirect_policy');
  refuseOlderSpellings(reader);
  const prefixRewrite = reader.string('prefix_rewrite');
  const regexRewrite = decodeRegexRewrite(reader.message('regex_rewrite'));
  if (prefixRewrite !== '' && regexRewrite !== undefined) reader.fault('regex_rewrite', 'excludes prefix_rewrite');
  const mirrors = decodeMirrorPolicies(reader);
  const maxStreamDuration = reader.message('max_stream_duration');
  return {
    kind: 'route',
    cluster: decodeClusterSpecifier(reader),
    timeoutMs: reader.durationMs('timeout') ?? DEFAULT_ROUTE_TIMEOUT_MS,
    idleTimeoutMs: reader.durationMs('idle_timeout'),
    maxStreamDurationMs: maxStreamDuration?.durationMs('max_stream_duration'),
    grpcTimeoutHeaderMaxMs: maxStreamDuration?.durationMs('grpc_timeout_header_max'),
    grpcTimeoutHeaderOffsetMs: maxStreamDuration?.durationMs('grpc_timeout_header_offset') ?? 0,
    prefixRewrite: prefixRewrite === '' ? undefined : prefixRewrite,
    regexRewrite,
    hostRewrite: decodeHostRewrite(reader),
    retryPolicy: decodeRetryPolicy(reader.message('retry_policy')),
    hedgePolicy: decodeHedgePolicy(reader.message('hedge_policy')),
    hashPolicy: reader.messages('hash_policy').flatMap(decodeHashPolicy),
    requestMirrorPolicies: mirrors.length > 0 ? mirrors : inherited,
    rateLimits: decodeRateLimits(reader),
    includeVhRateLimits: reader.wrappedBoolean('include_vh_rate_limits') ?? false,
    upgradeTypes: decodeUpgradeTypes(reader),
    clusterNotFoundResponseCode: reader.choice('cluster_not_found_response_code', NOT_FOUND_CODES, 503),
    priority: reader.choice('priority', PRIORITIES, 'default'),
  };
}

/** What Envoy says elsewhere today. */
function refuseOlderSpellings(reader: MessageReader): void {
  for (const name of ['max_grpc_timeout', 'grpc_timeout_offset']) {
    if (reader.has(name)) reader.fault(name, 'is not supported; use max_stream_duration');
  }
  if (reader.has('cors')) reader.fault('cors', 'is not supported; use typed_per_filter_config');
  reader.refuse('internal_redirect_action');
}

const NOT_FOUND_CODES = { SERVICE_UNAVAILABLE: 503, NOT_FOUND: 404, INTERNAL_SERVER_ERROR: 500 } as const;
const PRIORITIES = { DEFAULT: 'default', HIGH: 'high' } as const;

/** The `request_mirror_policies` of a route, a virtual host or a route configuration; the most specific level counts. */
export function decodeMirrorPolicies(reader: MessageReader): readonly RequestMirrorPolicy[] {
  return reader.messages('request_mirror_policies').map((policy) => {
    policy.refuse('cluster_header');
    const cluster = policy.requiredString('cluster');
    return { cluster, fraction: decodeRuntimeFraction(policy.message('runtime_fraction')) ?? 1 };
  });
}

function decodeClusterSpecifier(reader: MessageReader): ClusterSpecifier {
  const specifier = reader.oneof('cluster_specifier');
  switch (specifier) {
    case 'cluster':
      return { kind: 'cluster', name: reader.requiredString(specifier) };
    case 'cluster_header':
      return { kind: 'clusterHeader', header: reader.requiredString(specifier).toLowerCase() };
    case 'weighted_clusters': {
      const weighted = reader.message(specifier);
      if (weighted !== undefined) return decodeWeightedClusters(weighted);
      break;
    }
    case undefined:
      reader.fault('', 'must have one of cluster, cluster_header, weighted_clusters');
      break;
    default:
      reader.refuse(specifier);
  }
  return { kind: 'cluster', name: '' };
}

function decodeHostRewrite(reader: MessageReader): RouteAction['hostRewrite'] {
  const specifier = reader.oneof('host_rewrite_specifier');
  switch (specifier) {
    case undefined:
      return undefined;
    case 'host_rewrite_literal': {
      const value = reader.string(specifier);
      if (/[\s\0]/.test(value)) reader.fault(specifier, 'must be a host, without white space');
      return value === '' ? undefined : { kind: 'literal', value };
    }
    case 'auto_host_rewrite':
      return reader.wrappedBoolean(specifier) === true ? { kind: 'auto' } : undefined;
    case 'host_rewrite_header':
      return { kind: 'header', name: reader.requiredString(specifier).toLowerCase() };
    case 'host_rewrite_path_regex': {
      const rewrite = decodeRegexRewrite(reader.message(specifier));
      return rewrite === undefined ? undefined : { kind: 'pathRegex', ...rewrite };
    }
    default:
      reader.refuse(specifier);
      return undefined;
  }
}

function decodeHashPolicy(reader: MessageReader): readonly HashPolicy[] {
  const source = decodeHashSource(reader);
  return source === undefined ? [] : [{ terminal: reader.boolean('terminal'), source }];
}

function decodeHashSource(reader: MessageReader): HashPolicy['source'] | undefined {
  const specifier = reader.oneof('policy_specifier');
  const specified = specifier === undefined ? undefined : reader.message(specifier);
  if (specifier === undefined || specified === undefined) {
    reader.fault('', 'must have one of header, cookie, connection_properties, query_parameter');
    return undefined;
  }
  switch (specifier) {
    case 'header':
      specified.refuse('regex_rewrite');
      return { kind: 'header', name: specified.requiredString('header_name').toLowerCase() };
    case 'cookie':
      return {
        kind: 'cookie',
        name: specified.requiredString('name'),
        ttlMs: specified.durationMs('ttl'),
        path: specified.string('path'),
      };
    case 'connection_properties':
      return specified.boolean('source_ip') ? { kind: 'sourceIp' } : undefined;
    case 'query_parameter':
      return { kind: 'queryParameter', name: specified.requiredString('name') };
    default:
      reader.refuse(specifier);
      return undefined;
  }
}

function decodeUpgradeTypes(reader: MessageReader): ReadonlyMap<string, boolean> {
  const types = new Map<string, boolean>();
  for (const upgrade of reader.messages('upgrade_configs')) {
    upgrade.refuse('connect_config');
    const type = upgrade.requiredString('upgrade_type').toLowerCase();
    if (types.has(type)) upgrade.fault('upgrade_type', `${type} is listed twice`);
    types.set(type, upgrade.wrappedBoolean('enabled') ?? true);
  }
  return types;
}
