/** `/v1/agent/…`: what a service, its health checks and an operator ask of the agent beside them. */
import { createHash } from 'node:crypto';
import { agentServiceTopic } from '../agent/local-agent.ts';
import { ApiError } from '../api-error.ts';
import { compileFilter } from '../filter/filter.ts';
import { readCheckDefinition } from '../input/check-definition.ts';
import { readServiceDefinition, refuseFaults } from '../input/service-definition.ts';
import { CHECK_SHAPE } from '../input/service-shape.ts';
import { canonical, isJsonObject, type ShapeFaults } from '../input/shape.ts';
import { aggregateStatus, isCheckStatus, type ProxyRow, type ServiceRow } from '../state/catalog-rows.ts';
import type { RegistryState } from '../state/registry-state.ts';
import { type Answer, type ApiRequest, jsonBody, parameter, type Route } from './exchange.ts';
import { CHECK_SELECTORS, SERVICE_SELECTORS } from './selectors.ts';

/** The level of Consul's API that this agent answers. */
const API_VERSION = '1.21.0';

export function agentRoutes(state: RegistryState): Route[] {
  return [
    { methods: ['GET'], path: '/v1/agent/self', endpoint: () => ({ json: selfOf(state) }) },
    { methods: ['GET'], path: '/v1/agent/members', endpoint: () => ({ json: [memberOf(state)] }) },
    { methods: ['PUT'], path: '/v1/agent/maintenance', endpoint: (request) => nodeMaintenance(state, request) },
    { methods: ['PUT'], path: '/v1/agent/service/register', endpoint: (request) => registerService(state, request) },
    {
      methods: ['PUT'],
      path: '/v1/agent/service/deregister/:id',
      endpoint: (request) => deregisterService(state, request),
    },
    {
      methods: ['PUT'],
      path: '/v1/agent/service/maintenance/:id',
      endpoint: (request) => serviceMaintenance(state, request),
    },
    { methods: ['GET'], path: '/v1/agent/services', endpoint: (request) => listServices(state, request) },
    { methods: ['GET'], path: '/v1/agent/service/:id', endpoint: (request) => readService(state, request) },
    { methods: ['GET'], path: '/v1/agent/checks', endpoint: (request) => listChecks(state, request) },
    { methods: ['PUT'], path: '/v1/agent/check/register', endpoint: (request) => registerCheck(state, request) },
    {
      methods: ['PUT'],
      path: '/v1/agent/check/deregister/:id',
      endpoint: (request) => deregisterCheck(state, request),
    },
    { methods: ['PUT'], path: '/v1/agent/check/pass/:id', endpoint: (request) => report(state, request, 'passing') },
    { methods: ['PUT'], path: '/v1/agent/check/warn/:id', endpoint: (request) => report(state, request, 'warning') },
    { methods: ['PUT'], path: '/v1/agent/check/fail/:id', endpoint: (request) => report(state, request, 'critical') },
    { methods: ['PUT'], path: '/v1/agent/check/update/:id', endpoint: (request) => updateCheck(state, request) },
    { methods: ['GET'], path: '/v1/agent/health/service/id/:id', endpoint: (request) => healthById(state, request) },
    {
      methods: ['GET'],
      path: '/v1/agent/health/service/name/:name',
      endpoint: (request) => healthByName(state, request),
    },
  ];
}

function registerService(state: RegistryState, request: ApiRequest): Answer {
  const definition = readServiceDefinition(jsonBody(request));
  const replace = request.query.get('replace-existing-checks');
  state.agent.register(definition, replace === '' || replace === 'true');
  return {};
}

function deregisterService(state: RegistryState, request: ApiRequest): Answer {
  state.agent.deregister(parameter(request, 0));
  return {};
}

