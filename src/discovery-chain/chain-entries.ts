/**
 * What a chain is compiled from: Consul's config entries, as far as they decide where a request goes. Names of services that are
 * left out are empty. What a definition says beyond that is carried along unread, in whatever form its owner keeps it.
 */
export interface ChainEntries<Route, Split, Balancer> {
  readonly mesh: MeshSettings;
  serviceSettings(service: string): ServiceSettings | undefined;
  router(service: string): readonly ChainRouterRoute<Route>[] | undefined;
  splitter(service: string): readonly ChainSplitterSplit<Split>[] | undefined;
  resolver(service: string): ChainResolver<Balancer> | undefined;
  /** What an inner split says once a splitter before it has been merged into it: requests pass the outer one first. */
  mergeSplits(outer: Split, inner: Split): Split;
  /** Whether it picks hosts by a hash of the request. */
  isHashing(loadBalancer: Balancer): boolean;
}

/** `proxy-defaults/global`; fields that nobody set are empty. */
export interface MeshSettings {
  readonly protocol: string;
  readonly meshGatewayMode: string;
  readonly dialedDirectly: boolean;
}

/** `service-defaults`. */
export interface ServiceSettings extends MeshSettings {
  readonly externalSni: string;
}

export interface ChainRouterRoute<Route> {
  readonly service: string;
  readonly subset: string;
  readonly definition: Route;
}

export interface ChainSplitterSplit<Split> {
  /** Percent, two decimals. */
  readonly weight: number;
  readonly service: string;
  readonly subset: string;
  readonly definition: Split;
}

export interface ChainResolver<Balancer> {
  readonly defaultSubset: string;
  readonly subsets: ReadonlySet<string>;
  readonly redirect: TargetChange | undefined;
  /** By subset; `*` is for those not named. */
  readonly failover: ReadonlyMap<string, ChainFailover>;
  /** 0: not set. */
  readonly connectTimeoutMs: number;
  readonly requestTimeoutMs: number;
  readonly loadBalancer: Balancer | undefined;
  /** Says nothing at all: as good as none. */
  readonly isDefault: boolean;
}

/** What a redirect or a failover changes of a target; empty leaves it. */
export interface TargetChange {
  readonly service: string;
  readonly subset: string;
  readonly datacenter: string;
  readonly peer: string;
}

/** The targets to turn to, in their order. */
export type ChainFailover = readonly TargetChange[];
