import { z } from 'zod';
import {
  type CheckStatus,
  datacenter,
  nodeName,
  type ProxyRegistration,
  type ServiceHealth,
  type ServiceId,
  type ServiceInstance,
  serviceId,
  serviceName,
  type Upstream,
} from '../translate/catalog.ts';
import { errorAt, type Problem } from '../translate/problem.ts';
import { count, issuesText, list, modifyIndex, mutualTlsMode, opaque, port, text } from './fields.ts';
import { accessLogs } from './parse-defaults.ts';
import { expose } from './parse-expose.ts';
import { registrationWarnings } from './registration-warnings.ts';

const locality = z
  .object({ Region: text, Zone: text })
  .nullish()
  .transform((value) => ({ region: value?.Region ?? '', zone: value?.Zone ?? '' }));

const node = z.object({
  Node: z.string().min(1),
  Address: text,
  Datacenter: text,
  Locality: locality,
  TaggedAddresses: z.record(z.string(), text).nullish(),
});

/** Octal, as `chmod` takes it: `0600`. */
const socketMode = z
  .string()
  .regex(/^(?:0?[0-7]{1,3})?$/, 'no octal mode such as 0600')
  .nullish()
  .transform((value) => Number.parseInt(value || '0', 8));

const upstream = z
  .object({
    DestinationType: z.enum(['service', 'prepared_query', '']).nullish(),
    DestinationName: z.string().min(1),
    Datacenter: text,
    DestinationPeer: text,
    LocalBindAddress: text,
    LocalBindPort: port,
    LocalBindSocketPath: text,
    LocalBindSocketMode: socketMode,
    Config: opaque,
  })
  .transform(
    (value): Upstream => ({
      destinationType: value.DestinationType === 'prepared_query' ? 'prepared_query' : 'service',
      destinationName: serviceName(value.DestinationName),
      datacenter: value.Datacenter,
      destinationPeer: value.DestinationPeer,
      localBindAddress: value.LocalBindAddress,
      localBindPort: value.LocalBindPort,
      localBindSocketPath: value.LocalBindSocketPath,
      localBindSocketMode: value.LocalBindSocketMode,
      config: value.Config,
    }),
  );

const proxyService = z.object({
  ID: z.string().min(1),
  Address: text,
  Port: port,
  SocketPath: text,
  ModifyIndex: modifyIndex,
  Proxy: z.object({
    DestinationServiceName: z.string().min(1),
    DestinationServiceID: text,
    LocalServiceAddress: text,
    LocalServicePort: port,
    LocalServiceSocketPath: text,
    Config: opaque,
    MutualTLSMode: mutualTlsMode,
    Upstreams: list(upstream),
    Expose: expose,
    AccessLogs: accessLogs,
  }),
});

/** The proxies registered on one Consul node, by id, and what is wrong with any of them. */
export interface NodeProxies {
  readonly proxies: ReadonlyMap<ServiceId, ProxyRegistration>;
  readonly problems: ReadonlyMap<ServiceId, readonly Problem[]>;
}

const nodeServices = z
  .object({ Node: node.nullish(), Services: list(z.looseObject({ ID: text, Kind: text, ModifyIndex: modifyIndex })) })
  .nullish();

/** Reads `/v1/catalog/node-services/:node`. A registration that is wrong keeps its last good form. */
export function parseNodeServices(body: unknown, previous: NodeProxies | undefined): NodeProxies {
  const proxies = new Map<ServiceId, ProxyRegistration>();
  const problems = new Map<ServiceId, readonly Problem[]>();
  const answer = nodeServices.parse(body);
  if (answer?.Node === null || answer?.Node === undefined) return { proxies, problems };
  for (const service of answer.Services) {
    if (service.Kind !== 'connect-proxy') continue;
    const id = serviceId(service.ID);
    const where = `registration ${service.ID} on node ${answer.Node.Node} (ModifyIndex ${service.ModifyIndex})`;
    const parsed = proxyService.safeParse(service);
    const registration = parsed.success ? toRegistration(parsed.data, answer.Node) : previous?.proxies.get(id);
    if (registration !== undefined) proxies.set(id, registration);
    const found = parsed.success
      ? registrationWarnings(service['Proxy'], where)
      : [errorAt(where, issuesText(parsed.error))];
    if (found.length > 0) problems.set(id, found);
  }
  return { proxies, problems };
}

function toRegistration(service: z.infer<typeof proxyService>, at: z.infer<typeof node>): ProxyRegistration {
  const { Proxy: proxy } = service;
  return {
    id: serviceId(service.ID),
    node: nodeName(at.Node),
    nodeAddress: at.Address,
    datacenter: datacenter(at.Datacenter === '' ? 'dc1' : at.Datacenter),
    address: service.Address,
    port: service.Port,
    socketPath: service.SocketPath,
    destinationService: serviceName(proxy.DestinationServiceName),
    destinationServiceId: proxy.DestinationServiceID,
    localServiceAddress: proxy.LocalServiceAddress,
    localServicePort: proxy.LocalServicePort,
    localServiceSocketPath: proxy.LocalServiceSocketPath,
    config: proxy.Config,
    mutualTlsMode: proxy.MutualTLSMode,
    upstreams: proxy.Upstreams,
    expose: proxy.Expose,
    accessLogs: proxy.AccessLogs,
    modifyIndex: service.ModifyIndex,
  };
}

