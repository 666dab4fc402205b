import type { Address, Locality } from './address.ts';
import type { BootstrapNote } from './bootstrap-skipped.ts';
import type { TransportSocket } from './transport-socket.ts';

/** What a sidecar knows before it has asked anyone: an Envoy bootstrap, read and checked. Durations are milliseconds. */
export interface Bootstrap {
  readonly node: Node;
  readonly admin: Address;
  /** Control servers in order of preference; empty with static resources only. */
  readonly controlServers: readonly ControlServer[];
  readonly deltaXds: boolean;
  /** Which types are asked for whole (`lds_config`, `cds_config`). */
  readonly subscribes: { readonly listeners: boolean; readonly clusters: boolean };
  /** `initial_fetch_timeout` of those; 0 waits without end, undefined says nothing. */
  readonly initialFetchTimeoutMs: number | undefined;
  /** What of the file has no effect. */
  readonly notes: readonly BootstrapNote[];
  /** Static resources as canonical ProtoJSON, decoded like any other. */
  readonly staticListeners: readonly unknown[];
  readonly staticClusters: readonly unknown[];
  readonly staticSecrets: readonly unknown[];
  /** Where the last good config is kept; undefined keeps none. */
  readonly stateDirectory: string | undefined;
  /** Worker threads that own sockets. */
  readonly concurrency: number;
  readonly drainTimeoutMs: number;
}

/** envoy.config.core.v3.Node: the proxy's own xDS identity. */
export interface Node {
  readonly id: string;
  readonly cluster: string;
  readonly locality: Locality;
  readonly metadata: Readonly<Record<string, unknown>>;
}

export interface ControlServer {
  readonly host: string;
  readonly port: number;
  /** gRPC metadata sent when a stream opens (`initial_metadata`), such as Consul's `x-consul-token`. */
  readonly initialMetadata?: readonly (readonly [name: string, value: string])[];
  /** How the connection is secured; absent means plaintext. */
  readonly transportSocket?: TransportSocket;
}

/** The part of a bootstrap that an Envoy bootstrap file says; the rest is said on the command line. */
export type BootstrapFile = Omit<Bootstrap, 'stateDirectory' | 'concurrency' | 'drainTimeoutMs'>;
