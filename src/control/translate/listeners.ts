import type { Json } from '../snapshot/resource-literal.ts';
import type { AccessLoggers } from './access-logs.ts';
import type { RequestNormalization } from './config-entries.ts';
import { isHttp2, type Protocol } from './protocol.ts';

/** The last HTTP filter of every chain. */
export const ROUTER_FILTER: Json = {
  name: 'envoy.filters.http.router',
  typedConfig: { '@type': 'type.googleapis.com/envoy.extensions.filters.http.router.v3.Router' },
};

/** The caller's address is appended to x-forwarded-for; what the caller's own proxy says of earlier hops is kept. */
const RECORD_CALLER: Json = { useRemoteAddress: true, xffNumTrustedHops: 1, preserveExternalRequestId: true };

/** By its certificate, and whatever the caller itself wrote there is thrown away. */
const NAME_CALLER: Json = {
  forwardClientCertDetails: 'SANITIZE_SET',
  setCurrentClientCertDetails: { subject: true, dns: true, uri: true },
};

export interface HttpConnectionManagerParts {
  readonly statPrefix: string;
  readonly protocol: Protocol;
  readonly traceSamplingPercent: number;
  readonly direction: 'inbound' | 'outbound';
  /** `rds` or `routeConfig`. */
  readonly routes: Json;
  readonly loggers: AccessLoggers;
  /** Undefined leaves requests as they came: what a caller's own sidecar does. */
  readonly normalization?: RequestNormalization | undefined;
  /** Before the router. */
  readonly httpFilters?: readonly Json[];
  readonly maxRequestHeadersKb?: number | undefined;
  /** The application is told who calls: the caller's identity in `x-forwarded-client-cert`. */
  readonly namesCaller?: boolean;
}

/** The network filter that speaks HTTP, the same on both sides of a sidecar. */
export function httpConnectionManagerJson(parts: HttpConnectionManagerParts): Json {
  return {
    name: 'envoy.filters.network.http_connection_manager',
    typedConfig: {
      '@type': 'type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager',
      statPrefix: parts.statPrefix,
      ...parts.routes,
      ...(parts.direction === 'inbound' ? RECORD_CALLER : {}),
      ...(parts.namesCaller === true ? NAME_CALLER : {}),
      serverName: 'weft',
      serverHeaderTransformation: 'APPEND_IF_ABSENT',
      httpFilters: [...(parts.httpFilters ?? []), ROUTER_FILTER],
      ...accessLogJson(parts.loggers.filterLogs),
      ...(parts.normalization === undefined ? {} : normalizationJson(parts.normalization)),
      ...(parts.maxRequestHeadersKb === undefined ? {} : { maxRequestHeadersKb: parts.maxRequestHeadersKb }),
      ...(isHttp2(parts.protocol) ? { http2ProtocolOptions: {} } : {}),
      tracing: { randomSampling: { value: parts.traceSamplingPercent } },
      upgradeConfigs: [{ upgradeType: 'websocket' }],
    },
  };
}

/** The network filter that carries bytes. */
export function tcpProxyJson(statPrefix: string, cluster: string, loggers: AccessLoggers): Json {
  return {
    name: 'envoy.filters.network.tcp_proxy',
    typedConfig: {
      '@type': 'type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy',
      statPrefix,
      cluster,
      ...accessLogJson(loggers.filterLogs),
    },
  };
}

export interface ListenerParts {
  readonly name: string;
  readonly address: Json;
  readonly direction: 'INBOUND' | 'OUTBOUND';
  readonly filterChains: readonly Json[];
  /** What looks at a connection before a chain is chosen for it. */
  readonly inspection?: Json | undefined;
  readonly loggers: AccessLoggers;
  /** `exact_balance`: Envoy's threads get equally many connections. */
  readonly balance: string | undefined;
  readonly metadata?: Json | undefined;
}

export function listenerJson(parts: ListenerParts): Json {
  const { name, address, direction, filterChains, inspection, loggers, balance, metadata } = parts;
  return {
    name,
    address,
    trafficDirection: direction,
    ...inspection,
    filterChains,
    ...accessLogJson(loggers.listenerLogs),
    ...(metadata === undefined ? {} : { metadata }),
    ...(balance === 'exact_balance' ? { connectionBalanceConfig: { exactBalance: {} } } : {}),
  };
}

function accessLogJson(accessLog: readonly Json[]): Json {
  return accessLog.length === 0 ? {} : { accessLog };
}

/** `mesh.HTTP.Incoming.RequestNormalization`: what policies and routes judge is what the application will see. */
function normalizationJson(normalization: RequestNormalization): Json {
  const { normalizePath, mergeSlashes, pathWithEscapedSlashesAction, headersWithUnderscoresAction } = normalization;
  return {
    normalizePath,
    ...(mergeSlashes ? { mergeSlashes } : {}),
    ...(pathWithEscapedSlashesAction === undefined ? {} : { pathWithEscapedSlashesAction }),
    ...(headersWithUnderscoresAction === undefined
      ? {}
      : { commonHttpProtocolOptions: { headersWithUnderscoresAction } }),
  };
}
