import { type Address, addressText, type Locality } from '../../resource/address.ts';
import type { Endpoint } from '../../resource/cluster-load-assignment.ts';
import type { BalancedHost } from '../balancer/load-balancer.ts';
import { HEALTH_FLAG, HOST_FIELD, type SharedCounters } from './shared-counters.ts';

/**
 * A live host of a cluster. The same object lives on while the address stays in the assignment, so pools and counts
 * survive updates of weight or health.
 */
export class Host implements BalancedHost {
  readonly clusterName: string;
  readonly address: Address;
  /** As Envoy prints it; unique in the cluster. */
  readonly addressText: string;
  /** Its cells in the shared counters. */
  readonly slot: number;
  endpoint: Endpoint;
  locality: Locality;
  priority: number;
  readonly #counters: SharedCounters;
  /** When it became eligible last, monotonic milliseconds; slow start counts from here. Undefined while it is not. */
  eligibleSinceMs: number | undefined;
  /** What slow start makes of the configured weight; undefined where the cluster has none. */
  slowStartWeight: number | undefined;
  readonly #inFlightCell: number;
  readonly #healthCell: number;

  constructor(
    clusterName: string,
    endpoint: Endpoint,
    locality: Locality,
    priority: number,
    slot: number,
    counters: SharedCounters,
  ) {
    this.clusterName = clusterName;
    this.address = endpoint.address;
    this.addressText = addressText(endpoint.address);
    this.slot = slot;
    this.endpoint = endpoint;
    this.locality = locality;
    this.priority = priority;
    this.#counters = counters;
    this.#inFlightCell = counters.hostCell(slot, HOST_FIELD.inFlight);
    this.#healthCell = counters.hostCell(slot, HOST_FIELD.health);
  }

  get additionalAddresses(): readonly Address[] | undefined {
    return this.endpoint.additionalAddresses;
  }

  get weight(): number {
    return this.slowStartWeight ?? this.endpoint.loadBalancingWeight;
  }

  get hashKey(): string {
    return this.endpoint.hostname === '' ? this.addressText : this.endpoint.hostname;
  }

  inFlight(): number {
    return this.#counters.get(this.#inFlightCell);
  }

  /** Returns how many were in flight before this one. */
  requestStarted(): number {
    this.#counters.advance(this.#counters.hostCell(this.slot, HOST_FIELD.requestsTotal));
    return this.#counters.add(this.#inFlightCell, 1);
  }

  requestFailed(): void {
    this.#counters.advance(this.#counters.hostCell(this.slot, HOST_FIELD.requestsFailed));
  }

  connectionOpened(): void {
    this.#counters.add(this.#counters.hostCell(this.slot, HOST_FIELD.connections), 1);
    this.#counters.advance(this.#counters.hostCell(this.slot, HOST_FIELD.connectionsTotal));
  }

  connectionClosed(): void {
    this.#counters.add(this.#counters.hostCell(this.slot, HOST_FIELD.connections), -1);
  }

  connectFailed(): void {
    this.#counters.advance(this.#counters.hostCell(this.slot, HOST_FIELD.connectFailures));
  }

  requestEnded(): void {
    this.#counters.add(this.#inFlightCell, -1);
  }

  /** Configured as healthy, not failing its active check, not ejected. */
  isEligible(): boolean {
    const { healthStatus } = this.endpoint;
    return (healthStatus === 'healthy' || healthStatus === 'degraded') && this.#counters.get(this.#healthCell) === 0;
  }

  failsActiveCheck(): boolean {
    return (this.#counters.get(this.#healthCell) & HEALTH_FLAG.failedActiveCheck) !== 0;
  }

  /** Whoever checks the host's health has said that it is well again: what it did before no longer counts. */
  endEjection(): void {
    this.#counters.clearBits(this.#healthCell, HEALTH_FLAG.ejected);
  }

  isEjected(): boolean {
    return (this.#counters.get(this.#healthCell) & HEALTH_FLAG.ejected) !== 0;
  }
}
