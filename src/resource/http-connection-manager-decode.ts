import { decodeAccessLogs } from './access-log-decode.ts';
import { decodeCidrRange } from './address-decode.ts';
import { decodeConfigSource } from './config-source-decode.ts';
import type { ExtensionSupport } from './extension-support.ts';
import type { ClientCertDetails, HttpConnectionManager } from './http-connection-manager.ts';
import { decodeHttpFilters } from './http-filter-decode.ts';
import { decodeHttp2Options } from './http2-options-decode.ts';
import type { MessageReader } from './message-reader.ts';
import { decodeRouteConfiguration } from './route-configuration-decode.ts';
import { decodeTracing } from './tracing-decode.ts';

/** Envoy's defaults. */
const DEFAULT_IDLE_TIMEOUT_MS = 3_600_000;
const DEFAULT_STREAM_IDLE_TIMEOUT_MS = 300_000;
const DEFAULT_DRAIN_TIMEOUT_MS = 5_000;
const DEFAULT_DELAYED_CLOSE_TIMEOUT_MS = 1_000;
const DEFAULT_MAX_HEADERS_COUNT = 100;
const DEFAULT_MAX_REQUEST_HEADERS_KIB = 60;
const MAX_REQUEST_HEADERS_KIB = 8192;

/**
 * HttpConnectionManager. What changes whom a proxy trusts, where a request goes or what a reply says is refused where Weft
 * does not obey it; what only tunes, counts or adds to a report is read past.
 */
export function decodeHttpConnectionManager(reader: MessageReader, support: ExtensionSupport): HttpConnectionManager {
  reader.refuse(
    'original_ip_detection_extensions',
    'early_header_mutation_extensions',
    'scheme_header_transformation',
    'local_reply_config',
    'path_normalization_options',
    'strip_trailing_host_dot',
    'typed_header_validation_config',
  );
  return {
    statPrefix: reader.requiredString('stat_prefix'),
    routes: decodeRoutes(reader),
    httpFilters: decodeHttpFilters(reader, support),
    tracing: decodeTracing(reader.message('tracing')),
    accessLogs: decodeAccessLogs(reader, 'access_log', support),
    upgradeTypes: decodeUpgradeTypes(reader),
    ...decodeCodecs(reader),
    ...decodeIdentity(reader),
    ...decodePathRules(reader),
    ...decodeLimits(reader),
  };
}

function decodeRoutes(reader: MessageReader): HttpConnectionManager['routes'] {
  const specifier = reader.oneof('route_specifier');
  const specified = specifier === undefined ? undefined : reader.message(specifier);
  if (specifier === 'rds' && specified !== undefined) {
    const source = decodeConfigSource(specified.message('config_source'));
    return { kind: 'rds', routeConfigName: specified.requiredString('route_config_name'), ...source };
  }
  if (specifier === 'route_config' && specified !== undefined) {
    return { kind: 'inline', routeConfiguration: decodeRouteConfiguration(specified) };
  }
  if (specifier === undefined) reader.fault('', 'must have one of rds, route_config');
  else reader.refuse(specifier);
  return { kind: 'rds', routeConfigName: '' };
}

const CODEC_TYPES = { AUTO: 'auto', HTTP1: 'http1', HTTP2: 'http2' } as const;

function decodeCodecs(
  reader: MessageReader,
): Pick<HttpConnectionManager, 'codecType' | 'acceptHttp10' | 'enableTrailers' | 'http2'> {
  const http1 = reader.message('http_protocol_options');
  const http2 = decodeHttp2Options(reader.message('http2_protocol_options'));
  const endsStreamOnly =
    http2.streamErrorOnInvalidHttpMessage ?? reader.wrappedBoolean('stream_error_on_invalid_http_message');
  return {
    codecType: reader.choice('codec_type', CODEC_TYPES, 'auto'),
    acceptHttp10: http1?.boolean('accept_http_10') ?? false,
    enableTrailers: http1?.boolean('enable_trailers') ?? false,
    http2: { ...http2, streamErrorOnInvalidHttpMessage: endsStreamOnly },
  };
}

