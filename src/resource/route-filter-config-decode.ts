import { decodeExtAuthzPerRoute } from './ext-authz-decode.ts';
import type { RouteFilterConfig } from './filter-config.ts';
import { decodeRateLimitPerRoute } from './global-rate-limit-decode.ts';
import {
  decodeBuffer,
  decodeCorsPolicy,
  decodeFault,
  decodeMutations,
  decodeRbacFilter,
  decodeStatefulSession,
} from './http-filter-config-decode.ts';
import type { MessageReader } from './message-reader.ts';
import { decodeLocalRateLimit } from './rate-limit-decode.ts';

const HTTP = 'envoy.extensions.filters.http';

/** Decoders of `typed_per_filter_config` values by full message name. */
export const ROUTE_FILTER_DECODERS: ReadonlyMap<string, (reader: MessageReader) => RouteFilterConfig> = new Map<
  string,
  (reader: MessageReader) => RouteFilterConfig
>([
  ['envoy.config.route.v3.FilterConfig', decodeFilterConfig],
  [`${HTTP}.rbac.v3.RBACPerRoute`, decodeRbacPerRoute],
  [`${HTTP}.ext_authz.v3.ExtAuthzPerRoute`, decodeExtAuthzPerRoute],
  [`${HTTP}.fault.v3.HTTPFault`, decodeFault],
  [`${HTTP}.local_ratelimit.v3.LocalRateLimit`, decodeLocalRateLimit],
  [`${HTTP}.ratelimit.v3.RateLimitPerRoute`, decodeRateLimitPerRoute],
  [`${HTTP}.header_mutation.v3.HeaderMutationPerRoute`, (reader) => decodeMutations(reader.message('mutations'))],
  [`${HTTP}.cors.v3.CorsPolicy`, decodeCorsPolicy],
  [`${HTTP}.jwt_authn.v3.PerRouteConfig`, decodeJwtAuthnPerRoute],
  [`${HTTP}.buffer.v3.BufferPerRoute`, decodeBufferPerRoute],
  [`${HTTP}.stateful_session.v3.StatefulSessionPerRoute`, decodeStatefulSessionPerRoute],
]);

/** A wrapper is kept only where it turns its filter off; others are unwrapped before they come here. */
function decodeFilterConfig(reader: MessageReader): RouteFilterConfig {
  if (!reader.boolean('disabled')) reader.fault('config', 'must not hold another FilterConfig');
  return { kind: 'disabled' };
}

function decodeRbacPerRoute(reader: MessageReader): RouteFilterConfig {
  const rbac = reader.message('rbac');
  return rbac === undefined ? { kind: 'rbac', rules: undefined, shadowRules: undefined } : decodeRbacFilter(rbac);
}

function decodeJwtAuthnPerRoute(reader: MessageReader): RouteFilterConfig {
  if (reader.boolean('disabled')) return { kind: 'disabled' };
  return { kind: 'jwtAuthn', requirementName: reader.requiredString('requirement_name') };
}

function decodeBufferPerRoute(reader: MessageReader): RouteFilterConfig {
  if (reader.boolean('disabled')) return { kind: 'disabled' };
  const buffer = reader.requiredMessage('buffer');
  return buffer === undefined ? { kind: 'disabled' } : decodeBuffer(buffer);
}

function decodeStatefulSessionPerRoute(reader: MessageReader): RouteFilterConfig {
  if (reader.boolean('disabled')) return { kind: 'disabled' };
  const session = reader.requiredMessage('stateful_session');
  return session === undefined ? { kind: 'disabled' } : decodeStatefulSession(session);
}
