/** `/v1/catalog/…`: nodes and services as registered, health left aside. */
import { ApiError } from '../api-error.ts';
import { compileFilter, type Predicate, type SelectorTree } from '../filter/filter.ts';
import { numberField, stringMap, textField } from '../input/fields.ts';
import { serviceFrom, validateService } from '../input/service-definition.ts';
import { SERVICE_SHAPE } from '../input/service-shape.ts';
import { canonical, isJsonObject, type JsonObject, type ShapeFaults } from '../input/shape.ts';
import { isCheckStatus, type NodeRow, type ServiceInstance } from '../state/catalog-rows.ts';
import type { RegistryState } from '../state/registry-state.ts';
import { type Answer, type ApiRequest, type IndexedQuery, jsonBody, parameter, type Route } from './exchange.ts';
import { NODE_SELECTORS, SERVICE_NODE_SELECTORS, SERVICE_SELECTORS } from './selectors.ts';

export function catalogRoutes(state: RegistryState): Route[] {
  const get = ['GET'];
  return [
    { methods: get, path: '/v1/catalog/datacenters', endpoint: () => ({ json: [state.datacenter] }) },
    { methods: get, path: '/v1/catalog/nodes', endpoint: (request) => nodes(state, request) },
    { methods: get, path: '/v1/catalog/services', endpoint: (request) => services(state, request) },
    { methods: get, path: '/v1/catalog/service/:name', endpoint: (request) => service(state, request, false) },
    { methods: get, path: '/v1/catalog/connect/:name', endpoint: (request) => service(state, request, true) },
    { methods: get, path: '/v1/catalog/node/:node', endpoint: (request) => node(state, request) },
    { methods: get, path: '/v1/catalog/node-services/:node', endpoint: (request) => nodeServices(state, request) },
    { methods: ['PUT'], path: '/v1/catalog/register', endpoint: (request) => register(state, request) },
    { methods: ['PUT'], path: '/v1/catalog/deregister', endpoint: (request) => deregister(state, request) },
  ];
}

/** `?filter=`, or everything. */
export function filterOf(request: ApiRequest, selectors: SelectorTree): Predicate {
  const text = request.query.get('filter');
  return text === null || text === '' ? () => true : compileFilter(text, selectors);
}

/** `?node-meta=key:value`, repeated: all must hold. */
export function nodeMetaFilter(request: ApiRequest): (node: NodeRow | undefined) => boolean {
  const pairs = request.query.getAll('node-meta').map((pair) => {
    const colon = pair.indexOf(':');
    return colon < 0 ? [pair, ''] : [pair.slice(0, colon), pair.slice(colon + 1)];
  });
  if (pairs.length === 0) return () => true;
  return (row) => row !== undefined && pairs.every(([key, value]) => row.Meta[key ?? ''] === value);
}

/** `?tag=`, repeated: all must be there, whatever their case. */
export function tagFilter(request: ApiRequest): (instance: ServiceInstance) => boolean {
  const wanted = request.query.getAll('tag').map((tag) => tag.toLowerCase());
  if (wanted.length === 0) return () => true;
  return ({ service: { Tags } }) => wanted.every((tag) => Tags.some((own) => own.toLowerCase() === tag));
}

function nodes(state: RegistryState, request: ApiRequest): IndexedQuery {
  const accepts = filterOf(request, NODE_SELECTORS);
  const hasMeta = nodeMetaFilter(request);
  return {
    kind: 'indexed',
    topics: ['nodes'],
    answer: () => ({ json: state.catalog.nodes().filter((row) => hasMeta(row) && accepts(row)) }),
  };
}

function services(state: RegistryState, request: ApiRequest): IndexedQuery {
  const accepts = filterOf(request, SERVICE_NODE_SELECTORS);
  const hasMeta = nodeMetaFilter(request);
  const isFiltered = request.query.has('filter') || request.query.has('node-meta');
  return {
    kind: 'indexed',
    topics: ['services'],
    answer: () => {
      const result: Record<string, string[]> = {};
      for (const name of state.catalog.serviceNames()) {
        const instances = state.catalog
          .instancesOf(name)
          .filter(
            (instance) => hasMeta(state.catalog.node(instance.node)) && accepts(serviceNodeView(state, instance)),
          );
        if (isFiltered && instances.length === 0) continue;
        result[name] = [...new Set(instances.flatMap((instance) => instance.service.Tags))].sort();
      }
      return { json: result };
    },
  };
}

