/**
 * The checks an agent runs: each with its runner, its row in the catalog, and for alias checks the service they follow.
 * Knows services only by their ids and by asking whether one is registered.
 */
import type { Clock } from '../../base/clock.ts';
import type { Random } from '../../base/random.ts';
import { ApiError } from '../api-error.ts';
import { type CheckRunner, startCheck } from '../check/check-runner.ts';
import type { CheckDefinition } from '../input/check-definition.ts';
import type { Catalog } from '../state/catalog.ts';
import {
  aggregateStatus,
  type CheckRow,
  type CheckStatus,
  type NewCheck,
  type NewService,
} from '../state/catalog-rows.ts';
import { ExposedPorts, exposedUrl } from './exposed-ports.ts';

export interface LocalChecksOptions {
  readonly catalog: Catalog;
  readonly nodeName: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly maxChecks: number;
  /** `DeregisterCriticalServiceAfter` below this counts as this. */
  readonly minDeregisterAfterMs: number;
  /** The first of the ports through which sidecars expose checks. */
  readonly exposeMinPort: number;
  isRegistered(serviceId: string): boolean;
}

interface LocalCheck {
  runner: CheckRunner;
  /** Undefined for maintenance, which nobody runs. */
  readonly definition: CheckDefinition | undefined;
  readonly serviceId: string;
  /** Of an alias check: the service it follows. */
  readonly follows: string | undefined;
  /** 0: never. */
  readonly deregisterAfterMs: number;
  criticalSinceMs: number | undefined;
}

export class LocalChecks {
  readonly #options: LocalChecksOptions;
  readonly #checks = new Map<string, LocalCheck>();
  /** Alias checks by the service they follow. */
  readonly #followers = new Map<string, Set<string>>();
  readonly #exposedPorts: ExposedPorts;
  /** Addresses of the sidecars through which a service's HTTP checks are asked, by service. */
  readonly #exposedAt = new Map<string, string>();

  constructor(options: LocalChecksOptions) {
    this.#options = options;
    this.#exposedPorts = new ExposedPorts(options.exposeMinPort);
  }

  rows(): CheckRow[] {
    const { catalog, nodeName } = this.#options;
    return [...this.#checks.keys()].sort().flatMap((id) => catalog.check(nodeName, id) ?? []);
  }

  /** Those of the service and those of the node, as far as this agent runs them. */
  deciding(serviceId: string): CheckRow[] {
    const { catalog, nodeName } = this.#options;
    const all = [...catalog.checksOf(nodeName, ''), ...catalog.checksOf(nodeName, serviceId)];
    return all.filter((check) => this.#checks.has(check.CheckID));
  }

  needRoom(count: number): void {
    const { maxChecks } = this.#options;
    if (this.#checks.size + count > maxChecks) {
      throw new ApiError(500, `this agent holds ${maxChecks} checks already; deregister some first`);
    }
  }

  add(checkId: string, name: string, definition: CheckDefinition, service: NewService | undefined): void {
    const { catalog, nodeName, minDeregisterAfterMs } = this.#options;
    this.#forget(checkId);
    const known = catalog.check(nodeName, checkId);
    const { probe } = definition;
    catalog.ensureCheck(nodeName, {
      ...newRow(nodeName, checkId, name, definition.notes, service),
      // A check that registers again keeps what is known of it until the next result.
      Status: known?.Status ?? definition.initialStatus,
      Output: known?.Output ?? '',
      Type: probe.kind,
      Interval: definition.intervalText,
      Timeout: definition.timeoutText,
      ExposedPort: this.#exposedPortOf(checkId, definition, service?.ID ?? ''),
    });
    const follows = probe.kind === 'alias' ? probe.serviceId : undefined;
    const after = definition.deregisterCriticalAfterMs;
    this.#checks.set(checkId, {
      runner: this.#run(checkId, definition, service?.ID ?? ''),
      definition,
      serviceId: service?.ID ?? '',
      follows,
      deregisterAfterMs: after > 0 ? Math.max(after, minDeregisterAfterMs) : 0,
      criticalSinceMs: undefined,
    });
    this.#noteCritical(checkId);
    if (follows !== undefined) {
      this.#followersOf(follows).add(checkId);
      this.#refreshAlias(checkId, follows);
    }
    if (service !== undefined) this.refreshAliases(service.ID);
  }