type Identity = Pick<
  HttpConnectionManager,
  | 'serverName'
  | 'serverHeaderTransformation'
  | 'via'
  | 'useRemoteAddress'
  | 'xffNumTrustedHops'
  | 'skipXffAppend'
  | 'internalAddresses'
  | 'generateRequestId'
  | 'preserveExternalRequestId'
  | 'alwaysSetRequestIdInResponse'
  | 'forwardClientCertDetails'
  | 'currentClientCertDetails'
>;

const SERVER_HEADER_TRANSFORMATIONS = {
  OVERWRITE: 'overwrite',
  APPEND_IF_ABSENT: 'appendIfAbsent',
  PASS_THROUGH: 'passThrough',
} as const;

const FORWARD_CLIENT_CERT_DETAILS = {
  SANITIZE: 'sanitize',
  FORWARD_ONLY: 'forwardOnly',
  APPEND_FORWARD: 'appendForward',
  SANITIZE_SET: 'sanitizeSet',
  ALWAYS_FORWARD_ONLY: 'alwaysForwardOnly',
} as const;

/** Who the proxy says it is, and whom it believes. */
function decodeIdentity(reader: MessageReader): Identity {
  const serverName = reader.string('server_name');
  return {
    serverName: serverName === '' ? 'envoy' : serverName,
    serverHeaderTransformation: reader.choice(
      'server_header_transformation',
      SERVER_HEADER_TRANSFORMATIONS,
      'overwrite',
    ),
    via: reader.string('via'),
    useRemoteAddress: reader.wrappedBoolean('use_remote_address') ?? false,
    xffNumTrustedHops: reader.number('xff_num_trusted_hops'),
    skipXffAppend: reader.boolean('skip_xff_append'),
    internalAddresses: decodeInternalAddresses(reader.message('internal_address_config')),
    generateRequestId: reader.wrappedBoolean('generate_request_id') ?? true,
    preserveExternalRequestId: reader.boolean('preserve_external_request_id'),
    alwaysSetRequestIdInResponse: reader.boolean('always_set_request_id_in_response'),
    forwardClientCertDetails: reader.choice('forward_client_cert_details', FORWARD_CLIENT_CERT_DETAILS, 'sanitize'),
    currentClientCertDetails: decodeClientCertDetails(reader.message('set_current_client_cert_details')),
  };
}

function decodeInternalAddresses(reader: MessageReader | undefined): HttpConnectionManager['internalAddresses'] {
  return {
    unixSockets: reader?.boolean('unix_sockets') ?? false,
    cidrRanges: reader?.messages('cidr_ranges').map(decodeCidrRange) ?? [],
  };
}

function decodeClientCertDetails(reader: MessageReader | undefined): ClientCertDetails {
  return {
    subject: reader?.wrappedBoolean('subject') ?? false,
    cert: reader?.boolean('cert') ?? false,
    chain: reader?.boolean('chain') ?? false,
    dns: reader?.boolean('dns') ?? false,
    uri: reader?.boolean('uri') ?? false,
  };
}

type PathRules = Pick<
  HttpConnectionManager,
  | 'normalizePath'
  | 'mergeSlashes'
  | 'pathWithEscapedSlashesAction'
  | 'stripPortFromHost'
  | 'headersWithUnderscoresAction'
>;

const ESCAPED_SLASHES_ACTIONS = {
  IMPLEMENTATION_SPECIFIC_DEFAULT: 'keepUnchanged',
  KEEP_UNCHANGED: 'keepUnchanged',
  REJECT_REQUEST: 'rejectRequest',
  UNESCAPE_AND_REDIRECT: 'unescapeAndRedirect',
  UNESCAPE_AND_FORWARD: 'unescapeAndForward',
} as const;

const UNDERSCORE_ACTIONS = { ALLOW: 'allow', REJECT_REQUEST: 'rejectRequest', DROP_HEADER: 'dropHeader' } as const;

