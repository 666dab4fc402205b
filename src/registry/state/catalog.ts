/**
 * Nodes, services and checks, with the indexes Consul keeps for each of them: a change to one service wakes those who watch
 * that service, the lists it appears in, and nobody else. Equal writes are no writes: the index does not move.
 */
import { isDeepStrictEqual } from 'node:util';
import type { CheckRow, NewCheck, NewNode, NewService, NodeRow, ServiceInstance, ServiceRow } from './catalog-rows.ts';
import { connectDestination } from './catalog-rows.ts';
import type { ChangeIndex, Topic } from './change-index.ts';

interface NodeEntry {
  row: NodeRow;
  readonly services: Map<string, ServiceRow>;
  readonly checks: Map<string, CheckRow>;
  /** The same rows by the service they belong to; `''`: the node's own. */
  readonly checksByService: Map<string, Map<string, CheckRow>>;
}

export class Catalog {
  readonly #changes: ChangeIndex;
  readonly #nodes = new Map<string, NodeEntry>();
  readonly #byName = new Map<string, Map<string, ServiceInstance>>();
  readonly #byDestination = new Map<string, Map<string, ServiceInstance>>();

  constructor(changes: ChangeIndex) {
    this.#changes = changes;
  }

  // ---- reading

  nodes(): NodeRow[] {
    return [...this.#nodes.values()].map((entry) => entry.row).sort((a, b) => compare(a.Node, b.Node));
  }

  node(name: string): NodeRow | undefined {
    return this.#nodes.get(name)?.row;
  }

  /** By name or by ID: Consul's node endpoints take either. */
  nodeNamed(nameOrId: string): NodeRow | undefined {
    return this.node(nameOrId) ?? this.nodes().find((row) => row.ID === nameOrId);
  }

  servicesOn(node: string): ServiceRow[] {
    return [...(this.#nodes.get(node)?.services.values() ?? [])].sort((a, b) => compare(a.ID, b.ID));
  }

  service(node: string, serviceId: string): ServiceRow | undefined {
    return this.#nodes.get(node)?.services.get(serviceId);
  }

  serviceNames(): string[] {
    return [...this.#byName.keys()].sort(compare);
  }

  instancesOf(serviceName: string): ServiceInstance[] {
    return sorted(this.#byName.get(serviceName));
  }

  /** Instances that accept mesh traffic for the service: its sidecars, and itself where it is natively integrated. */
  connectInstancesOf(serviceName: string): ServiceInstance[] {
    return sorted(this.#byDestination.get(serviceName));
  }

  checksOn(node: string): CheckRow[] {
    return byCheckId(this.#nodes.get(node)?.checks.values());
  }

  check(node: string, checkId: string): CheckRow | undefined {
    return this.#nodes.get(node)?.checks.get(checkId);
  }

  /** The checks that decide over an instance: its own and its node's. */
  checksDeciding(instance: ServiceInstance): CheckRow[] {
    return [...this.checksOf(instance.node, ''), ...this.checksOf(instance.node, instance.service.ID)].sort((a, b) =>
      compare(a.CheckID, b.CheckID),
    );
  }

  /** The checks of one service instance; of the node itself for `''`. */
  checksOf(node: string, serviceId: string): CheckRow[] {
    return byCheckId(this.#nodes.get(node)?.checksByService.get(serviceId)?.values());
  }

  allChecks(): CheckRow[] {
    return this.nodes().flatMap((node) => this.checksOn(node.Node));
  }

  // ---- writing

  ensureNode(node: NewNode): void {
    const entry = this.#nodes.get(node.Node);
    if (entry !== undefined && sameRow(entry.row, node)) return;
    const index = this.#changes.next();
    const row: NodeRow = { ...node, CreateIndex: entry?.row.CreateIndex ?? index, ModifyIndex: index };
    const topics = new Set<Topic>(['nodes', `node:${node.Node}`]);
    if (entry === undefined) {
      this.#nodes.set(node.Node, { row, services: new Map(), checks: new Map(), checksByService: new Map() });
    } else {
      entry.row = row;
      for (const service of entry.services.values()) addServiceTopics(topics, service);
    }
    this.#changes.publish(index, topics);
  }

  ensureService(node: string, service: NewService): void {
    const entry = this.#entry(node);
    const known = entry.services.get(service.ID);
    if (known !== undefined && sameRow(known, service)) return;
    const index = this.#changes.next();
    const row: ServiceRow = { ...service, CreateIndex: known?.CreateIndex ?? index, ModifyIndex: index };
    const topics = new Set<Topic>(['services', `node:${node}`]);
    const orphans = new Set<Topic>();
    if (known !== undefined) {
      addServiceTopics(topics, known);
      for (const topic of this.#unlink(node, known)) orphans.add(topic);
    }
    entry.services.set(service.ID, row);
    this.#link(node, row);
    addServiceTopics(topics, row);
    for (const topic of serviceTopics(row)) orphans.delete(topic);
    this.#finish(index, topics, orphans);
  }

  ensureCheck(node: string, check: NewCheck): void {
    const entry = this.#entry(node);
    const known = entry.checks.get(check.CheckID);
    if (known !== undefined && sameRow(known, check)) return;
    const index = this.#changes.next();
    const row: CheckRow = { ...check, CreateIndex: known?.CreateIndex ?? index, ModifyIndex: index };
    if (known !== undefined) dropFrom(entry.checksByService, known.ServiceID, known.CheckID);
    entry.checks.set(check.CheckID, row);
    groupOf(entry.checksByService, check.ServiceID).set(check.CheckID, row);
    const topics = this.#checkTopics(entry, node, check);
    // A check may move from one service to another under the same id.
    if (known !== undefined) for (const topic of this.#checkTopics(entry, node, known)) topics.add(topic);
    this.#changes.publish(index, topics);
  }

  removeCheck(node: string, checkId: string): boolean {
    const entry = this.#nodes.get(node);
    const known = entry?.checks.get(checkId);
    if (entry === undefined || known === undefined) return false;
    entry.checks.delete(checkId);
    dropFrom(entry.checksByService, known.ServiceID, checkId);
    this.#changes.publish(this.#changes.next(), this.#checkTopics(entry, node, known));
    return true;
  }

  /** With the checks that belong to it. */
  removeService(node: string, serviceId: string): boolean {
    const entry = this.#nodes.get(node);
    const known = entry?.services.get(serviceId);
    if (entry === undefined || known === undefined) return false;
    const index = this.#changes.next();
    const topics = new Set<Topic>(['services', `node:${node}`]);
    for (const check of this.checksOf(node, serviceId)) {
      entry.checks.delete(check.CheckID);
      topics.add('checks').add(`node-checks:${node}`);
    }
    entry.checksByService.delete(serviceId);
    entry.services.delete(serviceId);
    addServiceTopics(topics, known);
    this.#finish(index, topics, this.#unlink(node, known));
    return true;
  }

  removeNode(node: string): boolean {
    const entry = this.#nodes.get(node);
    if (entry === undefined) return false;
    for (const serviceId of [...entry.services.keys()]) this.removeService(node, serviceId);
    for (const checkId of [...entry.checks.keys()]) this.removeCheck(node, checkId);
    this.#nodes.delete(node);
    const index = this.#changes.next();
    this.#changes.publish(index, ['nodes']);
    this.#changes.forget(index, `node:${node}`);
    return true;
  }

  // ---- inside

  #entry(node: string): NodeEntry {
    const entry = this.#nodes.get(node);
    if (entry === undefined) throw new Error(`node ${JSON.stringify(node)} is not in the catalog; register it first`);
    return entry;
  }

  /** A node's own check decides over everything on that node. */
  #checkTopics(entry: NodeEntry, node: string, check: NewCheck): Set<Topic> {
    const topics = new Set<Topic>(['checks', `node-checks:${node}`]);
    if (check.ServiceID === '') {
      for (const service of entry.services.values()) addServiceTopics(topics, service);
      return topics;
    }
    const service = entry.services.get(check.ServiceID);
    if (service !== undefined) addServiceTopics(topics, service);
    return topics;
  }

  #finish(index: number, topics: Set<Topic>, orphans: Iterable<Topic>): void {
    const gone = new Set(orphans);
    for (const topic of gone) topics.delete(topic);
    this.#changes.publish(index, topics);
    for (const topic of gone) this.#changes.forget(index, topic);
  }

  #link(node: string, service: ServiceRow): void {
    const instance: ServiceInstance = { node, service };
    const key = instanceKey(node, service.ID);
    groupOf(this.#byName, service.Service).set(key, instance);
    const destination = connectDestination(service);
    if (destination !== undefined) groupOf(this.#byDestination, destination).set(key, instance);
  }

  /** Returns the topics nobody stands for any more. */
  #unlink(node: string, service: ServiceRow): Topic[] {
    const key = instanceKey(node, service.ID);
    const orphans: Topic[] = [];
    if (dropFrom(this.#byName, service.Service, key)) orphans.push(`service:${service.Service}`);
    const destination = connectDestination(service);
    if (destination !== undefined && dropFrom(this.#byDestination, destination, key)) {
      orphans.push(`connect:${destination}`);
    }
    return orphans;
  }
}

function serviceTopics(service: NewService): Topic[] {
  const destination = connectDestination(service);
  const own = `service:${service.Service}`;
  return destination === undefined ? [own] : [own, `connect:${destination}`];
}

function addServiceTopics(topics: Set<Topic>, service: NewService): void {
  for (const topic of serviceTopics(service)) topics.add(topic);
}

function byCheckId(checks: Iterable<CheckRow> | undefined): CheckRow[] {
  return [...(checks ?? [])].sort((a, b) => compare(a.CheckID, b.CheckID));
}

function instanceKey(node: string, serviceId: string): string {
  return `${node}\u0000${serviceId}`;
}

function groupOf<T>(groups: Map<string, Map<string, T>>, name: string): Map<string, T> {
  const known = groups.get(name);
  if (known !== undefined) return known;
  const created = new Map<string, T>();
  groups.set(name, created);
  return created;
}

/** True when the group became empty and is gone. */
function dropFrom<T>(groups: Map<string, Map<string, T>>, name: string, key: string): boolean {
  const group = groups.get(name);
  if (group === undefined || !group.delete(key) || group.size > 0) return false;
  groups.delete(name);
  return true;
}

function sorted(group: Map<string, ServiceInstance> | undefined): ServiceInstance[] {
  if (group === undefined) return [];
  return [...group.values()].sort((a, b) => compare(a.node, b.node) || compare(a.service.ID, b.service.ID));
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function sameRow(known: { CreateIndex: number; ModifyIndex: number }, fresh: object): boolean {
  const { CreateIndex: _created, ModifyIndex: _modified, ...rest } = known;
  return isDeepStrictEqual(rest, { ...fresh });
}