function listServices(state: RegistryState, request: ApiRequest): Answer {
  const filter = request.query.get('filter');
  const accepts = filter === null || filter === '' ? () => true : compileFilter(filter, SERVICE_SELECTORS);
  const views = state.agent
    .services()
    .map((service) => agentServiceView(service, state.datacenter))
    .filter(accepts);
  return { json: Object.fromEntries(views.map((view) => [view.ID, view])) };
}

/** Waits by hash, not by index: what the proxy of this service must do changed, or it did not. */
function readService(state: RegistryState, request: ApiRequest): ReturnType<Route['endpoint']> {
  const id = parameter(request, 0);
  const view = (): (ReturnType<typeof agentServiceView> & { ContentHash: string }) | undefined => {
    const service = state.agent.service(id);
    if (service === undefined) return undefined;
    const plain = agentServiceView(service, state.datacenter);
    return { ...plain, ContentHash: createHash('sha256').update(JSON.stringify(plain)).digest('hex').slice(0, 16) };
  };
  return {
    kind: 'hashed',
    topics: [agentServiceTopic(id)],
    hash: () => view()?.ContentHash,
    answer: () => {
      const found = view();
      if (found !== undefined) return { json: found, headers: { 'x-consul-contenthash': found.ContentHash } };
      return { status: 404, text: `unknown service ID: ${id}` };
    },
  };
}

function serviceMaintenance(state: RegistryState, request: ApiRequest): Answer {
  state.agent.setServiceMaintenance(parameter(request, 0), enableOf(request), request.query.get('reason') ?? '');
  return {};
}

function nodeMaintenance(state: RegistryState, request: ApiRequest): Answer {
  state.agent.setNodeMaintenance(enableOf(request), request.query.get('reason') ?? '');
  return {};
}

function enableOf(request: ApiRequest): boolean {
  const text = request.query.get('enable');
  if (text === null) throw new ApiError(400, 'Missing value for enable');
  if (!['true', 'false', '1', '0', 't', 'f', 'TRUE', 'FALSE'].includes(text)) {
    throw new ApiError(400, `Invalid value for enable: ${JSON.stringify(text)}`);
  }
  return ['true', '1', 't', 'TRUE'].includes(text);
}

function listChecks(state: RegistryState, request: ApiRequest): Answer {
  const filter = request.query.get('filter');
  const accepts = filter === null || filter === '' ? () => true : compileFilter(filter, CHECK_SELECTORS);
  const views = state.agent.checks().filter(accepts);
  return { json: Object.fromEntries(views.map((check) => [check.CheckID, check])) };
}

function registerCheck(state: RegistryState, request: ApiRequest): Answer {
  const faults: ShapeFaults = { wrong: [], unknown: [] };
  const fields = canonical(jsonBody(request), CHECK_SHAPE, '', faults);
  refuseFaults(faults);
  if (!isJsonObject(fields) || (fields['Name'] ?? '') === '') throw new ApiError(400, 'Missing check name');
  state.agent.registerCheck(readCheckDefinition(fields, 'Invalid check'));
  return {};
}

function deregisterCheck(state: RegistryState, request: ApiRequest): Answer {
  state.agent.deregisterCheck(parameter(request, 0));
  return {};
}

function report(state: RegistryState, request: ApiRequest, status: 'passing' | 'warning' | 'critical'): Answer {
  state.agent.reportTtl(parameter(request, 0), status, request.query.get('note') ?? '');
  return {};
}

function updateCheck(state: RegistryState, request: ApiRequest): Answer {
  const body = jsonBody(request);
  const field = (name: string): unknown => (isJsonObject(body) ? (body[name] ?? body[name.toLowerCase()]) : undefined);
  const status = field('Status');
  if (!isCheckStatus(status))
    throw new ApiError(400, `Invalid check status: '${typeof status === 'string' ? status : ''}'`);
  const output = field('Output');
  state.agent.reportTtl(parameter(request, 0), status, typeof output === 'string' ? output : '');
  return {};
}

const HTTP_OF_STATUS = { passing: 200, warning: 429, critical: 503, maintenance: 503 } as const;

