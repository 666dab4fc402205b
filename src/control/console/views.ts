/** What the console shows, as it wants it: JSON-able, read at the moment somebody asks, and made by others. */
export interface ConsoleViews {
  overview(): Promise<Overview>;
  /** Everything known of one proxy; undefined where nobody knows it. */
  proxy(nodeId: string): ProxyDetail | undefined;
  counters(): readonly CounterReading[];
  /** Degraded: it serves, from what it knew before Consul was gone. */
  readiness(): 'live' | 'degraded';
}

export interface Overview {
  readonly consul: ConsulView;
  readonly services: ServicesView;
  readonly sidecars: readonly SidecarView[];
  readonly intentions: readonly IntentionsView[];
  readonly problems: readonly ProblemView[];
  readonly xds: XdsTotals;
  readonly loads: readonly LoadView[];
  /** Newest first; whatever the program was given to show. */
  readonly recentTraces: readonly unknown[];
}

export interface ConsulView {
  readonly address: string;
  readonly state: 'unknown' | 'up' | 'down';
  readonly leader: string | undefined;
  readonly error: string | undefined;
  readonly watches: readonly WatchView[];
}

export interface WatchView {
  readonly key: string;
  readonly state: 'unknown' | 'failing' | 'current' | 'stale';
  /** Since the last good answer; undefined where there never was one. */
  readonly ageSeconds: number | undefined;
  readonly subscribers: number;
  /** Answered from the Consul agent's own stream of events. */
  readonly streamed: boolean;
  readonly error: string | undefined;
}

export type ServicesView =
  | { readonly state: 'known'; readonly services: readonly ServiceView[] }
  | { readonly state: 'unavailable'; readonly error: string };

export interface ServiceView {
  readonly name: string;
  readonly health: { readonly passing: number; readonly warning: number; readonly critical: number };
  readonly instances: readonly {
    readonly id: string;
    readonly node: string;
    readonly address: string;
    readonly port: number;
    readonly kind: string;
    readonly health: 'passing' | 'warning' | 'critical';
  }[];
}

export interface SidecarView {
  readonly id: string;
  readonly service: string | undefined;
  /** `none`: a gRPC client, which needs none. */
  readonly registration: 'none' | 'locating' | 'unregistered' | 'following' | 'lost';
  readonly peer: string;
  readonly userAgent: string;
  readonly variant: 'sotw' | 'delta';
  readonly connectedAt: string;
  readonly snapshotVersion: string | undefined;
  readonly types: readonly TypeView[];
}

export interface TypeView {
  /** `CDS`, `EDS`, `LDS`, `RDS`. */
  readonly type: string;
  readonly sync: 'SYNCED' | 'STALE' | 'NACKED';
  readonly sentVersion: string | undefined;
  readonly acknowledgedVersion: string | undefined;
  /** What the proxy said when it refused. */
  readonly detail: string | undefined;
}

/** Who may call a service that has a sidecar here, as Consul says. */
export interface IntentionsView {
  readonly service: string;
  /** Whether sidecars refuse what is denied. */
  readonly enforced: boolean;
  readonly defaultPolicy: 'allow' | 'deny' | 'unknown';
  /** Strongest first. */
  readonly rules: readonly {
    readonly source: string;
    readonly destination: string;
    readonly decision: 'allow' | 'deny' | 'permissions';
    readonly precedence: number;
    readonly modifyIndex: number;
  }[];
}

export interface ProblemView {
  readonly severity: 'error' | 'warning';
  readonly where: string;
  readonly message: string;
}

export interface XdsTotals {
  readonly streams: number;
  readonly acknowledged: number;
  readonly rejected: number;
  readonly responses: number;
  readonly snapshots: number;
}

/** What clients report of the requests they send to one cluster, since this server started. */
export interface LoadView {
  readonly cluster: string;
  readonly issued: number;
  readonly successful: number;
  readonly failed: number;
  readonly dropped: number;
  readonly inProgress: number;
  readonly reporters: number;
}

export interface ProxyDetail {
  readonly id: string;
  readonly registration: unknown;
  readonly state: string;
  readonly streams: readonly SidecarView[];
  readonly problems: readonly ProblemView[];
  readonly snapshot:
    | {
        readonly version: string;
        readonly resources: readonly {
          readonly type: string;
          readonly name: string;
          readonly version: string;
          readonly bytes: number;
        }[];
      }
    | undefined;
}

export interface CounterReading {
  readonly name: string;
  readonly help: string;
  readonly kind: 'counter' | 'gauge';
  /** Readings of one name stand together. */
  readonly labels?: Readonly<Record<string, string>>;
  readonly value: number;
}
