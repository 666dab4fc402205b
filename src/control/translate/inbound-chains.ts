import type { Json } from '../snapshot/resource-literal.ts';
import type { AccessLoggers } from './access-logs.ts';
import type { ProxyRegistration } from './catalog.ts';
import type { ConfigEntries, InstanceRateLimits, RequestNormalization } from './config-entries.ts';
import { intentionRulesJson } from './intention-rules.ts';
import { httpConnectionManagerJson, type ListenerParts, tcpProxyJson } from './listeners.ts';
import { inboundMode, type MutualTlsTerms } from './mutual-tls.ts';
import { LOCAL_CLUSTER, PUBLIC_LISTENER } from './names.ts';
import { isHttp, type Protocol } from './protocol.ts';
import type { ProxyOptions } from './proxy-options.ts';
import { rateLimitFilterJson } from './rate-limits.ts';
import { inboundTlsJson } from './tls-contexts.ts';

/** Consul's defaults where there is no mesh entry. */
const NORMALIZE_PATHS: RequestNormalization = {
  normalizePath: true,
  mergeSlashes: false,
  pathWithEscapedSlashesAction: undefined,
  headersWithUnderscoresAction: undefined,
};

export interface InboundChainParts {
  readonly registration: ProxyRegistration;
  readonly protocol: Protocol;
  readonly options: ProxyOptions;
  readonly entries: ConfigEntries;
  readonly rateLimits: InstanceRateLimits | undefined;
  /** Where requests go that are let in: a RouteConfiguration. */
  readonly routeConfig: Json;
  readonly loggers: AccessLoggers;
  readonly trustDomain: string;
  /** Undefined: whoever reaches the port is let in, in plaintext. */
  readonly mutualTls: MutualTlsTerms | undefined;
}

/**
 * The filter chains of the public listener. With mutual TLS that is TLS with a certificate of the mesh, and intentions to go by;
 * a permissive sidecar lets in plaintext beside it. Who calls there nobody can know, so intentions have no say about it, as in
 * Consul.
 */
export function inboundChains(parts: InboundChainParts): Pick<ListenerParts, 'filterChains' | 'inspection'> {
  const { registration, protocol, entries, mutualTls, trustDomain } = parts;
  const plaintext: Json = { filters: inboundFilters(parts, undefined) };
  if (mutualTls === undefined) return { filterChains: [plaintext] };
  const rules = intentionRulesJson(mutualTls.intentions, { trustDomain, isHttp: isHttp(protocol) });
  const secured: Json = {
    filters: inboundFilters(parts, rules),
    transportSocket: inboundTlsJson(protocol, entries.mesh),
  };
  if (inboundMode(registration, entries, mutualTls) === 'strict') return { filterChains: [secured] };
  return {
    filterChains: [
      { name: 'mutual_tls', filterChainMatch: { transportProtocol: 'tls' }, ...secured },
      { name: 'plaintext', filterChainMatch: { transportProtocol: 'raw_buffer' }, ...plaintext },
    ],
    inspection: isHttp(protocol) ? TLS_INSPECTION : BRIEF_TLS_INSPECTION,
  };
}

const TLS_INSPECTION: Json = {
  listenerFilters: [
    {
      name: 'envoy.filters.listener.tls_inspector',
      typedConfig: {
        '@type': 'type.googleapis.com/envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector',
      },
    },
  ],
};

/** In a protocol in which the server speaks first, a caller in plaintext says nothing that could be looked at. */
const BRIEF_TLS_INSPECTION: Json = {
  ...TLS_INSPECTION,
  listenerFiltersTimeout: '1s',
  continueOnListenerFiltersTimeout: true,
};

/** In the order in which a connection passes them; `rules` say who is let in, undefined where nobody knows who calls. */
function inboundFilters(parts: InboundChainParts, rules: Json | undefined): readonly Json[] {
  const { protocol, options, loggers } = parts;
  const limit = options.maxInboundConnections;
  const limited = limit === undefined ? [] : [connectionLimitJson(limit)];
  if (isHttp(protocol)) return [...limited, managerJson(parts, rules)];
  const authorized = rules === undefined ? [] : [networkRbacJson(rules)];
  return [...limited, ...authorized, tcpProxyJson(PUBLIC_LISTENER, LOCAL_CLUSTER, loggers)];
}

function managerJson(parts: InboundChainParts, rules: Json | undefined): Json {
  const { protocol, options, entries, rateLimits, routeConfig, loggers } = parts;
  return httpConnectionManagerJson({
    direction: 'inbound',
    statPrefix: PUBLIC_LISTENER,
    protocol,
    traceSamplingPercent: options.traceSamplingPercent,
    routes: { routeConfig },
    loggers,
    normalization: entries.mesh?.requestNormalization ?? NORMALIZE_PATHS,
    httpFilters: [
      ...(rules === undefined ? [] : [httpRbacJson(rules)]),
      ...(rateLimits === undefined ? [] : [rateLimitFilterJson(rateLimits)]),
    ],
    maxRequestHeadersKb: options.maxRequestHeadersKb,
    namesCaller: rules !== undefined,
  });
}

function networkRbacJson(rules: Json): Json {
  return {
    name: 'envoy.filters.network.rbac',
    typedConfig: {
      '@type': 'type.googleapis.com/envoy.extensions.filters.network.rbac.v3.RBAC',
      statPrefix: 'connect_authz',
      rules,
    },
  };
}

function httpRbacJson(rules: Json): Json {
  return {
    name: 'envoy.filters.http.rbac',
    typedConfig: { '@type': 'type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC', rules },
  };
}

/** What is beyond the limit is closed before a byte of it is read; the circuit breaker behind it counts what goes on. */
function connectionLimitJson(maxConnections: number): Json {
  return {
    name: 'envoy.filters.network.connection_limit',
    typedConfig: {
      '@type': 'type.googleapis.com/envoy.extensions.filters.network.connection_limit.v3.ConnectionLimit',
      statPrefix: PUBLIC_LISTENER,
      maxConnections: String(maxConnections),
    },
  };
}