  /** A critical check that nothing but an operator takes away. */
  addMaintenance(checkId: string, name: string, notes: string, service: NewService | undefined): void {
    const { catalog, nodeName } = this.#options;
    catalog.ensureCheck(nodeName, { ...newRow(nodeName, checkId, name, notes, service), Type: 'maintenance' });
    this.#checks.set(checkId, {
      runner: { report: () => false, stop: () => undefined },
      definition: undefined,
      serviceId: service?.ID ?? '',
      follows: undefined,
      deregisterAfterMs: 0,
      criticalSinceMs: undefined,
    });
    if (service !== undefined) this.refreshAliases(service.ID);
  }

  /** A sidecar at this address exposes the service's HTTP checks from now on; undefined: none does. */
  expose(serviceId: string, address: string | undefined): void {
    if (this.#exposedAt.get(serviceId) === address) return;
    if (address === undefined) this.#exposedAt.delete(serviceId);
    else this.#exposedAt.set(serviceId, address);
    const { catalog, nodeName } = this.#options;
    for (const [checkId, check] of this.#checks) {
      if (check.serviceId !== serviceId || check.definition?.probe.kind !== 'http') continue;
      if (address === undefined) this.#exposedPorts.takeBack(checkId);
      check.runner.stop();
      check.runner = this.#run(checkId, check.definition, serviceId);
      const known = catalog.check(nodeName, checkId);
      if (known === undefined) continue;
      const { CreateIndex: _created, ModifyIndex: _modified, ...row } = known;
      catalog.ensureCheck(nodeName, {
        ...row,
        ExposedPort: this.#exposedPortOf(checkId, check.definition, serviceId),
      });
    }
  }

  remove(checkId: string): boolean {
    const check = this.#forget(checkId);
    if (check === undefined) return false;
    this.#exposedPorts.takeBack(checkId);
    this.#options.catalog.removeCheck(this.#options.nodeName, checkId);
    if (check.serviceId !== '') this.refreshAliases(check.serviceId);
    return true;
  }

  /** Takes away the service's checks, except those in `kept`. */
  removeOthers(serviceId: string, kept: ReadonlySet<string>): void {
    for (const { CheckID } of this.#options.catalog.checksOf(this.#options.nodeName, serviceId)) {
      if (!kept.has(CheckID)) this.remove(CheckID);
    }
  }

  /** Stops the checks of a service whose rows the catalog is about to remove with it. */
  stopAllOf(serviceId: string): void {
    for (const { CheckID } of this.#options.catalog.checksOf(this.#options.nodeName, serviceId)) this.#forget(CheckID);
  }

  /** pass, warn, fail and update: only TTL checks listen. */
  report(checkId: string, status: CheckStatus, output: string): void {
    const check = this.#checks.get(checkId);
    if (check === undefined) throw unknownCheck(checkId);
    if (!check.runner.report(status, output)) {
      throw new ApiError(500, `CheckID ${JSON.stringify(checkId)} does not have associated TTL`);
    }
  }

  refreshAliases(serviceId: string): void {
    for (const checkId of this.#followers.get(serviceId) ?? []) this.#refreshAlias(checkId, serviceId);
  }

  /** Services critical for longer than one of their checks allows. */
  servicesOverdue(): Set<string> {
    const nowMs = this.#options.clock.nowMs();
    const overdue = new Set<string>();
    for (const check of this.#checks.values()) {
      if (check.deregisterAfterMs === 0 || check.serviceId === '' || check.criticalSinceMs === undefined) continue;
      if (nowMs - check.criticalSinceMs >= check.deregisterAfterMs) overdue.add(check.serviceId);
    }
    return overdue;
  }

  stop(): void {
    for (const check of this.#checks.values()) check.runner.stop();
    this.#checks.clear();
    this.#followers.clear();
  }

  #run(checkId: string, definition: CheckDefinition, serviceId: string): CheckRunner {
    const port = this.#exposedPortOf(checkId, definition, serviceId);
    const { probe } = definition;
    const asked =
      port === 0 || probe.kind !== 'http'
        ? definition
        : {
            ...definition,
            probe: { ...probe, url: exposedUrl(probe.url, this.#exposedAt.get(serviceId) ?? '', port) },
          };
    return startCheck(asked, (status, output) => this.#update(checkId, status, output), this.#options.random);
  }

  /** 0: it is asked directly. */
  #exposedPortOf(checkId: string, { probe }: CheckDefinition, serviceId: string): number {
    const isExposed = probe.kind === 'http' && this.#exposedAt.has(serviceId);
    return isExposed ? (this.#exposedPorts.portOf(checkId) ?? 0) : 0;
  }

  #update(checkId: string, status: CheckStatus, output: string): void {
    const { catalog, nodeName } = this.#options;
    const known = catalog.check(nodeName, checkId);
    const check = this.#checks.get(checkId);
    if (known === undefined || check === undefined) return;
    if (known.Status === status && known.Output === output) return;
    const { CreateIndex: _created, ModifyIndex: _modified, ...row } = known;
    catalog.ensureCheck(nodeName, { ...row, Status: status, Output: output });
    this.#noteCritical(checkId);
    if (check.serviceId !== '') this.refreshAliases(check.serviceId);
  }

  /** The output names no other output: two aliases that follow each other must settle. */
  #refreshAlias(checkId: string, serviceId: string): void {
    const { nodeName } = this.#options;
    if (!this.#options.isRegistered(serviceId)) {
      this.#update(checkId, 'critical', `Service ${serviceId} could not be found on node ${nodeName}`);
      return;
    }
    const followed = this.deciding(serviceId).filter((check) => check.CheckID !== checkId);
    const status = aggregateStatus(followed);
    if (status === 'passing') {
      this.#update(checkId, 'passing', followed.length === 0 ? 'No checks found.' : 'All checks passing.');
      return;
    }
    const worst = followed.find((check) => check.Status === (status === 'warning' ? 'warning' : 'critical'));
    const text = `Aliased check ${JSON.stringify(worst?.Name ?? '')} failing: ${status}`;
    this.#update(checkId, status === 'warning' ? 'warning' : 'critical', text);
  }

  #noteCritical(checkId: string): void {
    const check = this.#checks.get(checkId);
    if (check === undefined) return;
    const critical = this.#options.catalog.check(this.#options.nodeName, checkId)?.Status === 'critical';
    if (!critical) check.criticalSinceMs = undefined;
    else check.criticalSinceMs ??= this.#options.clock.nowMs();
  }

  /** Stops it; the catalog's row is the caller's business. */
  #forget(checkId: string): LocalCheck | undefined {
    const check = this.#checks.get(checkId);
    if (check === undefined) return undefined;
    check.runner.stop();
    this.#checks.delete(checkId);
    if (check.follows !== undefined) {
      const followers = this.#followersOf(check.follows);
      followers.delete(checkId);
      if (followers.size === 0) this.#followers.delete(check.follows);
    }
    return check;
  }

  #followersOf(serviceId: string): Set<string> {
    const known = this.#followers.get(serviceId);
    if (known !== undefined) return known;
    const created = new Set<string>();
    this.#followers.set(serviceId, created);
    return created;
  }
}

export function unknownCheck(checkId: string): ApiError {
  return new ApiError(
    404,
    `Unknown check ID ${JSON.stringify(checkId)}. Ensure that the check ID is passed, not the check name.`,
  );
}

/** A critical check with nothing to say yet: the state every check begins in. */
function newRow(node: string, checkId: string, name: string, notes: string, service: NewService | undefined): NewCheck {
  return {
    Node: node,
    CheckID: checkId,
    Name: name,
    Status: 'critical',
    Notes: notes,
    Output: '',
    ServiceID: service?.ID ?? '',
    ServiceName: service?.Service ?? '',
    ServiceTags: service?.Tags ?? [],
    Type: '',
    Interval: '',
    Timeout: '',
    ExposedPort: 0,
    Definition: {},
  };
}
