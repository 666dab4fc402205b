import type { Address, Locality } from '../resource/address.ts';
import type { MergedMetrics } from '../telemetry/metrics/metrics.ts';

/** What the admin server may see. Whoever runs it implements these; each call reads the state of that moment. */
export interface AdminViews {
  serverState(): ServerState;
  serverInfo(): ServerInfo;
  configDump(): ConfigDump;
  clusters(): readonly ClusterStatus[];
  listeners(): readonly ListenerStatus[];
  certificates(): readonly CertificateStatus[];
  /** Statistics of all threads, gauges of the process brought up to date. */
  metrics(): MergedMetrics;
  /** Levels by logger name. */
  logLevels(): Readonly<Record<string, string>>;
}

/** What the admin server may do, by POST only. */
export interface AdminActions {
  /** True where the level, and the logger if one is named, exist. */
  setLogLevel(logger: string | undefined, level: string): boolean;
  drainListeners(options: DrainOptions): void;
  /** Makes `/ready` and health check filters answer as failing, or as working again. */
  setHealthCheckFailing(failing: boolean): void;
  /** Ends the program in order. */
  quit(): void;
}

export interface DrainOptions {
  readonly inboundOnly: boolean;
  /** Tell clients to leave first, close listeners when the drain time is over. */
  readonly graceful: boolean;
  /** With graceful: keep running afterwards. */
  readonly skipExit: boolean;
}

/** Envoy's words. */
export type ServerState = 'LIVE' | 'DRAINING' | 'PRE_INITIALIZING' | 'INITIALIZING';

export interface ServerInfo {
  readonly version: string;
  readonly uptimeMs: number;
  /** envoy.config.core.v3.Node as JSON. */
  readonly node: unknown;
  readonly commandLineOptions: Readonly<Record<string, unknown>>;
}

/** Configuration as it was received, for `/config_dump`; resources are ProtoJSON. */
export interface ConfigDump {
  readonly bootstrap: unknown;
  /** Version info of the last accepted response, by kind. */
  readonly versions: { readonly clusters: string; readonly listeners: string };
  readonly clusters: readonly DumpedResource[];
  readonly listeners: readonly DumpedResource[];
  readonly routes: readonly DumpedResource[];
  readonly endpoints: readonly DumpedResource[];
  readonly secrets: readonly DumpedResource[];
}

export interface DumpedResource {
  readonly name: string;
  readonly source: 'static' | 'dynamic';
  readonly state: 'active' | 'warming' | 'draining';
  readonly versionInfo: string;
  /** Milliseconds since the Unix epoch. */
  readonly lastUpdatedMs: number;
  readonly resource: unknown;
  /** The newer version that was refused, where there is one. */
  readonly refused: RefusedResource | undefined;
}

export interface RefusedResource {
  readonly versionInfo: string;
  readonly lastAttemptMs: number;
  readonly details: string;
}

export interface ClusterStatus {
  readonly name: string;
  readonly addedViaApi: boolean;
  readonly edsServiceName: string;
  readonly thresholds: CircuitBreakerView;
  readonly hosts: readonly HostStatus[];
}

export interface CircuitBreakerView {
  readonly maxConnections: number;
  readonly maxPendingRequests: number;
  readonly maxRequests: number;
  readonly maxRetries: number;
}

export interface HostStatus {
  readonly address: Address;
  readonly hostname: string;
  readonly weight: number;
  readonly priority: number;
  readonly locality: Locality;
  readonly edsHealth: 'HEALTHY' | 'UNHEALTHY' | 'DRAINING' | 'TIMEOUT' | 'DEGRADED';
  readonly failsActiveCheck: boolean;
  readonly ejected: boolean;
  readonly stats: HostCounts;
}

export interface HostCounts {
  readonly connectionsActive: number;
  readonly connectionsTotal: number;
  readonly connectFailures: number;
  readonly requestsActive: number;
  readonly requestsTotal: number;
  readonly requestsSucceeded: number;
  readonly requestsFailed: number;
}

export interface ListenerStatus {
  readonly name: string;
  /** As bound: port 0 resolved. */
  readonly address: Address;
}

export interface CertificateStatus {
  readonly kind: 'certificateAuthority' | 'chain';
  /** Where it came from: a file or a secret's name. */
  readonly path: string;
  readonly serialNumber: string;
  readonly subjectAlternativeUris: readonly string[];
  readonly validFromMs: number;
  readonly expiresMs: number;
}
