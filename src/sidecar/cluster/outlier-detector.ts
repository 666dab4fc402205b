import type { OutlierDetection } from '../../resource/cluster.ts';
import type { ClusterSet } from './cluster-set.ts';
import type { Host } from './host.ts';
import type { RuntimeCluster } from './runtime-cluster.ts';
import { CLUSTER_FIELD, HEALTH_FLAG, HOST_FIELD, type SharedCounters } from './shared-counters.ts';

/** A host that was just ejected, for whoever owns the clock that lets it back in. */
export interface Ejection {
  readonly clusterName: string;
  readonly address: string;
  readonly clusterSlot: number;
  readonly hostSlot: number;
  readonly baseEjectionTimeMs: number;
  readonly maxEjectionTimeMs: number;
}

/**
 * Envoy's consecutive_5xx and consecutive_gateway_failure, counted over all workers. A failure without an answer (status
 * 0) counts as both. At most max_ejection_percent of a cluster's hosts are out at once, but one always may be.
 */
export class OutlierDetector {
  readonly #clusters: ClusterSet;
  readonly #counters: SharedCounters;
  readonly #onEjected: (ejection: Ejection) => void;

  constructor(clusters: ClusterSet, counters: SharedCounters, onEjected: (ejection: Ejection) => void) {
    this.#clusters = clusters;
    this.#counters = counters;
    this.#onEjected = onEjected;
  }

  /** One attempt at a host has ended. */
  report(host: Host, status: number): void {
    const cluster = this.#clusters.get(host.clusterName);
    const detection = cluster?.config.outlierDetection;
    if (cluster === undefined || detection === undefined) return;
    // Whoever asks for one address can be given no other: ejecting it would change nothing.
    if (cluster.destinations !== undefined) return;
    const server = this.#counters.hostCell(host.slot, HOST_FIELD.consecutive5xx);
    const gateway = this.#counters.hostCell(host.slot, HOST_FIELD.consecutiveGatewayFailures);
    if (status !== 0 && status < 500) {
      if (this.#counters.get(server) !== 0) this.#counters.set(server, 0);
      if (this.#counters.get(gateway) !== 0) this.#counters.set(gateway, 0);
      return;
    }
    const isGatewayFailure = status === 0 || (status >= 502 && status <= 504);
    const serverFailures = this.#counters.advance(server) + 1;
    const gatewayFailures = isGatewayFailure ? this.#counters.advance(gateway) + 1 : 0;
    if (!isGatewayFailure) this.#counters.set(gateway, 0);
    const isOut =
      (detection.enforcingConsecutive5xxPercent > 0 && serverFailures >= detection.consecutive5xx) ||
      (detection.enforcingConsecutiveGatewayFailurePercent > 0 &&
        gatewayFailures >= detection.consecutiveGatewayFailure);
    if (isOut) this.#eject(cluster, host, detection);
  }

  #eject(cluster: RuntimeCluster, host: Host, detection: OutlierDetection): void {
    const { hosts } = cluster;
    const ejected = hosts.filter((other) => other.isEjected()).length;
    if (host.isEjected() || (ejected > 0 && ((ejected + 1) * 100) / hosts.length > detection.maxEjectionPercent))
      return;
    const health = this.#counters.hostCell(host.slot, HOST_FIELD.health);
    // Whoever sets the bit tells; another worker that comes second sees it set.
    if ((this.#counters.setBits(health, HEALTH_FLAG.ejected) & HEALTH_FLAG.ejected) !== 0) return;
    this.#counters.advance(this.#counters.clusterCell(cluster.slot, CLUSTER_FIELD.healthGeneration));
    this.#counters.set(this.#counters.hostCell(host.slot, HOST_FIELD.consecutive5xx), 0);
    this.#counters.set(this.#counters.hostCell(host.slot, HOST_FIELD.consecutiveGatewayFailures), 0);
    this.#onEjected({
      clusterName: cluster.name,
      address: host.addressText,
      clusterSlot: cluster.slot,
      hostSlot: host.slot,
      baseEjectionTimeMs: detection.baseEjectionTimeMs,
      maxEjectionTimeMs: detection.maxEjectionTimeMs,
    });
  }
}
