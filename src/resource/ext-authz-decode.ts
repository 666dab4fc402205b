import type { StringMatcher } from './matcher.ts';
import { decodeStringMatcher } from './matcher-decode.ts';
import type { MessageReader } from './message-reader.ts';
import { decodeRuntimeFraction } from './percent-decode.ts';
import type {
  AuthorizationService,
  CheckedBody,
  ExtAuthzConfig,
  ExtAuthzRouteConfig,
  HttpAuthorizationService,
} from './upstream-service.ts';
import { decodeGrpcUpstreamService, decodeHeaderPair } from './upstream-service-decode.ts';

/** Envoy's. */
const DEFAULT_TIMEOUT_MS = 200;
const DEFAULT_STATUS_ON_ERROR = 403;
/** The most of a body that is kept for a check. */
const MAX_BODY_BYTES = 1_048_576;

/**
 * envoy.extensions.filters.http.ext_authz.v3.ExtAuthz. What would decide otherwise than Envoy, or let the service decide on
 * less than it expects to see, is refused. Changes that the service asks for are always validated.
 */
export function decodeExtAuthz(reader: MessageReader): ExtAuthzConfig {
  reader.refuse(
    'clear_route_cache',
    'metadata_context_namespaces',
    'typed_metadata_context_namespaces',
    'route_metadata_context_namespaces',
    'route_typed_metadata_context_namespaces',
    'filter_enabled_metadata',
    'deny_at_disable',
    'bootstrap_metadata_labels_key',
    'encode_raw_headers',
    'decoder_header_mutation_rules',
  );
  reader.choice('transport_api_version', { V3: 3 }, 3);
  const olderAllowedHeaders = decodeOlderAllowedHeaders(reader);
  return {
    kind: 'extAuthz',
    service: decodeService(reader),
    failureModeAllow: reader.boolean('failure_mode_allow'),
    failureModeAllowHeaderAdd: reader.boolean('failure_mode_allow_header_add'),
    statusOnError: decodeErrorStatus(reader.message('status_on_error')),
    filterEnabled: decodeRuntimeFraction(reader.message('filter_enabled')) ?? 1,
    statPrefix: reader.string('stat_prefix'),
    allowedHeaders: decodeStringMatchers(reader, 'allowed_headers') ?? olderAllowedHeaders,
    disallowedHeaders: decodeStringMatchers(reader, 'disallowed_headers') ?? [],
    includePeerCertificate: reader.boolean('include_peer_certificate'),
    includeTlsSession: reader.boolean('include_tls_session'),
    requestBody: decodeCheckedBody(reader.message('with_request_body')),
  };
}

/** envoy.extensions.filters.http.ext_authz.v3.ExtAuthzPerRoute. */
export function decodeExtAuthzPerRoute(reader: MessageReader): ExtAuthzRouteConfig | { readonly kind: 'disabled' } {
  const override = reader.oneof('override');
  if (override === 'disabled') {
    if (!reader.boolean('disabled')) reader.fault('disabled', 'must be true');
    return { kind: 'disabled' };
  }
  const settings = reader.requiredMessage('check_settings');
  return {
    kind: 'extAuthzSettings',
    contextExtensions: settings?.stringMap('context_extensions') ?? new Map(),
    disableRequestBodyBuffering: settings?.boolean('disable_request_body_buffering') ?? false,
    requestBody: decodeCheckedBody(settings?.message('with_request_body')),
  };
}

function decodeService(reader: MessageReader): AuthorizationService {
  const which = reader.oneof('services');
  if (which === undefined) reader.fault('', 'must have one of grpc_service, http_service');
  if (which !== 'http_service') {
    return { by: 'grpc', grpc: decodeGrpcUpstreamService(reader.message('grpc_service'), DEFAULT_TIMEOUT_MS) };
  }
  return decodeHttpService(reader, reader.message('http_service'));
}

function decodeHttpService(owner: MessageReader, reader: MessageReader | undefined): HttpAuthorizationService {
  const uri = reader?.requiredMessage('server_uri');
  const request = reader?.message('authorization_request');
  const response = reader?.message('authorization_response');
  response?.refuse('dynamic_metadata_from_headers');
  const pathPrefix = reader?.string('path_prefix') ?? '';
  if (pathPrefix !== '' && !/^\/[!"$-~]*$/.test(pathPrefix)) {
    reader?.fault('path_prefix', 'must begin with / and be visible ASCII');
  }
  const clusterName = uri?.requiredString('cluster') ?? '';
  const timeoutMs = uri?.positiveDurationMs('timeout');
  if (uri !== undefined && timeoutMs === undefined) uri.fault('timeout', 'must be set');
  owner.refuse('include_peer_certificate', 'include_tls_session');
  return {
    by: 'http',
    clusterName,
    authority: clusterName,
    timeoutMs: timeoutMs ?? DEFAULT_TIMEOUT_MS,
    pathPrefix,
    headersToAdd: request?.messages('headers_to_add').map(decodeHeaderPair) ?? [],
    upstreamHeaders: stringMatchers(response, 'allowed_upstream_headers') ?? [],
    upstreamHeadersToAppend: stringMatchers(response, 'allowed_upstream_headers_to_append') ?? [],
    clientHeaders: stringMatchers(response, 'allowed_client_headers'),
    clientHeadersOnSuccess: stringMatchers(response, 'allowed_client_headers_on_success') ?? [],
  };
}

/** Where Envoy had them before. */
function decodeOlderAllowedHeaders(reader: MessageReader): readonly StringMatcher[] | undefined {
  return stringMatchers(reader.message('http_service')?.message('authorization_request'), 'allowed_headers');
}

function stringMatchers(reader: MessageReader | undefined, name: string): readonly StringMatcher[] | undefined {
  return reader === undefined ? undefined : decodeStringMatchers(reader, name);
}

/** envoy.type.matcher.v3.ListStringMatcher, undefined where absent. */
function decodeStringMatchers(reader: MessageReader, name: string): readonly StringMatcher[] | undefined {
  return reader.message(name)?.messages('patterns').map(decodeStringMatcher);
}

function decodeCheckedBody(reader: MessageReader | undefined): CheckedBody | undefined {
  if (reader === undefined) return undefined;
  const maxBytes = reader.number('max_request_bytes');
  if (maxBytes < 1 || maxBytes > MAX_BODY_BYTES) {
    reader.fault('max_request_bytes', `must be from 1 to ${MAX_BODY_BYTES}, not ${maxBytes}`);
  }
  return {
    maxBytes,
    allowPartialMessage: reader.boolean('allow_partial_message'),
    packAsBytes: reader.boolean('pack_as_bytes'),
  };
}

function decodeErrorStatus(reader: MessageReader | undefined): number {
  if (reader === undefined) return DEFAULT_STATUS_ON_ERROR;
  const code = reader.enumNumber('code');
  if (code < 200 || code > 599) reader.fault('code', `must be from 200 to 599, not ${code}`);
  return code;
}
