import { type Address, addressText } from '../../resource/address.ts';
import type { Endpoint } from '../../resource/cluster-load-assignment.ts';
import { DestinationHost } from './destination-host.ts';
import type { SharedCounters } from './shared-counters.ts';

/** Of one cluster and worker; each has its own pools. */
export const MAX_DESTINATION_HOSTS = 8_192;

const NOWHERE = { region: '', zone: '', subZone: '' };

/** The hosts of a cluster of type ORIGINAL_DST on one worker: each is made when it is first asked for. */
export class DestinationHosts {
  readonly #clusterName: string;
  readonly #slot: number;
  readonly #counters: SharedCounters;
  readonly #hosts = new Map<string, DestinationHost>();

  constructor(clusterName: string, slot: number, counters: SharedCounters) {
    this.#clusterName = clusterName;
    this.#slot = slot;
    this.#counters = counters;
  }

  get size(): number {
    return this.#hosts.size;
  }

  values(): IterableIterator<DestinationHost> {
    return this.#hosts.values();
  }

  /** undefined where there are as many hosts as there may be. */
  at(address: Address): DestinationHost | undefined {
    const key = addressText(address);
    const known = this.#hosts.get(key);
    if (known !== undefined) {
      known.isFresh = true;
      return known;
    }
    if (this.#hosts.size >= MAX_DESTINATION_HOSTS) return undefined;
    const host = new DestinationHost(this.#clusterName, endpointAt(address), NOWHERE, 0, this.#slot, this.#counters);
    this.#hosts.set(key, host);
    return host;
  }

  /** Takes out the hosts that nobody holds or has picked since the last time, and returns them. */
  sweep(): readonly DestinationHost[] {
    const gone: DestinationHost[] = [];
    for (const [key, host] of this.#hosts) {
      if (host.isFresh) host.isFresh = false;
      else if (host.isIdle) {
        this.#hosts.delete(key);
        gone.push(host);
      }
    }
    return gone;
  }
}

function endpointAt(address: Address): Endpoint {
  return { address, hostname: '', healthStatus: 'healthy', loadBalancingWeight: 1, metadata: {} };
}
