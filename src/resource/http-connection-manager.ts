import type { AccessLogger } from './access-logger.ts';
import type { CidrRange } from './address.ts';
import type { InitialFetchTimeout } from './config-source-decode.ts';
import type { Http2Options } from './http2-options.ts';
import type { Fraction } from './matcher.ts';
import type { RouteConfiguration, TypedExtension } from './route-configuration.ts';

/**
 * envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager, narrowed. Durations are
 * milliseconds; 0 disables a timeout. Defaults are Envoy's and are filled in when the resource is decoded.
 */
export interface HttpConnectionManager {
  readonly statPrefix: string;
  readonly codecType: 'auto' | 'http1' | 'http2';
  readonly routes:
    | ({ readonly kind: 'rds'; readonly routeConfigName: string } & InitialFetchTimeout)
    | { readonly kind: 'inline'; readonly routeConfiguration: RouteConfiguration };
  /** In order; the last one is the router. */
  readonly httpFilters: readonly HttpFilter[];
  readonly serverName: string;
  readonly serverHeaderTransformation: 'overwrite' | 'appendIfAbsent' | 'passThrough';
  readonly via: string;
  readonly useRemoteAddress: boolean;
  readonly xffNumTrustedHops: number;
  readonly skipXffAppend: boolean;
  /** Whose requests are internal; nobody's where nothing is said. */
  readonly internalAddresses: { readonly unixSockets: boolean; readonly cidrRanges: readonly CidrRange[] };
  readonly generateRequestId: boolean;
  readonly preserveExternalRequestId: boolean;
  readonly alwaysSetRequestIdInResponse: boolean;
  readonly normalizePath: boolean;
  readonly mergeSlashes: boolean;
  readonly pathWithEscapedSlashesAction:
    | 'keepUnchanged'
    | 'rejectRequest'
    | 'unescapeAndRedirect'
    | 'unescapeAndForward';
  readonly stripPortFromHost: 'never' | 'matching' | 'any';
  readonly headersWithUnderscoresAction: 'allow' | 'rejectRequest' | 'dropHeader';
  readonly maxRequestHeadersBytes: number;
  readonly maxHeadersCount: number;
  /** common_http_protocol_options.idle_timeout, 3,600,000. */
  readonly idleTimeoutMs: number;
  readonly maxConnectionDurationMs: number;
  readonly maxRequestsPerConnection: number;
  /** 300,000. */
  readonly streamIdleTimeoutMs: number;
  readonly requestTimeoutMs: number;
  readonly requestHeadersTimeoutMs: number;
  readonly maxStreamDurationMs: number;
  /** 5,000. */
  readonly drainTimeoutMs: number;
  /** 1,000. */
  readonly delayedCloseTimeoutMs: number;
  readonly acceptHttp10: boolean;
  /** Of HTTP/1; HTTP/2 always carries trailers. */
  readonly enableTrailers: boolean;
  readonly http2: Http2Options;
  /** `upgrade_configs` that are enabled, lower case. */
  readonly upgradeTypes: readonly string[];
  readonly forwardClientCertDetails: 'sanitize' | 'forwardOnly' | 'appendForward' | 'sanitizeSet' | 'alwaysForwardOnly';
  /** What an `x-forwarded-client-cert` of ours tells besides the hash. */
  readonly currentClientCertDetails: ClientCertDetails;
  readonly tracing: Tracing | undefined;
  readonly accessLogs: readonly AccessLogger[];
}

/** HttpConnectionManager.SetCurrentClientCertDetails. */
export interface ClientCertDetails {
  readonly subject: boolean;
  readonly cert: boolean;
  readonly chain: boolean;
  readonly dns: boolean;
  readonly uri: boolean;
}

export interface HttpFilter {
  readonly name: string;
  readonly isOptional: boolean;
  readonly disabled: boolean;
  readonly config: TypedExtension;
}

/** HttpConnectionManager.Tracing. Shares between 0 and 1; a span is kept where all three agree. */
export interface Tracing {
  readonly clientSampling: Fraction;
  readonly randomSampling: Fraction;
  readonly overallSampling: Fraction;
  readonly spawnUpstreamSpan: boolean;
  readonly maxPathTagLength: number;
  readonly customTags: readonly { readonly tag: string; readonly literal: string }[];
}