function service(state: RegistryState, request: ApiRequest, connect: boolean): IndexedQuery {
  const name = parameter(request, 0);
  if (name === '') throw new ApiError(400, 'Missing service name');
  const accepts = filterOf(request, SERVICE_NODE_SELECTORS);
  const hasTags = tagFilter(request);
  const hasMeta = nodeMetaFilter(request);
  return {
    kind: 'indexed',
    topics: [connect ? `connect:${name}` : `service:${name}`],
    answer: () => {
      const instances = connect ? state.catalog.connectInstancesOf(name) : state.catalog.instancesOf(name);
      const rows = instances
        .filter((instance) => hasTags(instance) && hasMeta(state.catalog.node(instance.node)))
        .map((instance) => serviceNodeView(state, instance));
      return { json: rows.filter(accepts) };
    },
  };
}

/** An unknown node is `null`, not an error. */
function node(state: RegistryState, request: ApiRequest): IndexedQuery {
  const name = parameter(request, 0);
  const accepts = filterOf(request, SERVICE_SELECTORS);
  return {
    kind: 'indexed',
    topics: [`node:${state.catalog.nodeNamed(name)?.Node ?? name}`],
    answer: () => {
      const row = state.catalog.nodeNamed(name);
      if (row === undefined) return { json: null };
      const own = state.catalog.servicesOn(row.Node).filter(accepts);
      return { json: { Node: row, Services: Object.fromEntries(own.map((item) => [item.ID, item])) } };
    },
  };
}

function nodeServices(state: RegistryState, request: ApiRequest): IndexedQuery {
  const name = parameter(request, 0);
  const accepts = filterOf(request, SERVICE_SELECTORS);
  return {
    kind: 'indexed',
    topics: [`node:${state.catalog.nodeNamed(name)?.Node ?? name}`],
    answer: () => {
      const row = state.catalog.nodeNamed(name);
      if (row === undefined) return { json: { Node: null, Services: null } };
      return { json: { Node: row, Services: state.catalog.servicesOn(row.Node).filter(accepts) } };
    },
  };
}

function serviceNodeView(state: RegistryState, instance: ServiceInstance): Record<string, unknown> {
  const row = state.catalog.node(instance.node);
  const { service: own } = instance;
  return {
    ID: row?.ID ?? '',
    Node: instance.node,
    Address: row?.Address ?? '',
    Datacenter: row?.Datacenter ?? state.datacenter,
    TaggedAddresses: row?.TaggedAddresses ?? {},
    NodeMeta: row?.Meta ?? {},
    ServiceKind: own.Kind ?? '',
    ServiceID: own.ID,
    ServiceName: own.Service,
    ServiceTags: own.Tags,
    ServiceAddress: own.Address,
    ...(own.TaggedAddresses === undefined ? {} : { ServiceTaggedAddresses: own.TaggedAddresses }),
    ServiceWeights: own.Weights,
    ServiceMeta: own.Meta,
    ServicePort: own.Port,
    ServiceSocketPath: own.SocketPath ?? '',
    ServiceEnableTagOverride: own.EnableTagOverride,
    ServiceProxy: own.Proxy,
    ServiceConnect: own.Connect,
    ServiceLocality: own.Locality ?? null,
    CreateIndex: own.CreateIndex,
    ModifyIndex: own.ModifyIndex,
  };
}

