import type { AccessLogs, EntryOrigin, Expose, MutualTlsWord, OpaqueConfig } from './catalog.ts';

/**
 * Consul's config entries, as far as this control server reads them. Durations are milliseconds; undefined is "not set".
 * A field that is read but not obeyed yet is kept only to be reported by name.
 */

export const CONFIG_ENTRY_KINDS = [
  'proxy-defaults',
  'service-defaults',
  'service-router',
  'service-splitter',
  'service-resolver',
  'mesh',
] as const;

export type ConfigEntryKind = (typeof CONFIG_ENTRY_KINDS)[number];

export interface ProxyDefaults {
  readonly origin: EntryOrigin;
  readonly config: OpaqueConfig;
  /** Undefined: none are written. */
  readonly accessLogs: AccessLogs | undefined;
  readonly expose: Expose;
  readonly mutualTlsMode: MutualTlsWord;
}

export interface MeshEntry {
  readonly origin: EntryOrigin;
  readonly requestNormalization: RequestNormalization;
  /** Undefined: nothing is said about it. */
  readonly tls: MeshTls | undefined;
}

/** `mesh.TLS`: of connections that come in from the mesh, and of those that sidecars make. */
export interface MeshTls {
  readonly incoming: TlsDirection | undefined;
  readonly outgoing: TlsDirection | undefined;
}

export type TlsVersionWord = 'TLSv1_0' | 'TLSv1_1' | 'TLSv1_2' | 'TLSv1_3';

/** Undefined is the proxy's own default. */
export interface TlsDirection {
  readonly minimumVersion: TlsVersionWord | undefined;
  readonly maximumVersion: TlsVersionWord | undefined;
  /** In OpenSSL's names; of TLS 1.2 and older. */
  readonly cipherSuites: readonly string[];
}

/** What is done to requests before they are judged and routed; undefined is Envoy's default. */
export interface RequestNormalization {
  readonly normalizePath: boolean;
  readonly mergeSlashes: boolean;
  readonly pathWithEscapedSlashesAction: string | undefined;
  readonly headersWithUnderscoresAction: string | undefined;
}

export interface RateLimit {
  readonly requestsPerSecond: number;
  /** 0: as many as in one second. */
  readonly maxBurst: number;
}

/** `RateLimits.InstanceLevel`; 0 requests a second is no limit beside those of the routes. */
export interface InstanceRateLimits extends RateLimit {
  readonly routes: readonly (RateLimit & { readonly path: Exclude<HttpMatch['path'], { kind: 'any' }> })[];
}

export interface ServiceDefaults {
  readonly origin: EntryOrigin;
  readonly protocol: string;
  readonly externalSni: string;
  readonly maxInboundConnections: number;
  readonly localConnectTimeoutMs: number;
  readonly localRequestTimeoutMs: number;
  readonly balanceInboundConnections: string;
  readonly mutualTlsMode: MutualTlsWord;
  readonly maxRequestHeadersKb: number | undefined;
  readonly rateLimits: InstanceRateLimits | undefined;
  readonly expose: Expose;
  readonly upstreamDefaults: OpaqueConfig;
  readonly upstreamOverrides: ReadonlyMap<string, OpaqueConfig>;
}

export interface HeaderModifiers {
  readonly add: readonly (readonly [string, string])[];
  readonly set: readonly (readonly [string, string])[];
  readonly remove: readonly string[];
}

export interface ServiceRouter {
  readonly origin: EntryOrigin;
  readonly routes: readonly ServiceRoute[];
}

export interface ServiceRoute {
  readonly match: HttpMatch;
  readonly destination: RouteDestination;
}

export interface HttpMatch {
  readonly path:
    | { readonly kind: 'any' }
    | { readonly kind: 'exact'; readonly value: string }
    | { readonly kind: 'prefix'; readonly value: string }
    | { readonly kind: 'regex'; readonly value: string };
  readonly caseInsensitive: boolean;
  readonly headers: readonly HeaderMatch[];
  readonly queryParameters: readonly QueryParameterMatch[];
  readonly methods: readonly string[];
}

export type TextMatch =
  | { readonly kind: 'present' }
  | { readonly kind: 'exact' | 'prefix' | 'suffix' | 'contains' | 'regex'; readonly value: string };

