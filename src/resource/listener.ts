import type { Address, CidrRange } from './address.ts';
import type { HttpConnectionManager } from './http-connection-manager.ts';
import type { ClusterSpecifier, FilterMetadata, TypedExtension } from './route-configuration.ts';
import type { TransportSocket } from './transport-socket.ts';

/** envoy.config.listener.v3.Listener, narrowed to what a sidecar obeys. Durations are milliseconds. */
export interface Listener {
  readonly name: string;
  readonly address: Address;
  /** It listens on these too. */
  readonly additionalAddresses?: readonly Address[];
  /** `use_original_dst`: connections to another listener's address are handed over to it. */
  readonly useOriginalDst?: true;
  /** `bind_to_port: false`: only connections that another listener hands over come in. */
  readonly bindToPort?: false;
  /** Absent: `default`, which failing health drains too. */
  readonly drainType?: 'modifyOnly';
  readonly trafficDirection: 'unspecified' | 'inbound' | 'outbound';
  readonly listenerFilters: readonly ListenerFilter[];
  /** Envoy's default 15,000. */
  readonly listenerFiltersTimeoutMs: number;
  readonly continueOnListenerFiltersTimeout: boolean;
  readonly filterChains: readonly FilterChain[];
  readonly defaultFilterChain: FilterChain | undefined;
  /** Envoy's default 1 MiB. */
  readonly perConnectionBufferLimitBytes: number;
  readonly tcpBacklogSize: number;
  readonly metadata: FilterMetadata;
}

export type ListenerFilter =
  | { readonly kind: 'tlsInspector' }
  | { readonly kind: 'httpInspector' }
  | { readonly kind: 'proxyProtocol'; readonly allowRequestsWithoutProxyProtocol: boolean }
  | { readonly kind: 'originalDst' };

export interface FilterChain {
  readonly name: string;
  readonly match: FilterChainMatch;
  readonly filters: readonly NetworkFilter[];
  readonly transportSocket: TransportSocket | undefined;
  /** How long a handshake may take; undefined or 0: as long as we find right. */
  readonly transportSocketConnectTimeoutMs?: number | undefined;
}

/** Empty lists and undefined match everything. */
export interface FilterChainMatch {
  readonly destinationPort: number | undefined;
  readonly prefixRanges: readonly CidrRange[];
  readonly serverNames: readonly string[];
  readonly transportProtocol: string;
  readonly applicationProtocols: readonly string[];
  /** undefined: from wherever it comes. */
  readonly source?: SourceMatch | undefined;
}

/** Where a connection comes from. Empty lists and `any` match everything. */
export interface SourceMatch {
  /** The socket's own peer, whatever the PROXY protocol told. */
  readonly directPrefixRanges: readonly CidrRange[];
  readonly type: 'any' | 'sameIpOrLoopback' | 'external';
  readonly prefixRanges: readonly CidrRange[];
  readonly ports: readonly number[];
}

export type NetworkFilter =
  | { readonly kind: 'httpConnectionManager'; readonly name: string; readonly config: HttpConnectionManager }
  | { readonly kind: 'tcpProxy'; readonly name: string; readonly config: TcpProxy }
  | { readonly kind: 'extension'; readonly name: string; readonly config: TypedExtension };

/** envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy. */
export interface TcpProxy {
  readonly statPrefix: string;
  readonly cluster: Exclude<ClusterSpecifier, { kind: 'clusterHeader' }>;
  /** Envoy's default 3,600,000; 0 disables. */
  readonly idleTimeoutMs: number;
  readonly maxConnectAttempts: number;
  readonly maxDownstreamConnectionDurationMs: number | undefined;
}