const healthRow = z.object({
  Node: node,
  Service: z.object({
    ID: z.string().min(1),
    Service: z.string().min(1),
    Address: text,
    Port: port,
    TaggedAddresses: z.record(z.string(), z.object({ Address: text, Port: port })).nullish(),
    Weights: z
      .object({ Passing: count, Warning: count })
      .nullish()
      .transform((value) => value ?? { Passing: 1, Warning: 1 }),
    Locality: locality,
    ModifyIndex: modifyIndex,
  }),
  Checks: list(z.object({ Status: text })),
});

/** What a health watch knows: the instances, and the rows that could not be read. */
export interface ParsedHealth extends ServiceHealth {
  readonly problems: readonly Problem[];
}

/** Reads `/v1/health/connect/:service` or `/v1/health/service/:service`. A row that cannot be read is named and left out. */
export function parseHealth(service: string, body: unknown, localDatacenter = ''): ParsedHealth {
  const instances: ServiceInstance[] = [];
  const problems: Problem[] = [];
  for (const row of z.array(z.unknown()).nullish().parse(body) ?? []) {
    const parsed = healthRow.safeParse(row);
    if (parsed.success) instances.push(toInstance(parsed.data, localDatacenter));
    else problems.push(errorAt(`health of ${service}`, issuesText(parsed.error)));
  }
  instances.sort((a, b) => compare(a.node, b.node) || compare(a.id, b.id));
  return { instances, problems };
}

function toInstance(row: z.infer<typeof healthRow>, localDatacenter: string): ServiceInstance {
  const { Node: at, Service: service, Checks: checks } = row;
  const near = service.Locality.region === '' && service.Locality.zone === '' ? at.Locality : service.Locality;
  return {
    id: serviceId(service.ID),
    node: nodeName(at.Node),
    ...addressOf(row, localDatacenter),
    checks: checks.map(({ Status: status }) => checkStatus(status)),
    weights: { passing: service.Weights.Passing, warning: service.Weights.Warning },
    locality: near,
    modifyIndex: service.ModifyIndex,
  };
}

/**
 * As Consul chooses: from another datacenter an instance is reached at its WAN address, or its node's, where it has one; the
 * instance's own address counts before either address of its node.
 */
function addressOf(
  { Node: at, Service: service }: z.infer<typeof healthRow>,
  localDatacenter: string,
): { readonly address: string; readonly port: number } {
  const isRemote = localDatacenter !== '' && at.Datacenter !== '' && at.Datacenter !== localDatacenter;
  const wan = isRemote ? service.TaggedAddresses?.['wan'] : undefined;
  const own = wan?.Address || service.Address;
  const port = wan?.Port || service.Port;
  if (own !== '') return { address: own, port };
  return { address: (isRemote ? at.TaggedAddresses?.['wan'] : undefined) || at.Address, port };
}

/** `maintenance` is a critical check to everyone but `consul members`; a status we do not know is not taken for good health. */
function checkStatus(status: string): CheckStatus {
  return status === 'passing' || status === 'warning' ? status : 'critical';
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Reads the names of `/v1/catalog/nodes`. */
export function parseNodeNames(body: unknown): readonly string[] {
  return (
    z
      .array(z.object({ Node: z.string().min(1) }))
      .nullish()
      .parse(body) ?? []
  ).map(({ Node: name }) => name);
}

const agentProxy = z.object({ ID: z.string().min(1), Kind: text });

/** Reads `/v1/agent/service/:id`: is this registration a sidecar's? */
export function parseAgentServiceKind(body: unknown): string {
  return agentProxy.parse(body).Kind;
}

const checkRow = z.looseObject({ Node: text, ServiceID: text });

/** Reads the nodes of `/v1/health/state/any` that hold a check of this registration id. */
export function parseNodesOfChecks(body: unknown, id: string): readonly string[] {
  const rows = z.array(checkRow).nullish().parse(body) ?? [];
  return [...new Set(rows.filter((row) => row.ServiceID === id && row.Node !== '').map((row) => row.Node))].sort();
}

const execution = z.object({ Nodes: z.array(z.unknown()).nullish() });

/** Reads `/v1/query/:name/execute`: rows as those of a service's health, of whichever datacenter the query chose. */
export function parseExecution(query: string, body: unknown, localDatacenter: string): ParsedHealth {
  return parseHealth(query, execution.parse(body).Nodes ?? [], localDatacenter);
}
