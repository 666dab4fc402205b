/**
 * What an agent keeps for its own node: services registered on it, sidecars that came along, their checks, and maintenance.
 * Every change goes into the catalog at once; a real agent's anti-entropy delay has nothing to teach on one machine.
 */
import { ApiError } from '../api-error.ts';
import type { CheckDefinition } from '../input/check-definition.ts';
import type { ServiceDefinition } from '../input/service-definition.ts';
import {
  type CheckRow,
  type CheckStatus,
  type NewService,
  NODE_MAINTENANCE_CHECK_ID,
  SERVICE_MAINTENANCE_PREFIX,
  type ServiceRow,
} from '../state/catalog-rows.ts';
import type { ChangeIndex } from '../state/change-index.ts';
import { LocalChecks, type LocalChecksOptions, unknownCheck } from './local-checks.ts';
import { expandSidecar, SIDECAR_SUFFIX } from './sidecar-service.ts';

export interface LocalAgentOptions extends Omit<LocalChecksOptions, 'isRegistered'> {
  readonly changes: ChangeIndex;
  readonly maxServices: number;
  /** How often services that stay critical are looked for. */
  readonly reapIntervalMs: number;
}

interface LocalService {
  /** Came with its service and goes with it. */
  readonly isSidecar: boolean;
}

export class LocalAgent {
  readonly #options: LocalAgentOptions;
  readonly #services = new Map<string, LocalService>();
  readonly #checks: LocalChecks;
  readonly #reaper: NodeJS.Timeout;

  constructor(options: LocalAgentOptions) {
    this.#options = options;
    this.#checks = new LocalChecks({ ...options, isRegistered: (serviceId) => this.#services.has(serviceId) });
    this.#reaper = setInterval(() => this.#reap(), options.reapIntervalMs).unref();
  }

  get nodeName(): string {
    return this.#options.nodeName;
  }

  // ---- reading

  services(): ServiceRow[] {
    return [...this.#services.keys()].sort().flatMap((id) => this.service(id) ?? []);
  }

  service(id: string): ServiceRow | undefined {
    return this.#services.has(id) ? this.#options.catalog.service(this.nodeName, id) : undefined;
  }

  checks(): CheckRow[] {
    return this.#checks.rows();
  }

  checksOfService(id: string): CheckRow[] {
    return this.#checks.deciding(id);
  }

  // ---- services

  /** All or nothing: everything that can be refused is refused before the first write. */
  register(definition: ServiceDefinition, replaceExistingChecks: boolean): void {
    const { service } = definition;
    const sidecar =
      definition.sidecar === undefined ? undefined : expandSidecar(service, definition.sidecar, this.#ownServices());
    const { maxServices } = this.#options;
    if (this.#services.size + (sidecar === undefined ? 1 : 2) > maxServices) {
      throw new ApiError(500, `this agent holds ${maxServices} services already; deregister some first`);
    }
    this.#checks.needRoom(definition.checks.length + (sidecar?.checks.length ?? 0));
    this.#addService(service, definition.checks, false, replaceExistingChecks);
    if (sidecar !== undefined) this.#addService(sidecar.service, sidecar.checks, true, replaceExistingChecks);
  }

  deregister(id: string): void {
    if (!this.#services.has(id)) throw unknownService(id);
    this.#removeService(id);
    const sidecarId = `${id}${SIDECAR_SUFFIX}`;
    if (this.#services.get(sidecarId)?.isSidecar === true) this.#removeService(sidecarId);
  }

  setServiceMaintenance(id: string, enable: boolean, reason: string): void {
    const service = this.service(id);
    if (service === undefined) throw unknownService(id);
    const checkId = `${SERVICE_MAINTENANCE_PREFIX}${id}`;
    if (enable) this.#checks.addMaintenance(checkId, 'Service Maintenance Mode', noteOf('service', reason), service);
    else this.#checks.remove(checkId);
  }

  setNodeMaintenance(enable: boolean, reason: string): void {
    const checkId = NODE_MAINTENANCE_CHECK_ID;
    if (enable) this.#checks.addMaintenance(checkId, 'Node Maintenance Mode', noteOf('node', reason), undefined);
    else this.#checks.remove(checkId);
  }

  // ---- checks

  registerCheck(definition: CheckDefinition): void {
    if (definition.name === '') throw new ApiError(400, 'Missing check name');
    const service = definition.serviceId === '' ? undefined : this.service(definition.serviceId);
    if (definition.serviceId !== '' && service === undefined) {
      throw new ApiError(404, `ServiceID ${JSON.stringify(definition.serviceId)} does not exist`);
    }
    this.#checks.needRoom(1);
    const checkId = definition.checkId === '' ? definition.name : definition.checkId;
    this.#checks.add(checkId, definition.name, definition, service);
  }

  deregisterCheck(checkId: string): void {
    if (!this.#checks.remove(checkId)) throw unknownCheck(checkId);
  }

  reportTtl(checkId: string, status: CheckStatus, output: string): void {
    this.#checks.report(checkId, status, output);
  }

  stop(): void {
    clearInterval(this.#reaper);
    this.#checks.stop();
    this.#services.clear();
  }

  // ---- inside

  *#ownServices(): Generator<ServiceRow> {
    for (const id of this.#services.keys()) {
      const row = this.service(id);
      if (row !== undefined) yield row;
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
      this.#checks.add(checkId, check.name === '' ? `Service '${service.Service}' check` : check.name, check, service);
    });
    if (replace) this.#checks.removeOthers(service.ID, kept);
    this.#exposeChecks(service);
    this.#checks.refreshAliases(service.ID);
  }

  #exposeChecks({ Kind, Address, Proxy: proxy }: NewService): void {
    const { DestinationServiceID: served, Expose: expose } = proxy;
    if (Kind !== 'connect-proxy' || served === undefined) return;
    this.#checks.expose(served, expose?.Checks === true ? Address : undefined);
  }

  #removeService(id: string): void {
    const { catalog, changes } = this.#options;
    const served = this.service(id)?.Proxy.DestinationServiceID;
    if (served !== undefined) this.#checks.expose(served, undefined);
    this.#checks.stopAllOf(id);
    this.#services.delete(id);
    catalog.removeService(this.nodeName, id);
    changes.forget(changes.current, agentServiceTopic(id));
    this.#checks.refreshAliases(id);
  }

  #reap(): void {
    for (const serviceId of this.#checks.servicesOverdue()) {
      if (this.#services.has(serviceId)) this.deregister(serviceId);
    }
  }
}

export function agentServiceTopic(id: string): string {
  return `agent-service:${id}`;
}

function unknownService(id: string): ApiError {
  return new ApiError(
    404,
    `Unknown service ID ${JSON.stringify(id)}. Ensure that the service ID is passed, not the service name.`,
  );
}

function noteOf(subject: string, reason: string): string {
  if (reason !== '') return reason;
  return `Maintenance mode is enabled for this ${subject}, but no reason was provided. This is a default message.`;
}
