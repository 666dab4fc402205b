import { type Http2Limits, MESH_HTTP2_LIMITS } from '../../http/http2/http2.ts';
import type { HttpConnectionManager } from '../../resource/http-connection-manager.ts';

const UNDERSCORES = { allow: 'allow', rejectRequest: 'reject', dropHeader: 'drop' } as const;

/** The bounds on one downstream connection: a sidecar's, with what the connection manager says about heads. */
export function downstreamHttp2Limits(manager: HttpConnectionManager, headTimeoutMs: number): Http2Limits {
  return {
    ...MESH_HTTP2_LIMITS,
    maxHeadBytes: manager.maxRequestHeadersBytes,
    maxFields: manager.maxHeadersCount,
    headTimeoutMs,
    maxRequestsPerConnection: manager.maxRequestsPerConnection,
    headersWithUnderscores: UNDERSCORES[manager.headersWithUnderscoresAction],
  };
}