function register(state: RegistryState, request: ApiRequest): Answer {
  const body = jsonBody(request);
  if (!isJsonObject(body)) throw new ApiError(400, 'Request decode failed: the document must be a JSON object');
  const name = textField(body, 'Node');
  const address = textField(body, 'Address');
  if (name === '') throw new ApiError(500, 'Must provide node');
  if (address === '' && body['SkipNodeUpdate'] !== true) {
    throw new ApiError(500, 'Must provide address if SkipNodeUpdate is not set');
  }
  const dc = textField(body, 'Datacenter');
  if (dc !== '' && dc !== state.datacenter) throw new ApiError(500, 'No path to datacenter');
  const service = body['Service'];
  const row = isJsonObject(service) ? readCatalogService(service) : undefined;
  const checks = [...asList(body['Check']), ...asList(body['Checks'])].map((check) => readCatalogCheck(check, name));
  for (const { ServiceID, CheckID } of checks) {
    if (ServiceID === '' || ServiceID === row?.ID || state.catalog.service(name, ServiceID) !== undefined) continue;
    throw new ApiError(500, `Unknown service ID '${ServiceID}' for check ID '${CheckID}'`);
  }
  if (body['SkipNodeUpdate'] !== true || state.catalog.node(name) === undefined) {
    const known = state.catalog.node(name);
    state.catalog.ensureNode({
      ID: textField(body, 'ID') || (known?.ID ?? ''),
      Node: name,
      Address: address,
      Datacenter: state.datacenter,
      TaggedAddresses: stringMap(body['TaggedAddresses']),
      Meta: stringMap(body['NodeMeta']),
    });
  }
  if (row !== undefined) state.catalog.ensureService(name, row);
  for (const check of checks) {
    const owner = check.ServiceID === '' ? undefined : state.catalog.service(name, check.ServiceID);
    state.catalog.ensureCheck(name, { ...check, ServiceName: owner?.Service ?? '', ServiceTags: owner?.Tags ?? [] });
  }
  return { json: true };
}

function readCatalogService(fields: JsonObject): ReturnType<typeof serviceFrom> {
  const faults: ShapeFaults = { wrong: [], unknown: [] };
  // The catalog says `Service` where an agent's registration says `Name`.
  const read = canonical({ ...fields, Name: fields['Service'] ?? fields['Name'] }, SERVICE_SHAPE, 'Service', faults);
  if (faults.wrong.length > 0) throw new ApiError(400, `Request decode failed: ${faults.wrong.join('; ')}`);
  const row = serviceFrom(isJsonObject(read) ? read : {});
  if (row.Service === '')
    throw new ApiError(500, 'Must provide service name (Service.Service) when service ID is provided');
  validateService(row, 'Invalid service');
  return row;
}

function readCatalogCheck(fields: JsonObject, node: string): Parameters<RegistryState['catalog']['ensureCheck']>[1] {
  const status = fields['Status'];
  if (status !== undefined && status !== '' && !isCheckStatus(status)) {
    throw new ApiError(400, `Invalid check status: ${JSON.stringify(status)}`);
  }
  const name = textField(fields, 'Name');
  const id = textField(fields, 'CheckID') || name;
  if (id === '') throw new ApiError(400, 'Check needs a CheckID or a Name');
  const definition = fields['Definition'];
  return {
    Node: node,
    CheckID: id,
    Name: name,
    Status: isCheckStatus(status) ? status : 'critical',
    Notes: textField(fields, 'Notes'),
    Output: textField(fields, 'Output'),
    ServiceID: textField(fields, 'ServiceID'),
    ServiceName: '',
    ServiceTags: [],
    Type: textField(fields, 'Type'),
    Interval: '',
    Timeout: '',
    ExposedPort: numberField(fields, 'ExposedPort'),
    Definition: isJsonObject(definition) ? definition : {},
  };
}

function asList(value: unknown): JsonObject[] {
  const all = Array.isArray(value) ? value : [value];
  return all.filter(isJsonObject);
}

function deregister(state: RegistryState, request: ApiRequest): Answer {
  const body = jsonBody(request);
  if (!isJsonObject(body) || textField(body, 'Node') === '') throw new ApiError(500, 'Must provide node');
  const name = textField(body, 'Node');
  const serviceId = textField(body, 'ServiceID');
  const checkId = textField(body, 'CheckID');
  if (serviceId !== '') state.catalog.removeService(name, serviceId);
  else if (checkId !== '') state.catalog.removeCheck(name, checkId);
  else state.catalog.removeNode(name);
  return { json: true };
}
