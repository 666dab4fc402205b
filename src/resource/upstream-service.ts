import type { StringMatcher } from './matcher.ts';

/** A service that a filter asks about requests, reached through a cluster of the sidecar's own. */
export interface GrpcUpstreamService {
  readonly clusterName: string;
  /** What `:authority` says. */
  readonly authority: string;
  readonly timeoutMs: number;
  /** Goes out with every call; names in lower case. */
  readonly initialMetadata: readonly HeaderPair[];
}

export interface HeaderPair {
  readonly name: string;
  readonly value: string;
}

/** envoy.extensions.filters.http.ext_authz.v3.ExtAuthz, narrowed. */
export interface ExtAuthzConfig {
  readonly kind: 'extAuthz';
  readonly service: AuthorizationService;
  readonly failureModeAllow: boolean;
  readonly failureModeAllowHeaderAdd: boolean;
  /** What a request is answered where the service cannot be asked. */
  readonly statusOnError: number;
  readonly filterEnabled: number;
  /** Goes into the names of what is counted; '' adds nothing. */
  readonly statPrefix: string;
  /** undefined: all, towards a gRPC service; none beside the usual ones, towards HTTP. */
  readonly allowedHeaders: readonly StringMatcher[] | undefined;
  readonly disallowedHeaders: readonly StringMatcher[];
  readonly includePeerCertificate: boolean;
  readonly includeTlsSession: boolean;
  readonly requestBody: CheckedBody | undefined;
}

export type AuthorizationService =
  | { readonly by: 'grpc'; readonly grpc: GrpcUpstreamService }
  | HttpAuthorizationService;

export interface HttpAuthorizationService {
  readonly by: 'http';
  readonly clusterName: string;
  readonly authority: string;
  readonly timeoutMs: number;
  readonly pathPrefix: string;
  readonly headersToAdd: readonly HeaderPair[];
  /** Of its answer, what the upstream gets: in place of the request's own, or beside it. */
  readonly upstreamHeaders: readonly StringMatcher[];
  readonly upstreamHeadersToAppend: readonly StringMatcher[];
  /** Of a refusal, what the client gets; undefined: all. */
  readonly clientHeaders: readonly StringMatcher[] | undefined;
  readonly clientHeadersOnSuccess: readonly StringMatcher[];
}

/** How much of a request's body the service sees. */
export interface CheckedBody {
  readonly maxBytes: number;
  /** A longer one is cut for the service; else it is answered with 413. */
  readonly allowPartialMessage: boolean;
  readonly packAsBytes: boolean;
}

/** What a route or virtual host says about it. */
export interface ExtAuthzRouteConfig {
  readonly kind: 'extAuthzSettings';
  readonly contextExtensions: ReadonlyMap<string, string>;
  readonly disableRequestBodyBuffering: boolean;
  readonly requestBody: CheckedBody | undefined;
}
