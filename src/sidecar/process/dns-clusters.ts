import { isIP } from 'node:net';
import type { Cluster } from '../../resource/cluster.ts';
import type { ClusterLoadAssignment, Endpoint } from '../../resource/cluster-load-assignment.ts';
import type { Logger } from '../../telemetry/log/log.ts';

/** Answers the addresses of a name; rejects where there is none or no answer in time. */
export type Lookup = (hostname: string) => Promise<readonly string[]>;

export interface DnsClustersOptions {
  readonly lookup: Lookup;
  readonly log: Logger;
  onResolved(assignment: ClusterLoadAssignment): void;
}

/** More addresses of one name than this are left out, so that an answer cannot fill the host table. */
const MAX_ADDRESSES_PER_NAME = 256;
const MIN_REFRESH_MS = 1000;

type DnsCluster = Cluster & {
  readonly discovery: {
    readonly kind: 'strictDns' | 'logicalDns';
    readonly assignment: ClusterLoadAssignment;
    readonly refreshMs: number;
  };
};

/**
 * Resolves the names of STRICT_DNS clusters (every address is a host) and LOGICAL_DNS clusters (the first address is the
 * host) again and again. A failed look-up keeps the last good answer; one look-up of a cluster runs at a time.
 */
export class DnsClusters {
  readonly #options: DnsClustersOptions;
  readonly #watched = new Map<
    string,
    { cluster: DnsCluster; timer: NodeJS.Timeout | undefined; readonly last: Map<string, readonly string[]> }
  >();
  #failures = 0;

  constructor(options: DnsClustersOptions) {
    this.#options = options;
  }

  /** Look-ups that failed since the start. */
  get failures(): number {
    return this.#failures;
  }

  /** Takes the clusters there are now; those of other kinds are passed over. */
  setClusters(clusters: Iterable<Cluster>): void {
    const wanted = new Map<string, DnsCluster>();
    for (const cluster of clusters) if (isDnsCluster(cluster)) wanted.set(cluster.name, cluster);
    for (const [name, watch] of this.#watched) {
      if (wanted.has(name)) continue;
      clearTimeout(watch.timer);
      this.#watched.delete(name);
    }
    for (const [name, cluster] of wanted) {
      const known = this.#watched.get(name);
      if (known?.cluster === cluster) continue;
      clearTimeout(known?.timer);
      this.#watched.set(name, { cluster, timer: undefined, last: known?.last ?? new Map() });
      void this.#resolve(name);
    }
  }

  stop(): void {
    for (const watch of this.#watched.values()) clearTimeout(watch.timer);
    this.#watched.clear();
  }

  async #resolve(name: string): Promise<void> {
    const watch = this.#watched.get(name);
    if (watch === undefined) return;
    const { assignment, refreshMs } = watch.cluster.discovery;
    await Promise.all(hostnamesOf(assignment).map((hostname) => this.#lookUp(name, hostname, watch.last)));
    if (this.#watched.get(name) !== watch) return;
    this.#options.onResolved(resolvedAssignment(watch.cluster, watch.last));
    watch.timer = setTimeout(() => void this.#resolve(name), Math.max(refreshMs, MIN_REFRESH_MS));
    watch.timer.unref();
  }

  async #lookUp(cluster: string, hostname: string, last: Map<string, readonly string[]>): Promise<void> {
    try {
      last.set(hostname, (await this.#options.lookup(hostname)).slice(0, MAX_ADDRESSES_PER_NAME));
    } catch (error) {
      this.#failures++;
      const kept = last.get(hostname)?.length ?? 0;
      this.#options.log.warn(
        { cluster, hostname, keptAddresses: kept, err: error },
        'cannot resolve a host name; keeping the last good addresses',
      );
    }
  }
}

function isDnsCluster(cluster: Cluster): cluster is DnsCluster {
  return cluster.discovery.kind === 'strictDns' || cluster.discovery.kind === 'logicalDns';
}

function hostnamesOf(assignment: ClusterLoadAssignment): string[] {
  const names = assignment.localities.flatMap((group) => group.endpoints.map((endpoint) => endpoint.address));
  return [
    ...new Set(names.flatMap((address) => (address.kind === 'ip' && isIP(address.host) === 0 ? [address.host] : []))),
  ];
}

function resolvedAssignment(
  cluster: DnsCluster,
  addresses: ReadonlyMap<string, readonly string[]>,
): ClusterLoadAssignment {
  const { kind, assignment } = cluster.discovery;
  const limit = kind === 'logicalDns' ? 1 : Number.POSITIVE_INFINITY;
  const resolve = (endpoint: Endpoint): Endpoint[] => {
    const { address } = endpoint;
    if (address.kind !== 'ip' || isIP(address.host) !== 0) return [endpoint];
    const hostname = endpoint.hostname === '' ? address.host : endpoint.hostname;
    return (addresses.get(address.host) ?? [])
      .slice(0, limit)
      .map((host) => ({ ...endpoint, hostname, address: { ...address, host } }));
  };
  return {
    ...assignment,
    clusterName: cluster.name,
    localities: assignment.localities.map((group) => ({ ...group, endpoints: group.endpoints.flatMap(resolve) })),
  };
}