export interface HeaderMatch {
  readonly name: string;
  readonly match: TextMatch;
  readonly invert: boolean;
  readonly ignoreCase: boolean;
}

export interface QueryParameterMatch {
  readonly name: string;
  readonly match: TextMatch;
}

export interface RouteDestination {
  /** Empty: the router's own service. */
  readonly service: string;
  readonly serviceSubset: string;
  readonly prefixRewrite: string;
  /** 0 is none at all; Consul's way to say so is a negative one. */
  readonly requestTimeoutMs: number | undefined;
  readonly idleTimeoutMs: number | undefined;
  readonly numRetries: number;
  readonly retryOnConnectFailure: boolean;
  readonly retryOn: readonly string[];
  readonly retryOnStatusCodes: readonly number[];
  readonly requestHeaders: HeaderModifiers;
  readonly responseHeaders: HeaderModifiers;
}

export interface ServiceSplitter {
  readonly origin: EntryOrigin;
  readonly splits: readonly ServiceSplit[];
}

export interface ServiceSplit {
  /** Percent, two decimals. */
  readonly weight: number;
  readonly service: string;
  readonly serviceSubset: string;
  readonly requestHeaders: HeaderModifiers;
  readonly responseHeaders: HeaderModifiers;
}

export interface ServiceResolver {
  readonly origin: EntryOrigin;
  /** Consul's free text by key, where keys of ours may stand. */
  readonly meta: Readonly<Record<string, string>>;
  readonly defaultSubset: string;
  readonly subsets: ReadonlyMap<string, ResolverSubset>;
  readonly redirect: ResolverRedirect | undefined;
  /** By subset, `*` for those not named: the targets to turn to, in their order. */
  readonly failover: ReadonlyMap<string, readonly ResolverRedirect[]>;
  readonly connectTimeoutMs: number | undefined;
  readonly requestTimeoutMs: number | undefined;
  readonly loadBalancer: LoadBalancer | undefined;
}

export interface ResolverSubset {
  readonly filter: string;
  readonly onlyPassing: boolean;
}

/** What a redirect or a failover changes of a target; empty leaves it. */
export interface ResolverRedirect {
  readonly service: string;
  readonly serviceSubset: string;
  readonly datacenter: string;
  readonly peer: string;
}

export interface LoadBalancer {
  readonly policy: '' | 'random' | 'round_robin' | 'least_request' | 'ring_hash' | 'maglev';
  readonly choiceCount: number | undefined;
  readonly minimumRingSize: number | undefined;
  readonly maximumRingSize: number | undefined;
  readonly hashPolicies: readonly LoadBalancerHashPolicy[];
}

export type LoadBalancerHashPolicy = {
  readonly terminal: boolean;
} & (
  | { readonly field: 'header' | 'query_parameter'; readonly value: string }
  | { readonly field: 'cookie'; readonly value: string; readonly ttlMs: number | undefined; readonly path: string }
  | { readonly field: 'source_ip' }
);

/** Entries by name. Translation only ever asks for one by its name, so that who asked for what can be known. */
export interface EntryLookup<T> {
  get(name: string): T | undefined;
}

/** All entries in force; a kind that has never been read is not representable here on purpose: nothing is translated before. */
export interface ConfigEntries {
  readonly proxyDefaults: ProxyDefaults | undefined;
  readonly mesh: MeshEntry | undefined;
  readonly serviceDefaults: EntryLookup<ServiceDefaults>;
  readonly serviceRouters: EntryLookup<ServiceRouter>;
  readonly serviceSplitters: EntryLookup<ServiceSplitter>;
  readonly serviceResolvers: EntryLookup<ServiceResolver>;
}

/** The same entries, noting the name of every service that is asked for, there or not. */
export function noting(entries: ConfigEntries, asked: Set<string>): ConfigEntries {
  const note = <T>(lookup: EntryLookup<T>): EntryLookup<T> => ({
    get: (name) => {
      asked.add(name);
      return lookup.get(name);
    },
  });
  return {
    proxyDefaults: entries.proxyDefaults,
    mesh: entries.mesh,
    serviceDefaults: note(entries.serviceDefaults),
    serviceRouters: note(entries.serviceRouters),
    serviceSplitters: note(entries.serviceSplitters),
    serviceResolvers: note(entries.serviceResolvers),
  };
}
