import { decodeExtAuthz } from './ext-authz-decode.ts';
import type {
  CorsPolicy,
  FaultFilterConfig,
  HeaderMutation,
  HeaderMutationFilterConfig,
  HealthCheckFilterConfig,
  HttpFilterConfig,
  StatefulSessionConfig,
} from './filter-config.ts';
import { decodeGlobalRateLimit } from './global-rate-limit-decode.ts';
import { decodeHeaderName, decodeHeaderValueOption } from './header-mutation-decode.ts';
import { decodeJwtAuthn } from './jwt-authn-decode.ts';
import { decodeHeaderMatcher, decodeStringMatcher } from './matcher-decode.ts';
import type { MessageReader } from './message-reader.ts';
import { decodeAdaptiveConcurrency, decodeAdmissionControl } from './overload-filter-decode.ts';
import { decodeFractionalPercent, decodePercent, decodeRuntimeFraction } from './percent-decode.ts';
import { decodeLocalRateLimit } from './rate-limit-decode.ts';
import { decodeRbac } from './rbac-decode.ts';

const HTTP = 'envoy.extensions.filters.http';

/** Decoders of HTTP filters by full message name. */
export const HTTP_FILTER_DECODERS: ReadonlyMap<string, (reader: MessageReader) => HttpFilterConfig> = new Map<
  string,
  (reader: MessageReader) => HttpFilterConfig
>([
  [`${HTTP}.router.v3.Router`, decodeRouter],
  [`${HTTP}.adaptive_concurrency.v3.AdaptiveConcurrency`, decodeAdaptiveConcurrency],
  [`${HTTP}.admission_control.v3.AdmissionControl`, decodeAdmissionControl],
  [`${HTTP}.rbac.v3.RBAC`, decodeRbacFilter],
  [`${HTTP}.ext_authz.v3.ExtAuthz`, decodeExtAuthz],
  [`${HTTP}.fault.v3.HTTPFault`, decodeFault],
  [`${HTTP}.local_ratelimit.v3.LocalRateLimit`, decodeLocalRateLimit],
  [`${HTTP}.ratelimit.v3.RateLimit`, decodeGlobalRateLimit],
  [`${HTTP}.header_mutation.v3.HeaderMutation`, decodeHeaderMutationFilter],
  [`${HTTP}.health_check.v3.HealthCheck`, decodeHealthCheckFilter],
  [`${HTTP}.jwt_authn.v3.JwtAuthentication`, decodeJwtAuthn],
  [`${HTTP}.cors.v3.Cors`, () => ({ kind: 'cors' })],
  [`${HTTP}.grpc_web.v3.GrpcWeb`, () => ({ kind: 'grpcWeb' })],
  [`${HTTP}.grpc_http1_bridge.v3.Config`, decodeGrpcHttp1Bridge],
  [`${HTTP}.grpc_stats.v3.FilterConfig`, decodeGrpcStats],
  [`${HTTP}.buffer.v3.Buffer`, decodeBuffer],
  [`${HTTP}.stateful_session.v3.StatefulSession`, decodeStatefulSession],
]);

/** Upstream filters would see every attempt; a list of them is refused. Logs and statistics options are read past. */
function decodeRouter(reader: MessageReader): HttpFilterConfig {
  const filters = reader.messages('upstream_http_filters');
  if (filters.length > 0) reader.refuse('upstream_http_filters');
  return { kind: 'router', suppressEnvoyHeaders: reader.boolean('suppress_envoy_headers') };
}

/** A matcher tree in place of rules would be enforced by Envoy, so it is not read past. */
export function decodeRbacFilter(reader: MessageReader): Extract<HttpFilterConfig, { kind: 'rbac' }> {
  reader.refuse('matcher', 'shadow_matcher');
  return {
    kind: 'rbac',
    rules: decodeRbac(reader.message('rules')),
    shadowRules: decodeRbac(reader.message('shadow_rules')),
    rulesStatPrefix: reader.string('rules_stat_prefix'),
    shadowRulesStatPrefix: reader.string('shadow_rules_stat_prefix'),
  };
}

/** envoy.extensions.filters.http.fault.v3.HTTPFault. */
export function decodeFault(reader: MessageReader): FaultFilterConfig {
  reader.refuse('response_rate_limit');
  const delay = reader.message('delay');
  const abort = reader.message('abort');
  return {
    kind: 'fault',
    delay: delay && {
      fixedMs: delay.has('header_delay') ? undefined : (delay.positiveDurationMs('fixed_delay') ?? 0),
      fraction: decodeFractionalPercent(delay.message('percentage')) ?? 0,
    },
    abort: abort && decodeAbort(abort),
    upstreamCluster: reader.string('upstream_cluster'),
    headers: reader.messages('headers').map(decodeHeaderMatcher),
    downstreamNodes: reader.strings('downstream_nodes'),
    maxActiveFaults: reader.wrappedNumber('max_active_faults'),
  };
}

function decodeAbort(reader: MessageReader): NonNullable<FaultFilterConfig['abort']> {
  const fraction = decodeFractionalPercent(reader.message('percentage')) ?? 0;
  const by = reader.oneof('error_type');
  if (by === 'header_abort') return { by: 'header', fraction };
  if (by === 'grpc_status') return { by: 'grpcStatus', status: reader.number('grpc_status'), fraction };
  const status = reader.number('http_status');
  if (status < 200 || status > 599) reader.fault('http_status', `must be from 200 to 599, not ${status}`);
  return { by: 'httpStatus', status, fraction };
}

