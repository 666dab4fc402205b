import {
  configuredLimits,
  type Http2Limits,
  MESH_HTTP2_LIMITS,
  RELAYED_SEND_BUFFER_BYTES,
} from '../../http/http2/http2.ts';
import type { HttpConnectionManager } from '../../resource/http-connection-manager.ts';
import { readHttp2Limits } from '../../resource/http2-limits.ts';
import type { FilterMetadata } from '../../resource/route-configuration.ts';

const UNDERSCORES = { allow: 'allow', rejectRequest: 'reject', dropHeader: 'drop' } as const;

/** The bounds on one downstream connection: a sidecar's, with what the connection manager says about heads. */
export function downstreamHttp2Limits(
  manager: HttpConnectionManager,
  headTimeoutMs: number,
  metadata: FilterMetadata,
): Http2Limits {
  return {
    ...configuredLimits(MESH_HTTP2_LIMITS, manager.http2),
    maxSendBufferBytes: RELAYED_SEND_BUFFER_BYTES,
    ...readHttp2Limits(metadata).values,
    maxHeadBytes: manager.maxRequestHeadersBytes,
    maxFields: manager.maxHeadersCount,
    headTimeoutMs,
    allowExtendedConnect: manager.http2.allowConnect || manager.upgradeTypes.length > 0,
    maxRequestsPerConnection: manager.maxRequestsPerConnection,
    headersWithUnderscores: UNDERSCORES[manager.headersWithUnderscoresAction],
  };
}
