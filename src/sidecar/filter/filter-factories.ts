import { decodeHttpFilterConfig } from '../../resource/decode-extension.ts';
import type { HttpFilterConfig } from '../../resource/filter-config.ts';
import { createAdaptiveConcurrency } from './adaptive-concurrency.ts';
import { createAdmissionControl } from './admission-control.ts';
import { createBuffer } from './buffer.ts';
import { createCors } from './cors.ts';
import { createExtAuthz } from './ext-authz/ext-authz-filter.ts';
import { createFault } from './fault.ts';
import type { FilterContext, FilterFactory } from './filter-context.ts';
import type { CompiledFilter } from './filter-stream.ts';
import { createGrpcHttp1Bridge } from './grpc-http1-bridge.ts';
import { createGrpcStats } from './grpc-stats.ts';
import { createGrpcWeb } from './grpc-web.ts';
import { createHeaderMutation } from './header-mutation.ts';
import { createHealthCheck } from './health-check.ts';
import { createHttpRateLimit } from './http-rate-limit.ts';
import { createJwtAuthn } from './jwt/jwt-authn-filter.ts';
import { createRateLimit } from './rate-limit/rate-limit-filter.ts';
import { createRbacFilter } from './rbac/rbac-filter.ts';
import { createStatefulSession } from './stateful-session.ts';

export const ROUTER_FILTER_TYPE = 'type.googleapis.com/envoy.extensions.filters.http.router.v3.Router';

const HTTP = 'type.googleapis.com/envoy.extensions.filters.http';

type ConfigOf<Kind extends HttpFilterConfig['kind']> = Extract<HttpFilterConfig, { readonly kind: Kind }>;

/** A factory for the one kind of config that its type URL decodes to. */
function of<Kind extends HttpFilterConfig['kind']>(
  kind: Kind,
  create: (name: string, config: ConfigOf<Kind>, context: FilterContext) => CompiledFilter,
): FilterFactory {
  const isKind = (config: HttpFilterConfig): config is ConfigOf<Kind> => config.kind === kind;
  return (name, extension, context) => {
    const decoded = decodeHttpFilterConfig(extension);
    if (decoded.ok && isKind(decoded.value)) return create(name, decoded.value, context);
    const faults = decoded.ok ? [] : decoded.faults.map(({ field, message }) => `${field} ${message}`);
    throw new Error(`http_filters[${name}]: ${faults.join('; ') || `is no ${kind}`}`);
  };
}

/** Every HTTP filter there is, by the type URL of its configuration. The router is no entry: it is how a chain ends. */
export const FILTER_FACTORIES: ReadonlyMap<string, FilterFactory> = new Map<string, FilterFactory>([
  [`${HTTP}.adaptive_concurrency.v3.AdaptiveConcurrency`, of('adaptiveConcurrency', createAdaptiveConcurrency)],
  [`${HTTP}.admission_control.v3.AdmissionControl`, of('admissionControl', createAdmissionControl)],
  [`${HTTP}.buffer.v3.Buffer`, of('buffer', createBuffer)],
  [`${HTTP}.cors.v3.Cors`, of('cors', createCors)],
  [`${HTTP}.ext_authz.v3.ExtAuthz`, of('extAuthz', createExtAuthz)],
  [`${HTTP}.fault.v3.HTTPFault`, of('fault', createFault)],
  [`${HTTP}.grpc_http1_bridge.v3.Config`, of('grpcHttp1Bridge', createGrpcHttp1Bridge)],
  [`${HTTP}.grpc_stats.v3.FilterConfig`, of('grpcStats', createGrpcStats)],
  [`${HTTP}.grpc_web.v3.GrpcWeb`, of('grpcWeb', createGrpcWeb)],
  [`${HTTP}.header_mutation.v3.HeaderMutation`, of('headerMutation', createHeaderMutation)],
  [`${HTTP}.health_check.v3.HealthCheck`, of('healthCheck', createHealthCheck)],
  [`${HTTP}.jwt_authn.v3.JwtAuthentication`, of('jwtAuthn', createJwtAuthn)],
  [`${HTTP}.local_ratelimit.v3.LocalRateLimit`, of('localRateLimit', createHttpRateLimit)],
  [`${HTTP}.ratelimit.v3.RateLimit`, of('rateLimit', createRateLimit)],
  [`${HTTP}.rbac.v3.RBAC`, of('rbac', createRbacFilter)],
  [`${HTTP}.stateful_session.v3.StatefulSession`, of('statefulSession', createStatefulSession)],
]);
