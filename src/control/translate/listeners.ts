import type { Json } from '../snapshot/resource-literal.ts';
import { isHttp2, type Protocol } from './protocol.ts';

/** The last HTTP filter of every chain. */
export const ROUTER_FILTER: Json = {
  name: 'envoy.filters.http.router',
  typedConfig: { '@type': 'type.googleapis.com/envoy.extensions.filters.http.router.v3.Router' },
};

/** The caller's address is appended to x-forwarded-for; what the caller's own proxy says of earlier hops is kept. */
const RECORD_CALLER: Json = { useRemoteAddress: true, xffNumTrustedHops: 1, preserveExternalRequestId: true };

export interface HttpConnectionManagerParts {
  readonly statPrefix: string;
  readonly protocol: Protocol;
  readonly traceSamplingPercent: number;
  readonly direction: 'inbound' | 'outbound';
  /** `rds` or `routeConfig`. */
  readonly routes: Json;
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
      serverName: 'weft',
      serverHeaderTransformation: 'APPEND_IF_ABSENT',
      httpFilters: [ROUTER_FILTER],
      ...(isHttp2(parts.protocol) ? { http2ProtocolOptions: {} } : {}),
      tracing: { randomSampling: { value: parts.traceSamplingPercent } },
      upgradeConfigs: [{ upgradeType: 'websocket' }],
    },
  };
}

/** The network filter that carries bytes. */
export function tcpProxyJson(statPrefix: string, cluster: string): Json {
  return {
    name: 'envoy.filters.network.tcp_proxy',
    typedConfig: {
      '@type': 'type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy',
      statPrefix,
      cluster,
    },
  };
}

/** A listener with one filter chain of one filter. */
export function listenerJson(name: string, address: Json, direction: 'INBOUND' | 'OUTBOUND', filter: Json): Json {
  return { name, address, trafficDirection: direction, filterChains: [{ filters: [filter] }] };
}
