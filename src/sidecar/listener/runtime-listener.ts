import type { HttpConnectionManager } from '../../resource/http-connection-manager.ts';
import type { FilterChain, Listener, TcpProxy } from '../../resource/listener.ts';
import type { ClusterSet } from '../cluster/cluster-set.ts';
import type { RouteTable } from '../route/route-table.ts';

/**
 * What a worker's listeners run on: one immutable value per accepted update, swapped whole. A stream keeps the value it
 * began with. Built by the config room; declared here because listeners are what it is for.
 */
export interface RuntimeConfig {
  /** Counts accepted updates of this process; larger is newer. */
  readonly version: number;
  /** By listener name, each warmed: its route configuration is present. */
  readonly listeners: ReadonlyMap<string, RuntimeListener>;
  /** Live and shared by all versions: endpoints move without a new RuntimeConfig. */
  readonly clusters: ClusterSet;
}

export interface RuntimeListener {
  readonly listener: Listener;
  readonly chains: readonly RuntimeFilterChain[];
  readonly defaultChain: RuntimeFilterChain | undefined;
}

export type RuntimeFilterChain =
  | {
      readonly kind: 'http';
      readonly chain: FilterChain;
      readonly manager: HttpConnectionManager;
      readonly routes: RouteTable;
    }
  | { readonly kind: 'tcp'; readonly chain: FilterChain; readonly proxy: TcpProxy };
