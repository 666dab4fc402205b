import { DEFAULT_HTTP1_LIMITS, type Http1Limits } from '../../http/http1/http1.ts';
import {
  configuredLimits,
  type Http2Limits,
  MESH_HTTP2_LIMITS,
  RELAYED_SEND_BUFFER_BYTES,
} from '../../http/http2/http2.ts';
import type { Http2Options } from '../../resource/http2-options.ts';
import type { DialTarget } from '../../transport-socket/transport-socket.ts';
import type { PoolTls } from './pool-tls.ts';

/** How a pool treats the connections to one host. Milliseconds; 0 or undefined means without limit where it says so. */
export interface PoolOptions {
  readonly connectTimeoutMs: number;
  /** How long an idle connection is kept; 0 keeps it. */
  readonly idleTimeoutMs: number;
  /** 0: no limit. */
  readonly maxRequestsPerConnection: number;
  /** undefined: no limit. */
  readonly maxConnectionDurationMs: number | undefined;
  /** undefined: no limit but the cluster's. */
  readonly maxConnectionsPerHost: number | undefined;
  readonly highWaterMarkBytes: number;
  /** Of HTTP/2 connections: streams, windows and PING. */
  readonly http2: Http2Options | undefined;
  /** A connection carries one exchange and closes: its first bytes say whose it is. */
  readonly isSingleUse: boolean;
  /** undefined: plaintext. */
  readonly tls: PoolTls | undefined;
  /** What a host had to prove: connections that were made under another rule are not lent under this one. */
  readonly trustKey: string;
}

/**
 * Idle connections are dropped before the upstream does it, since a request that meets the upstream's FIN half-way is lost
 * where it may not be repeated. Node servers close after 5 s and many proxies sit in front of them.
 */
export const LONGEST_SAFE_IDLE_MS = 4_000;
/** Taken off a `Keep-Alive: timeout=` that the upstream announced. */
export const KEEP_ALIVE_MARGIN_MS = 1_000;
/** How long a request may wait for a connection when all are in use and no more may be opened. */
export const PENDING_TIMEOUT_MS = 15_000;

/** Bounds on an upstream's response head. `HTTP/1.0` answers are taken; tunnels by CONNECT are not asked for. */
export const UPSTREAM_HTTP1_LIMITS: Http1Limits = { ...DEFAULT_HTTP1_LIMITS, headersWithUnderscores: 'allow' };

/** The cluster's shares in the limits that hold over all its hosts and workers. */
export interface ClusterLimits {
  tryAcquire(kind: 'connections' | 'pendingRequests'): boolean;
  release(kind: 'connections' | 'pendingRequests'): void;
}

/** The host a pool connects to: where it is, and who is told what becomes of its connections. */
export interface PooledHost extends DialTarget {
  connectionOpened(): void;
  connectionClosed(): void;
  connectFailed(): void;
}

/** Bounds on one HTTP/2 connection to a host. */
export function upstreamHttp2Limits(options: PoolOptions): Http2Limits {
  const { http2, connectTimeoutMs } = options;
  const limits = {
    ...MESH_HTTP2_LIMITS,
    maxSendBufferBytes: RELAYED_SEND_BUFFER_BYTES,
    headTimeoutMs: connectTimeoutMs,
  };
  return http2 === undefined ? limits : configuredLimits(limits, http2);
}
