/**
 * The Catalog: what the control server knows of Consul, as plain readonly data. `consul/` fills it, this room reads it.
 * Names are Consul's own, in camelCase; durations are milliseconds.
 */

declare const brand: unique symbol;
type Branded<T, Name extends string> = T & { readonly [brand]: Name };

/** A service's name in Consul (`web`). */
export type ServiceName = Branded<string, 'ServiceName'>;
/** A registration's id in Consul, unique on its node (`web-1-sidecar-proxy`). */
export type ServiceId = Branded<string, 'ServiceId'>;
/** A Consul node's name. */
export type NodeName = Branded<string, 'NodeName'>;
/** A Consul datacenter's name. */
export type Datacenter = Branded<string, 'Datacenter'>;

/** The casts of the room, in one place: whoever reads outside text decides here what it is. */
export const serviceName = (text: string): ServiceName => text as ServiceName;
export const serviceId = (text: string): ServiceId => text as ServiceId;
export const nodeName = (text: string): NodeName => text as NodeName;
export const datacenter = (text: string): Datacenter => text as Datacenter;

export type OpaqueConfig = Readonly<Record<string, unknown>>;

/** `MutualTLSMode` of a registration or an entry: who is let in; `''` leaves it to the next in precedence. */
export type MutualTlsWord = '' | 'strict' | 'permissive';

export interface ServiceLocality {
  readonly region: string;
  readonly zone: string;
}

/** One sidecar as it was registered: `Kind: connect-proxy` with its proxy block. */
export interface ProxyRegistration {
  readonly id: ServiceId;
  readonly node: NodeName;
  /** Where the node's agent advertises itself. */
  readonly nodeAddress: string;
  readonly datacenter: Datacenter;
  /** The registration's own address; empty where it has none and the node's counts. */
  readonly address: string;
  readonly port: number;
  readonly socketPath: string;
  readonly destinationService: ServiceName;
  readonly destinationServiceId: string;
  readonly localServiceAddress: string;
  readonly localServicePort: number;
  readonly localServiceSocketPath: string;
  readonly config: OpaqueConfig;
  readonly mutualTlsMode: MutualTlsWord;
  readonly upstreams: readonly Upstream[];
  readonly expose: Expose;
  /** Undefined leaves them to proxy-defaults. */
  readonly accessLogs: AccessLogs | undefined;
  readonly modifyIndex: number;
}

export interface AccessLogs {
  readonly type: 'stdout' | 'stderr' | 'file';
  readonly path: string;
  /** One of the two at most; neither is Consul's own JSON. */
  readonly json: Readonly<Record<string, unknown>> | undefined;
  readonly text: string;
  /** Connections that no filter chain took are told, too. */
  readonly onListeners: boolean;
}

/** What is reachable without the mesh's rules. */
export interface Expose {
  /** The agent runs the service's HTTP and gRPC checks through listeners of its sidecar. */
  readonly checks: boolean;
  /** Paths of the application, each on a port of its own. */
  readonly paths: readonly ExposedPath[];
}

/** A check that the node's agent asks at the port of a sidecar's listener. */
export type ExposedCheck = {
  readonly node: NodeName;
  readonly checkId: string;
  readonly serviceId: string;
  readonly listenerPort: number;
} & (
  | { readonly kind: 'grpc' }
  /** Undefined until a run of the check has told it: Consul's API has no other word for it. */
  | { readonly kind: 'http'; readonly path: string | undefined }
);

/** One of `proxy.expose.paths`. */
export interface ExposedPath {
  readonly path: string;
  readonly localPathPort: number;
  readonly listenerPort: number;
  readonly protocol: 'http' | 'http2';
}

/** One entry of a proxy's `upstreams`. */
export interface Upstream {
  readonly destinationType: 'service' | 'prepared_query';
  readonly destinationName: ServiceName;
  /** Empty: the proxy's own datacenter. */
  readonly datacenter: string;
  readonly destinationPeer: string;
  readonly localBindAddress: string;
  readonly localBindPort: number;
  readonly localBindSocketPath: string;
  /** Permissions of that socket; 0 leaves them to the sidecar. */
  readonly localBindSocketMode: number;
  readonly config: OpaqueConfig;
}

export type CheckStatus = 'passing' | 'warning' | 'critical';

/** One instance of a service that the mesh can reach, with all its checks (node and service). */
export interface ServiceInstance {
  readonly id: ServiceId;
  readonly node: NodeName;
  readonly address: string;
  readonly port: number;
  readonly checks: readonly CheckStatus[];
  readonly weights: { readonly passing: number; readonly warning: number };
  readonly locality: ServiceLocality;
  readonly modifyIndex: number;
}

/** Every instance of one service (or one subset of it), in a stable order. */
export interface ServiceHealth {
  /** They have no sidecars, and are spoken to in plaintext in a mesh that otherwise speaks TLS. */
  readonly isPlaintext?: true;
  readonly instances: readonly ServiceInstance[];
}

/** Which instances a health watch asks for; `filter` is Consul's expression language, empty for all. */
export interface HealthQuery {
  /** A prepared query's name or id instead of a service's: asked again and again, since Consul lets nobody wait for it. */
  readonly isPreparedQuery?: true;
  readonly service: ServiceName;
  readonly datacenter: Datacenter;
  readonly filter: string;
}

/** Where a thing came from, for messages and for `filter_metadata`. */
export interface EntryOrigin {
  readonly kind: string;
  readonly name: string;
  readonly modifyIndex: number;
}

/** `service-router/web (ModifyIndex 42)`. */
export function originText(origin: EntryOrigin): string {
  return `${origin.kind}/${origin.name} (ModifyIndex ${origin.modifyIndex})`;
}