function decodePathRules(reader: MessageReader): PathRules {
  const common = reader.message('common_http_protocol_options');
  return {
    normalizePath: reader.wrappedBoolean('normalize_path') ?? false,
    mergeSlashes: reader.boolean('merge_slashes'),
    pathWithEscapedSlashesAction: reader.choice(
      'path_with_escaped_slashes_action',
      ESCAPED_SLASHES_ACTIONS,
      'keepUnchanged',
    ),
    stripPortFromHost: decodeStripPort(reader),
    headersWithUnderscoresAction:
      common?.choice('headers_with_underscores_action', UNDERSCORE_ACTIONS, 'allow') ?? 'allow',
  };
}

function decodeStripPort(reader: MessageReader): HttpConnectionManager['stripPortFromHost'] {
  const matching = reader.boolean('strip_matching_host_port');
  if (!reader.boolean('strip_any_host_port')) return matching ? 'matching' : 'never';
  if (matching) reader.fault('strip_matching_host_port', 'excludes strip_any_host_port');
  return 'any';
}

type Limits = Pick<
  HttpConnectionManager,
  | 'maxRequestHeadersBytes'
  | 'maxHeadersCount'
  | 'idleTimeoutMs'
  | 'maxConnectionDurationMs'
  | 'maxRequestsPerConnection'
  | 'streamIdleTimeoutMs'
  | 'requestTimeoutMs'
  | 'requestHeadersTimeoutMs'
  | 'maxStreamDurationMs'
  | 'drainTimeoutMs'
  | 'delayedCloseTimeoutMs'
>;

/** Sizes and times; 0 disables a time. */
function decodeLimits(reader: MessageReader): Limits {
  const common = reader.message('common_http_protocol_options');
  const headersKib = reader.wrappedNumber('max_request_headers_kb') ?? DEFAULT_MAX_REQUEST_HEADERS_KIB;
  if (headersKib < 1 || headersKib > MAX_REQUEST_HEADERS_KIB) {
    reader.fault('max_request_headers_kb', `must be from 1 to ${MAX_REQUEST_HEADERS_KIB}, not ${headersKib}`);
  }
  const maxHeadersCount = common?.wrappedNumber('max_headers_count') ?? DEFAULT_MAX_HEADERS_COUNT;
  if (maxHeadersCount < 1) common?.fault('max_headers_count', 'must be at least 1');
  return {
    maxRequestHeadersBytes: headersKib * 1024,
    maxHeadersCount,
    idleTimeoutMs: common?.durationMs('idle_timeout') ?? DEFAULT_IDLE_TIMEOUT_MS,
    maxConnectionDurationMs: common?.durationMs('max_connection_duration') ?? 0,
    maxRequestsPerConnection: common?.wrappedNumber('max_requests_per_connection') ?? 0,
    streamIdleTimeoutMs: reader.durationMs('stream_idle_timeout') ?? DEFAULT_STREAM_IDLE_TIMEOUT_MS,
    requestTimeoutMs: reader.durationMs('request_timeout') ?? 0,
    requestHeadersTimeoutMs: reader.durationMs('request_headers_timeout') ?? 0,
    maxStreamDurationMs: common?.durationMs('max_stream_duration') ?? 0,
    drainTimeoutMs: reader.durationMs('drain_timeout') ?? DEFAULT_DRAIN_TIMEOUT_MS,
    delayedCloseTimeoutMs: reader.durationMs('delayed_close_timeout') ?? DEFAULT_DELAYED_CLOSE_TIMEOUT_MS,
  };
}

function decodeUpgradeTypes(reader: MessageReader): readonly string[] {
  const types: string[] = [];
  for (const upgrade of reader.messages('upgrade_configs')) {
    upgrade.refuse('filters');
    const type = upgrade.requiredString('upgrade_type').toLowerCase();
    if (types.includes(type)) upgrade.fault('upgrade_type', `${type} is listed twice`);
    else if (upgrade.wrappedBoolean('enabled') ?? true) types.push(type);
  }
  return types;
}
