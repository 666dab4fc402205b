/**
 * Which extensions a decoder lets through. A resource that asks for another is refused by name, because passing over a policy
 * would change who may talk to whom.
 */
export interface ExtensionSupport {
  /** Full message names of HTTP filters, the router included. */
  readonly httpFilters: ReadonlySet<string>;
  /** Full message names of network filters beside the connection manager and the TCP proxy. */
  readonly networkFilters: ReadonlySet<string>;
  /** Full message names of access loggers. */
  readonly accessLoggers: ReadonlySet<string>;
}

/** The terminal HTTP filter. */
export const ROUTER_FILTER = 'envoy.extensions.filters.http.router.v3.Router';

/** Everything this room can decode, which a test holds to what the data plane has code for. */
export const ALL_EXTENSIONS: ExtensionSupport = {
  httpFilters: new Set([
    ROUTER_FILTER,
    'envoy.extensions.filters.http.adaptive_concurrency.v3.AdaptiveConcurrency',
    'envoy.extensions.filters.http.admission_control.v3.AdmissionControl',
    'envoy.extensions.filters.http.buffer.v3.Buffer',
    'envoy.extensions.filters.http.cors.v3.Cors',
    'envoy.extensions.filters.http.ext_authz.v3.ExtAuthz',
    'envoy.extensions.filters.http.fault.v3.HTTPFault',
    'envoy.extensions.filters.http.grpc_http1_bridge.v3.Config',
    'envoy.extensions.filters.http.grpc_stats.v3.FilterConfig',
    'envoy.extensions.filters.http.grpc_web.v3.GrpcWeb',
    'envoy.extensions.filters.http.header_mutation.v3.HeaderMutation',
    'envoy.extensions.filters.http.health_check.v3.HealthCheck',
    'envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication',
    'envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit',
    'envoy.extensions.filters.http.ratelimit.v3.RateLimit',
    'envoy.extensions.filters.http.rbac.v3.RBAC',
    'envoy.extensions.filters.http.stateful_session.v3.StatefulSession',
  ]),
  networkFilters: new Set([
    'envoy.extensions.filters.network.connection_limit.v3.ConnectionLimit',
    'envoy.extensions.filters.network.local_ratelimit.v3.LocalRateLimit',
    'envoy.extensions.filters.network.rbac.v3.RBAC',
  ]),
  accessLoggers: new Set([
    'envoy.extensions.access_loggers.file.v3.FileAccessLog',
    'envoy.extensions.access_loggers.stream.v3.StderrAccessLog',
    'envoy.extensions.access_loggers.stream.v3.StdoutAccessLog',
  ]),
};
