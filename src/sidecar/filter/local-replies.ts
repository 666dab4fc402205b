import { GRPC_STATUS, grpcStatusOfHttp } from '../../base/grpc-status.ts';

/**
 * Every answer a sidecar makes itself: status, Envoy's response flags and response_code_details, and whether the request
 * certainly reached nobody. That last one becomes `x-weft-not-processed` on inbound listeners, so that a caller's sidecar
 * (ours, or Envoy with `retriable-headers`) may try elsewhere whatever the method. Nothing else decides it.
 */
export interface LocalReply {
  /** 0: the connection is closed without an answer. */
  readonly status: number;
  /** Envoy's response flags; '' for none. */
  readonly flags: string;
  /** Envoy's response_code_details; more may follow in braces. */
  readonly details: string;
  readonly body: string;
  readonly isNotProcessed: boolean;
  /** What a gRPC caller is told where the status does not say it all. */
  readonly grpcStatus?: number;
}

export const NOT_PROCESSED_HEADER = 'x-weft-not-processed';

function reply(status: number, flags: string, details: string, body = '', isNotProcessed = false): LocalReply {
  return Object.freeze({ status, flags, details, body, isNotProcessed });
}

/** A limit that the caller or its route has set for the whole stream: in gRPC's words DEADLINE_EXCEEDED, as Envoy has it. */
function deadline(status: number, details: string, body: string): LocalReply {
  return Object.freeze({ ...reply(status, 'DT', details, body), grpcStatus: GRPC_STATUS.deadlineExceeded });
}

const RESET_BODY = 'upstream connect error or disconnect/reset before headers. reset reason: ';

export const LOCAL_REPLIES = {
  // Before a host was asked
  routeNotFound: reply(404, 'NR', 'route_not_found'),
  clusterNotFound404: reply(404, 'NC', 'cluster_not_found'),
  clusterNotFound500: reply(500, 'NC', 'cluster_not_found'),
  clusterNotFound503: reply(503, 'NC', 'cluster_not_found', '', true),
  noHealthyUpstream: reply(503, 'UH', 'no_healthy_upstream', 'no healthy upstream', true),
  dropOverload: reply(503, 'DO', 'drop_overload', 'drop overload', true),
  requestOverflow: reply(503, 'UO', 'request_overflow', `${RESET_BODY}overflow`, true),
  pendingOverflow: reply(503, 'UO', 'upstream_reset_before_response_started{overflow}', `${RESET_BODY}overflow`, true),
  pendingTimeout: reply(
    503,
    'UO',
    'upstream_reset_before_response_started{pending_timeout}',
    `${RESET_BODY}overflow`,
    true,
  ),
  upstreamHttp2Unavailable: reply(503, 'UF', 'upstream_http2_not_supported', '', true),
  // A host was asked
  connectFailure: reply(
    503,
    'UF',
    'upstream_reset_before_response_started{remote_connection_failure}',
    `${RESET_BODY}remote connection failure`,
    true,
  ),
  connectTimeout: reply(
    503,
    'UF',
    'upstream_reset_before_response_started{connection_timeout}',
    `${RESET_BODY}connection timeout`,
    true,
  ),
  connectionTermination: reply(
    503,
    'UC',
    'upstream_reset_before_response_started{connection_termination}',
    `${RESET_BODY}connection termination`,
  ),
  upstreamProtocolError: reply(
    502,
    'UPE',
    'upstream_reset_before_response_started{protocol_error}',
    `${RESET_BODY}protocol error`,
  ),
  responseTimeout: reply(504, 'UT', 'response_timeout', 'upstream request timeout'),
  perTryTimeout: reply(504, 'UT', 'upstream_per_try_timeout', 'upstream request timeout'),
  // The downstream's own doing
  requestHeadersTimeout: reply(408, '', 'request_header_timeout', 'request header timeout'),
  requestTimeout: reply(408, '', 'request_overall_timeout', 'request timeout'),
  streamIdleTimeout: reply(408, 'SI', 'stream_idle_timeout', 'stream timeout'),
  streamIdleTimeoutAfterRequest: reply(504, 'SI', 'stream_idle_timeout', 'stream timeout'),
  maxStreamDuration: deadline(408, 'max_duration_timeout', 'downstream duration timeout'),
  maxStreamDurationAfterRequest: deadline(504, 'max_duration_timeout', 'downstream duration timeout'),
  grpcDeadline: deadline(504, 'grpc_timeout', 'deadline exceeded'),
  downstreamDisconnect: reply(0, 'DC', 'downstream_remote_disconnect'),
  methodNotAllowed: reply(405, '', 'method_not_allowed'),
  loopDetected: reply(508, 'DPE', 'via_loop_detected', 'this request goes in circles'),
  maxForwardsReached: reply(200, '', 'max_forwards_reached'),
  invalidMaxForwards: reply(400, 'DPE', 'invalid_max_forwards'),
  upgradeNotAllowed: reply(403, '', 'upgrade_failed'),
  pathRejected: reply(400, 'DPE', 'path_normalization_failed'),
  http2NotSupported: reply(505, 'DPE', 'http2_not_supported', 'HTTP/2 is not served on this listener'),
  responsePayloadTooLarge: reply(500, '', 'response_payload_too_large'),
  draining: reply(503, 'UO', 'draining', 'draining', true),
  internalError: reply(500, '', 'internal_error'),
} as const satisfies Record<string, LocalReply>;

/** Bytes that the HTTP/1 codec refused. */
export function codecRefusal(status: number, reason: string): LocalReply {
  return reply(status, 'DPE', `http1.${reason}`);
}

/** What a filter, a redirect or a direct response answers. */
export function plainReply(
  status: number,
  details: string,
  body: string,
  flags = '',
  grpcStatus = grpcStatusOfHttp(status),
): LocalReply {
  return { ...reply(status, flags, details, body), grpcStatus };
}

export function clusterNotFound(status: 404 | 500 | 503): LocalReply {
  if (status === 404) return LOCAL_REPLIES.clusterNotFound404;
  return status === 500 ? LOCAL_REPLIES.clusterNotFound500 : LOCAL_REPLIES.clusterNotFound503;
}
