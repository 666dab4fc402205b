/**
 * What an agent keeps for its own node: services registered on it, their checks (which it runs), sidecars that came along, and
 * maintenance. Every change goes into the catalog at once; a real agent's anti-entropy delay has nothing to teach on one machine.
 */
import type { Clock } from '../../base/clock.ts';
import type { Random } from '../../base/random.ts';
import { ApiError } from '../api-error.ts';
import { type CheckRunner, startCheck } from '../check/check-runner.ts';
import type { CheckDefinition } from '../input/check-definition.ts';
import type { ServiceDefinition } from '../input/service-definition.ts';
import type { Catalog } from '../state/catalog.ts';
import {
  aggregateStatus,
  type CheckRow,
  type CheckStatus,
  type NewCheck,
  type NewService,
  NODE_MAINTENANCE_CHECK_ID,
  SERVICE_MAINTENANCE_PREFIX,
  type ServiceRow,
} from '../state/catalog-rows.ts';
import type { ChangeIndex } from '../state/change-index.ts';
import { expandSidecar, SIDECAR_SUFFIX } from './sidecar-service.ts';

export interface LocalAgentOptions {
  readonly catalog: Catalog;
  readonly changes: ChangeIndex;
  readonly nodeName: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly maxServices: number;
  readonly maxChecks: number;
  /** How often services that stay critical are looked for. */
  readonly reapIntervalMs: number;
  /** `DeregisterCriticalServiceAfter` below this counts as this. */
  readonly minDeregisterAfterMs: number;
}

interface LocalService {
  /** Came with its service and goes with it. */
  readonly isSidecar: boolean;
}

interface LocalCheck {
  readonly runner: CheckRunner;
  readonly kind: string;
  readonly serviceId: string;
  /** Of an alias check: the service it follows. */
  readonly follows: string | undefined;
  readonly deregisterAfterMs: number;
  criticalSinceMs: number | undefined;
}

export class LocalAgent {
  readonly #options: LocalAgentOptions;
  readonly #services = new Map<string, LocalService>();
  readonly #checks = new Map<string, LocalCheck>();
  /** Alias checks by the service they follow. */
  readonly #followers = new Map<string, Set<string>>();
  readonly #reaper: NodeJS.Timeout;

  constructor(options: LocalAgentOptions) {
    this.#options = options;
    this.#reaper = setInterval(() => this.#reap(), options.reapIntervalMs).unref();
  }

  get nodeName(): string {
    return this.#options.nodeName;
  }

  // ---- reading

  services(): ServiceRow[] {
    return [...this.#services.keys()].sort().flatMap((id) => this.service(id) ?? []);
  }

  *#ownServices(): Generator<ServiceRow> {
    for (const id of this.#services.keys()) {
      const row = this.service(id);
      if (row !== undefined) yield row;
    }
  }

  service(id: string): ServiceRow | undefined {
    return this.#services.has(id) ? this.#options.catalog.service(this.nodeName, id) : undefined;
  }