function decodeHeaderMutationFilter(reader: MessageReader): HeaderMutationFilterConfig {
  const mostSpecificWins = reader.boolean('most_specific_header_mutations_wins');
  return { ...decodeMutations(reader.message('mutations')), mostSpecificWins };
}

/** envoy.extensions.filters.http.header_mutation.v3.Mutations. */
export function decodeMutations(reader: MessageReader | undefined): HeaderMutationFilterConfig {
  return {
    kind: 'headerMutation',
    requestMutations: reader?.messages('request_mutations').flatMap(decodeMutation) ?? [],
    responseMutations: reader?.messages('response_mutations').flatMap(decodeMutation) ?? [],
    mostSpecificWins: false,
  };
}

function decodeMutation(reader: MessageReader): readonly HeaderMutation[] {
  if (reader.oneof('action') === 'remove') {
    return [{ kind: 'remove', name: decodeHeaderName(reader, 'remove', reader.string('remove')) }];
  }
  const append = reader.requiredMessage('append');
  return append === undefined
    ? []
    : decodeHeaderValueOption(append).map((option): HeaderMutation => ({ kind: 'append', option }));
}

function decodeHealthCheckFilter(reader: MessageReader): HealthCheckFilterConfig {
  const passThroughMode = reader.wrappedBoolean('pass_through_mode');
  if (passThroughMode === undefined) reader.fault('pass_through_mode', 'must be set');
  const percentages = [...reader.messageMap('cluster_min_healthy_percentages')];
  return {
    kind: 'healthCheck',
    passThroughMode: passThroughMode ?? false,
    cacheTimeMs: reader.durationMs('cache_time'),
    headers: reader.messages('headers').map(decodeHeaderMatcher),
    clusterMinHealthyPercentages: new Map(percentages.map(([name, percent]) => [name, decodePercent(percent) ?? 0])),
  };
}

function decodeGrpcHttp1Bridge(reader: MessageReader): HttpFilterConfig {
  reader.refuse('upgrade_protobuf_to_grpc', 'ignore_query_parameters');
  return { kind: 'grpcHttp1Bridge' };
}

/** Counting for every method makes a label of what clients send, so it is off unless asked for. */
function decodeGrpcStats(reader: MessageReader): HttpFilterConfig {
  const services = reader.message('individual_method_stats_allowlist')?.messages('services') ?? [];
  const paths = services.flatMap((service) => {
    const name = service.requiredString('name');
    return service.strings('method_names').map((method) => `/${name}/${method}`);
  });
  return {
    kind: 'grpcStats',
    statsForAllMethods: reader.wrappedBoolean('stats_for_all_methods') ?? false,
    allowlist: new Set(paths),
    replaceDots: reader.boolean('replace_dots_in_grpc_service_name'),
  };
}

/** envoy.extensions.filters.http.buffer.v3.Buffer. */
export function decodeBuffer(reader: MessageReader): { readonly kind: 'buffer'; readonly maxRequestBytes: number } {
  const maxRequestBytes = reader.wrappedNumber('max_request_bytes') ?? 0;
  if (maxRequestBytes < 1) reader.fault('max_request_bytes', 'must be at least 1');
  return { kind: 'buffer', maxRequestBytes };
}

/** envoy.extensions.filters.http.cors.v3.CorsPolicy. */
export function decodeCorsPolicy(reader: MessageReader): CorsPolicy {
  return {
    kind: 'cors',
    allowOrigins: reader.messages('allow_origin_string_match').map(decodeStringMatcher),
    allowMethods: reader.string('allow_methods'),
    allowHeaders: reader.string('allow_headers'),
    exposeHeaders: reader.string('expose_headers'),
    maxAge: reader.string('max_age'),
    allowCredentials: reader.wrappedBoolean('allow_credentials') ?? false,
    filterEnabled: decodeRuntimeFraction(reader.message('filter_enabled')) ?? 1,
    allowPrivateNetworkAccess: reader.wrappedBoolean('allow_private_network_access') ?? false,
    forwardNotMatchingPreflights: reader.wrappedBoolean('forward_not_matching_preflights') ?? true,
  };
}

const COOKIE_SESSION = 'envoy.extensions.http.stateful_session.cookie.v3.CookieBasedSessionState';
const HEADER_SESSION = 'envoy.extensions.http.stateful_session.header.v3.HeaderBasedSessionState';

/** envoy.extensions.filters.http.stateful_session.v3.StatefulSession. */
export function decodeStatefulSession(reader: MessageReader): StatefulSessionConfig {
  const state = reader.requiredMessage('session_state')?.opened('typed_config');
  return { kind: 'statefulSession', session: decodeSession(state), strict: reader.boolean('strict') };
}

function decodeSession(state: MessageReader | undefined): StatefulSessionConfig['session'] {
  if (state?.typeName === HEADER_SESSION) return { by: 'header', name: state.requiredString('name').toLowerCase() };
  const cookie = state?.typeName === COOKIE_SESSION ? state.requiredMessage('cookie') : undefined;
  if (state !== undefined && state.typeName !== COOKIE_SESSION) {
    state.fault('', `session state ${state.typeName} is not supported`);
  }
  return {
    by: 'cookie',
    name: cookie?.requiredString('name') ?? '',
    ttlMs: cookie?.durationMs('ttl'),
    path: cookie?.string('path') ?? '',
  };
}
