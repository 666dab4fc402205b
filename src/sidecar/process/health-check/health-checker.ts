import type { Clock } from '../../../base/clock.ts';
import type { Random } from '../../../base/random.ts';
import type { Address } from '../../../resource/address.ts';
import { addressText } from '../../../resource/address.ts';
import type { Cluster, HealthCheck } from '../../../resource/cluster.ts';
import type { ClusterLoadAssignment, Endpoint } from '../../../resource/cluster-load-assignment.ts';
import type { Logger } from '../../../telemetry/log/log.ts';
import type { PoolTls } from '../../pool/pool.ts';
import type { Probe } from './probe.ts';

export interface HealthCheckerOptions {
  readonly probe: Probe;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  /** How connections to an endpoint are secured; absent, or undefined: not at all. */
  readonly tlsOf?: (cluster: Cluster, endpoint: Endpoint) => PoolTls | undefined;
  /** The host's flag is to be set or cleared; told on every change and once for a host that is new. */
  onHealth(clusterName: string, address: string, failed: boolean): void;
}

/** One host of one cluster under one check. */
interface Watched {
  readonly clusterName: string;
  readonly address: Address;
  /** Where it is asked, which an endpoint may say. */
  readonly probedAddress: Address;
  readonly check: HealthCheck;
  /** The newest configuration's. */
  tls: PoolTls | undefined;
  timer: NodeJS.Timeout | undefined;
  failed: boolean;
  /** Envoy: the first answer decides at once, thresholds count after it. */
  checkedOnce: boolean;
  streak: number;
}

/**
 * Active health checking on the main thread: one probe at a time for each host, thresholds as in Envoy, one flag for each
 * host that all workers read. A new host counts as failed until its first check passes.
 */
export class HealthChecker {
  readonly #options: HealthCheckerOptions;
  readonly #watched = new Map<string, Watched>();
  readonly counters = { attempts: 0, successes: 0, failures: 0 };

  constructor(options: HealthCheckerOptions) {
    this.#options = options;
  }

  /** Takes what runs now: hosts that are gone are no longer probed, new ones at once. Only a cluster's first check is run. */
  setClusters(clusters: ReadonlyMap<string, Cluster>, assignments: ReadonlyMap<string, ClusterLoadAssignment>): void {
    const wanted = new Map<string, () => Watched>();
    for (const [clusterName, cluster] of clusters) {
      const [check] = cluster.healthChecks;
      const assignment = assignments.get(clusterName);
      if (check === undefined || assignment === undefined) continue;
      for (const group of assignment.localities) {
        for (const endpoint of group.endpoints) {
          const { address, healthCheck } = endpoint;
          if (healthCheck?.kind === 'unchecked') continue;
          const tls = this.#options.tlsOf?.(cluster, endpoint);
          const key = `${clusterName}\n${addressText(address)}\n${JSON.stringify([check, healthCheck])}`;
          const known = this.#watched.get(key);
          if (known !== undefined) known.tls = tls;
          wanted.set(key, () => ({
            clusterName,
            address,
            probedAddress: healthCheck?.address ?? address,
            check: checkOf(check, healthCheck?.hostname ?? ''),
            tls,
            timer: undefined,
            failed: true,
            checkedOnce: false,
            streak: 0,
          }));
        }
      }
    }
    for (const [key, watched] of this.#watched) if (!wanted.has(key)) this.#forget(key, watched);
    for (const [key, make] of wanted) if (!this.#watched.has(key)) this.#begin(key, make());
  }

  stop(): void {
    for (const [key, watched] of this.#watched) this.#forget(key, watched);
  }

  #begin(key: string, watched: Watched): void {
    this.#watched.set(key, watched);
    this.#options.onHealth(watched.clusterName, addressText(watched.address), true);
    void this.#check(key, watched);
  }

  /** Its flag goes with it: where the cluster is no longer checked, the host must not stay failed. */
  #forget(key: string, watched: Watched): void {
    clearTimeout(watched.timer);
    this.#watched.delete(key);
    this.#options.onHealth(watched.clusterName, addressText(watched.address), false);
  }

  async #check(key: string, watched: Watched): Promise<void> {
    this.counters.attempts++;
    let reason: string | undefined;
    try {
      await this.#options.probe(watched.probedAddress, watched.check, watched.tls);
      this.counters.successes++;
    } catch (error) {
      this.counters.failures++;
      reason = error instanceof Error ? error.message : String(error);
    }
    if (this.#watched.get(key) !== watched) return;
    this.#count(watched, reason);
    // A tenth of jitter, so that many sidecars do not probe one host in step.
    const delayMs = watched.check.intervalMs * (0.95 + this.#options.random.next() * 0.1);
    watched.timer = setTimeout(() => void this.#check(key, watched), delayMs);
    watched.timer.unref();
  }

  #count(watched: Watched, reason: string | undefined): void {
    const failed = reason !== undefined;
    if (failed === watched.failed && watched.checkedOnce) {
      watched.streak = 0;
      return;
    }
    watched.streak++;
    const threshold = failed ? watched.check.unhealthyThreshold : watched.check.healthyThreshold;
    if (watched.checkedOnce && watched.streak < threshold) return;
    const turned = failed !== watched.failed;
    watched.failed = failed;
    watched.checkedOnce = true;
    watched.streak = 0;
    const facts = { cluster: watched.clusterName, host: addressText(watched.address), reason };
    if (turned) this.#options.onHealth(watched.clusterName, facts.host, failed);
    if (failed) this.#options.log.warn(facts, 'host fails its health check');
    else if (turned) this.#options.log.info(facts, 'host passes its health check');
  }
}

/** An endpoint may name the host that an HTTP check asks for. */
function checkOf(check: HealthCheck, hostname: string): HealthCheck {
  const { checker } = check;
  return hostname === '' || checker.kind !== 'http' ? check : { ...check, checker: { ...checker, host: hostname } };
}