  checks(): CheckRow[] {
    return [...this.#checks.keys()].sort().flatMap((id) => this.#options.catalog.check(this.nodeName, id) ?? []);
  }

  checksOfService(id: string): CheckRow[] {
    const { catalog } = this.#options;
    const deciding = [...catalog.checksOf(this.nodeName, ''), ...catalog.checksOf(this.nodeName, id)];
    return deciding.filter((check) => this.#checks.has(check.CheckID));
  }

  // ---- services

  /** All or nothing: everything that can be refused is refused before the first write. */
  register(definition: ServiceDefinition, replaceExistingChecks: boolean): void {
    const { service } = definition;
    const sidecar =
      definition.sidecar === undefined ? undefined : expandSidecar(service, definition.sidecar, this.#ownServices());
    this.#needRoom(sidecar === undefined ? 1 : 2, definition.checks.length + (sidecar?.checks.length ?? 0));
    this.#addService(service, definition.checks, false, replaceExistingChecks);
    if (sidecar !== undefined) this.#addService(sidecar.service, sidecar.checks, true, replaceExistingChecks);
  }

  deregister(id: string): void {
    if (!this.#services.has(id)) {
      throw new ApiError(
        404,
        `Unknown service ID ${JSON.stringify(id)}. Ensure that the service ID is passed, not the service name.`,
      );
    }
    this.#removeService(id);
    const sidecarId = `${id}${SIDECAR_SUFFIX}`;
    if (this.#services.get(sidecarId)?.isSidecar === true) this.#removeService(sidecarId);
  }

  setServiceMaintenance(id: string, enable: boolean, reason: string): void {
    const service = this.service(id);
    if (service === undefined) {
      throw new ApiError(
        404,
        `Unknown service ID ${JSON.stringify(id)}. Ensure that the service ID is passed, not the service name.`,
      );
    }
    const checkId = `${SERVICE_MAINTENANCE_PREFIX}${id}`;
    if (!enable) this.#removeCheck(checkId);
    else {
      const notes =
        reason === ''
          ? 'Maintenance mode is enabled for this service, but no reason was provided. This is a default message.'
          : reason;
      this.#addMaintenance(checkId, 'Service Maintenance Mode', notes, service);
    }
  }

  setNodeMaintenance(enable: boolean, reason: string): void {
    if (!enable) this.#removeCheck(NODE_MAINTENANCE_CHECK_ID);
    else {
      const notes =
        reason === ''
          ? 'Maintenance mode is enabled for this node, but no reason was provided. This is a default message.'
          : reason;
      this.#addMaintenance(NODE_MAINTENANCE_CHECK_ID, 'Node Maintenance Mode', notes, undefined);
    }
  }

  // ---- checks

  registerCheck(definition: CheckDefinition): void {
    if (definition.name === '') throw new ApiError(400, 'Missing check name');
    const service = definition.serviceId === '' ? undefined : this.service(definition.serviceId);
    if (definition.serviceId !== '' && service === undefined) {
      throw new ApiError(404, `ServiceID ${JSON.stringify(definition.serviceId)} does not exist`);
    }
    this.#needRoom(0, 1);
    const checkId = definition.checkId === '' ? definition.name : definition.checkId;
    this.#addCheck(checkId, definition.name, definition, service);
  }

  deregisterCheck(checkId: string): void {
    if (!this.#removeCheck(checkId)) throw unknownCheck(checkId);
  }

  /** pass, warn, fail and update: only TTL checks listen. */
  reportTtl(checkId: string, status: CheckStatus, output: string): void {
    const check = this.#checks.get(checkId);
    if (check === undefined) throw unknownCheck(checkId);
    if (!check.runner.report(status, output)) {
      throw new ApiError(500, `CheckID ${JSON.stringify(checkId)} does not have associated TTL`);
    }
  }

  stop(): void {
    clearInterval(this.#reaper);
    for (const check of this.#checks.values()) check.runner.stop();
    this.#checks.clear();
    this.#services.clear();
  }

  // ---- inside

  #needRoom(services: number, checks: number): void {
    if (this.#services.size + services > this.#options.maxServices) {
      throw new ApiError(500, `this agent holds ${this.#options.maxServices} services already; deregister some first`);
    }
    if (this.#checks.size + checks > this.#options.maxChecks) {
      throw new ApiError(500, `this agent holds ${this.#options.maxChecks} checks already; deregister some first`);
    }
  }

  #addService(service: NewService, checks: readonly CheckDefinition[], isSidecar: boolean, replace: boolean): void {
    const { catalog, changes } = this.#options;
    catalog.ensureService(this.nodeName, service);
    this.#services.set(service.ID, { isSidecar });
    changes.publish(changes.current, [agentServiceTopic(service.ID)]);
    const kept = new Set<string>();
    checks.forEach((check, at) => {
      const fallback = checks.length === 1 ? `service:${service.ID}` : `service:${service.ID}:${at + 1}`;
      const checkId = check.checkId === '' ? fallback : check.checkId;
      kept.add(checkId);
      this.#addCheck(checkId, check.name === '' ? `Service '${service.Service}' check` : check.name, check, service);
    });
    if (replace) {
      for (const { CheckID } of catalog.checksOf(this.nodeName, service.ID)) {
        if (!kept.has(CheckID)) this.#removeCheck(CheckID);
      }
    }
    this.#refreshAliases(service.ID);
  }

  #removeService(id: string): void {
    for (const { CheckID } of this.#options.catalog.checksOf(this.nodeName, id)) this.#forgetCheck(CheckID);
    this.#services.delete(id);
    this.#options.catalog.removeService(this.nodeName, id);
    this.#options.changes.forget(this.#options.changes.current, agentServiceTopic(id));
    this.#refreshAliases(id);
  }

  #addCheck(checkId: string, name: string, definition: CheckDefinition, service: NewService | undefined): void {
    this.#forgetCheck(checkId);
    const known = this.#options.catalog.check(this.nodeName, checkId);
    const { probe } = definition;
    this.#options.catalog.ensureCheck(this.nodeName, {
      ...checkRow(this.nodeName, checkId, name, definition.notes, service),
      // A check that registers again keeps what is known of it until the next result.
      Status: known?.Status ?? definition.initialStatus,
      Output: known?.Output ?? '',
      Type: probe.kind,
      Interval: definition.intervalText,
      Timeout: definition.timeoutText,
    });
    const update = (status: CheckStatus, output: string): void => this.#updateCheck(checkId, status, output);
    const { minDeregisterAfterMs } = this.#options;
    const after = definition.deregisterCriticalAfterMs;
    this.#checks.set(checkId, {
      runner: startCheck(definition, update, this.#options.random),
      kind: probe.kind,
      serviceId: service?.ID ?? '',
      follows: probe.kind === 'alias' ? probe.serviceId : undefined,
      deregisterAfterMs: after > 0 ? Math.max(after, minDeregisterAfterMs) : 0,
      criticalSinceMs: undefined,
    });
    this.#noteCritical(checkId);
    if (probe.kind === 'alias') {
      this.#followersOf(probe.serviceId).add(checkId);
      this.#refreshAlias(checkId, probe.serviceId);
    }
    if (service !== undefined) this.#refreshAliases(service.ID);
  }

  #addMaintenance(checkId: string, name: string, notes: string, service: NewService | undefined): void {
    this.#options.catalog.ensureCheck(this.nodeName, {
      ...checkRow(this.nodeName, checkId, name, notes, service),
      Type: 'maintenance',
    });
    this.#checks.set(checkId, {
      runner: { report: () => false, stop: () => undefined },
      kind: 'maintenance',
      serviceId: service?.ID ?? '',
      follows: undefined,
      deregisterAfterMs: 0,
      criticalSinceMs: undefined,
    });
    if (service !== undefined) this.#refreshAliases(service.ID);
  }

  #removeCheck(checkId: string): boolean {
    const check = this.#forgetCheck(checkId);
    if (check === undefined) return false;
    this.#options.catalog.removeCheck(this.nodeName, checkId);
    if (check.serviceId !== '') this.#refreshAliases(check.serviceId);
    return true;
  }

  /** Stops it; the catalog's row is the caller's business. */
  #forgetCheck(checkId: string): LocalCheck | undefined {
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

  #updateCheck(checkId: string, status: CheckStatus, output: string): void {
    const known = this.#options.catalog.check(this.nodeName, checkId);
    const check = this.#checks.get(checkId);
    if (known === undefined || check === undefined) return;
    if (known.Status === status && known.Output === output) return;
    const { CreateIndex: _created, ModifyIndex: _modified, ...row } = known;
    this.#options.catalog.ensureCheck(this.nodeName, { ...row, Status: status, Output: output });
    this.#noteCritical(checkId);
    if (check.serviceId !== '') this.#refreshAliases(check.serviceId);
  }

  #refreshAliases(serviceId: string): void {
    for (const checkId of this.#followers.get(serviceId) ?? []) this.#refreshAlias(checkId, serviceId);
  }

  /** The output names no other output: two aliases that follow each other must settle. */
  #refreshAlias(checkId: string, serviceId: string): void {
    if (!this.#services.has(serviceId)) {
      this.#updateCheck(checkId, 'critical', `Service ${serviceId} could not be found on node ${this.nodeName}`);
      return;
    }
    const followed = this.checksOfService(serviceId).filter((check) => check.CheckID !== checkId);
    const status = aggregateStatus(followed);
    if (status === 'passing') {
      this.#updateCheck(checkId, 'passing', followed.length === 0 ? 'No checks found.' : 'All checks passing.');
      return;
    }
    const worst = followed.find((check) => check.Status === (status === 'warning' ? 'warning' : 'critical'));
    const text = `Aliased check ${JSON.stringify(worst?.Name ?? '')} failing: ${status}`;
    this.#updateCheck(checkId, status === 'warning' ? 'warning' : 'critical', text);
  }

  #noteCritical(checkId: string): void {
    const check = this.#checks.get(checkId);
    if (check === undefined) return;
    const critical = this.#options.catalog.check(this.nodeName, checkId)?.Status === 'critical';
    if (!critical) check.criticalSinceMs = undefined;
    else check.criticalSinceMs ??= this.#options.clock.nowMs();
  }

  #reap(): void {
    const nowMs = this.#options.clock.nowMs();
    const lost = new Set<string>();
    for (const check of this.#checks.values()) {
      if (check.deregisterAfterMs === 0 || check.serviceId === '' || check.criticalSinceMs === undefined) continue;
      if (nowMs - check.criticalSinceMs >= check.deregisterAfterMs) lost.add(check.serviceId);
    }
    for (const serviceId of lost) if (this.#services.has(serviceId)) this.deregister(serviceId);
  }
}

export function agentServiceTopic(id: string): string {
  return `agent-service:${id}`;
}

function unknownCheck(checkId: string): ApiError {
  return new ApiError(
    404,
    `Unknown check ID ${JSON.stringify(checkId)}. Ensure that the check ID is passed, not the check name.`,
  );
}

/** A critical check with nothing to say yet: the state every check begins in. */
function checkRow(
  node: string,
  checkId: string,
  name: string,
  notes: string,
  service: NewService | undefined,
): NewCheck {
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