function healthById(state: RegistryState, request: ApiRequest): Answer {
  const id = parameter(request, 0);
  const service = state.agent.service(id);
  if (service === undefined) {
    if (wantsText(request)) return { status: 404, text: `ServiceId ${id} not found` };
    return { status: 404, json: { AggregatedStatus: 'critical', Service: null, Checks: null } };
  }
  const health = healthOf(state, service);
  const status = HTTP_OF_STATUS[health.AggregatedStatus];
  return wantsText(request) ? { status, text: health.AggregatedStatus } : { status, json: health };
}

function healthByName(state: RegistryState, request: ApiRequest): Answer {
  const name = parameter(request, 0);
  const all = state.agent
    .services()
    .filter((service) => service.Service === name)
    .map((service) => healthOf(state, service));
  if (all.length === 0) {
    return wantsText(request) ? { status: 404, text: `ServiceName ${name} Not Found` } : { status: 404, json: [] };
  }
  const worst = all.reduce((a, b) => (HTTP_OF_STATUS[b.AggregatedStatus] > HTTP_OF_STATUS[a.AggregatedStatus] ? b : a));
  const status = HTTP_OF_STATUS[worst.AggregatedStatus];
  return wantsText(request) ? { status, text: worst.AggregatedStatus } : { status, json: all };
}

function healthOf(
  state: RegistryState,
  service: ServiceRow,
): {
  AggregatedStatus: keyof typeof HTTP_OF_STATUS;
  Service: unknown;
  Checks: unknown;
} {
  const checks = state.agent.checksOfService(service.ID);
  return {
    AggregatedStatus: aggregateStatus(checks),
    Service: agentServiceView(service, state.datacenter),
    // Here Consul leaves out what kind each check is.
    Checks: checks.map((check) => ({ ...check, Type: '' })),
  };
}

function wantsText(request: ApiRequest): boolean {
  return request.accept.startsWith('text/plain') || request.query.get('format') === 'text';
}

/** How an agent shows a service of its own: no indexes, and a proxy's settings only where there is a proxy. */
function agentServiceView(service: ServiceRow, datacenter: string): Record<string, unknown> & { ID: string } {
  const { CreateIndex: _created, ModifyIndex: _modified, Proxy: proxy, Connect: connect, ...rest } = service;
  return {
    ...rest,
    Datacenter: datacenter,
    ...(service.Kind === undefined ? {} : { Proxy: withoutEmptyMode(proxy) }),
    ...(connect.Native === true ? { Connect: connect } : {}),
  };
}

function withoutEmptyMode(proxy: ProxyRow): ProxyRow {
  if (proxy['Mode'] !== '') return proxy;
  const { Mode: _mode, ...rest } = proxy;
  return rest;
}

function selfOf(state: RegistryState): unknown {
  const { datacenter, nodeName, nodeId } = state;
  return {
    Config: {
      Datacenter: datacenter,
      PrimaryDatacenter: datacenter,
      NodeName: nodeName,
      NodeID: nodeId,
      Revision: 'weft',
      Server: true,
      Version: API_VERSION,
      BuildDate: '1970-01-01T00:00:01Z',
    },
    DebugConfig: { Datacenter: datacenter, NodeName: nodeName, NodeID: nodeId },
    Coord: null,
    Member: memberOf(state),
    Stats: { agent: { checks: String(state.agent.checks().length), services: String(state.agent.services().length) } },
    Meta: {},
  };
}

function memberOf(state: RegistryState): unknown {
  return {
    Name: state.nodeName,
    Addr: state.advertiseAddress,
    Port: 8301,
    Tags: { role: 'consul', dc: state.datacenter, id: state.nodeId, build: `${API_VERSION}:weft` },
    Status: 1,
    ProtocolMin: 1,
    ProtocolMax: 5,
    ProtocolCur: 2,
    DelegateMin: 2,
    DelegateMax: 5,
    DelegateCur: 4,
  };
}
